"""The forms of the doors in the product's own words, and without placeholders that repeat the label."""

from typing import Any

from allauth.account import forms as allauth
from django.db import transaction

from evalapp.accounts.tokens import revoke_all_api_tokens


def _reword(form: Any, labels: dict[str, str]) -> None:
    for name, label in labels.items():
        form.fields[name].label = label
        form.fields[name].widget.attrs.pop("placeholder", None)


class SignInForm(allauth.LoginForm):  # type: ignore[misc]  # allauth has no types
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _reword(self, {"login": "E-mail address", "password": "Password"})
        # The page has no other purpose; whoever comes back after a session ended types at once.
        self.fields["login"].widget.attrs["autofocus"] = True


class ChangePasswordForm(allauth.ChangePasswordForm):  # type: ignore[misc]  # likewise
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        labels = {
            "oldpassword": "Current password",
            "password1": "New password",
            "password2": "The same password again",
        }
        _reword(self, labels)


class ChoosePasswordForm(allauth.ResetPasswordKeyForm):  # type: ignore[misc]  # likewise
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _reword(self, {"password1": "New password", "password2": "The same password again"})

    @transaction.atomic
    def save(self) -> None:
        """Set the password, and end what was made with the old one: somebody else may have known it."""
        super().save()
        revoke_all_api_tokens(user=self.user, by=self.user)
