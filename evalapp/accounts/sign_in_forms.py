"""The forms of signing in, in the product's own words and without placeholders that repeat the label."""

from typing import Any

from allauth.account import forms as allauth
from django.db import transaction

from evalapp.accounts.email_verification import note_copied_link, verify_email
from evalapp.accounts.models import User
from evalapp.accounts.one_time_links import Purpose, find_link, use_link
from evalapp.accounts.people import lock_person
from evalapp.accounts.tokens import revoke_all_api_tokens


def _reword(form: Any, labels: dict[str, str]) -> None:
    for name, label in labels.items():
        form.fields[name].label = label
        form.fields[name].widget.attrs.pop("placeholder", None)


class SignInForm(allauth.LoginForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _reword(self, {"login": "E-mail address", "password": "Password"})
        # The page has no other purpose; whoever comes back after a session ended types at once.
        self.fields["login"].widget.attrs["autofocus"] = True


class ChangePasswordForm(allauth.ChangePasswordForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        labels = {
            "oldpassword": "Current password",
            "password1": "New password",
            "password2": "Repeat password",
        }
        _reword(self, labels)


class ChoosePasswordForm(allauth.ResetPasswordKeyForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _reword(self, {"password1": "New password", "password2": "Repeat password"})

    @transaction.atomic
    def save(self) -> None:
        """Consume the link and set the password; end what was made with the old one, which others may know.

        Raises ConflictError where the link no longer works.
        """
        lock_person(self.user)
        link = use_link(self.temp_key, Purpose.PASSWORD)
        if link.is_mailed or link.created_by is None:
            verify_email(self.user, how="mailed link" if link.is_mailed else "link of the server")
        else:
            note_copied_link(self.user, maker=link.created_by)
        super().save()
        revoke_all_api_tokens(user=self.user, by=self.user)


class PasswordLinks:
    """What allauth asks of its generator of tokens: whether a link sets this person's password."""

    def check_token(self, user: User, secret: str) -> bool:
        link = find_link(secret, Purpose.PASSWORD)
        return link is not None and link.user_id == user.pk


class PasswordLinkForm(allauth.UserTokenForm):
    token_generator = PasswordLinks()
