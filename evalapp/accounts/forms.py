from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth.password_validation import password_validators_help_text_html, validate_password
from django.core.exceptions import ValidationError

from evalapp.accounts.models import Project, ResultsApplyTo, Role, User
from evalapp.accounts.permissions import GRANTABLE
from evalapp.accounts.retention import HELP, LABELS, LONGEST, Kept
from evalapp.accounts.review_keys import REVIEW_KEYS, keys_of, letters_of
from evalapp.core.form_fields import choice_field

ROLE_WORDS = {
    Role.OWNER: "Owner: everything, and deleting the project",
    Role.MANAGER: "Manager: rubrics, campaigns, decisions, members",
    Role.ENGINEER: "Engineer: data, models, runs, exports",
    Role.REVIEWER: "Reviewer: rates what is assigned, sees nothing else",
}


class ProjectForm(forms.Form):
    """Name and description; used to create a project and to change it."""

    name = forms.CharField(max_length=120)
    description = forms.CharField(
        required=False,
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="What is evaluated here, and for whom. Members see it.",
    )
    population = forms.ChoiceField(
        label="Results apply to",
        choices=ResultsApplyTo.choices,
        initial=ResultsApplyTo.PANEL,
        widget=forms.RadioSelect,
        help_text=(
            "These reviewers: results are about your reviewers’ scores of new items. Choose this if they"
            " are the experts whose opinion counts. Reviewers like these: results are also about other"
            " people’s scores. Choose this if your reviewers are a sample, as in a crowd or a study; it"
            " usually takes five reviewers or more. The summary of results shows whether they hold for the"
            " other choice, too."
        ),
    )


class ProjectSettingsForm(ProjectForm):
    shows_reviewer_names = forms.BooleanField(
        required=False,
        label="Show reviewers by name",
        help_text=(
            "To each other in discussions, and to managers. Off: “Reviewer 2”, the same on every page of a"
            " campaign."
        ),
    )
    needs_second_person = forms.BooleanField(
        required=False,
        label="A second person accepts edited rows",
        help_text="A draft of a dataset is published by somebody who edited none of its rows.",
    )
    masks_personal_data = forms.BooleanField(
        required=False,
        label="Mask personal data",
        help_text=(
            "Imported rows and outputs are stored with placeholders such as ⟨NAME 1⟩ for names, addresses,"
            " numbers of people and accounts, and the originals are stored encrypted. Only an owner can see"
            " them, and every look is recorded in the audit. The rules miss some personal data: check a"
            " sample. Existing rows stay as they are until a new version is made from them."
        ),
    )
    masking_patterns = forms.CharField(
        required=False,
        label="Also mask",
        max_length=20_000,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
        help_text=(
            "One pattern per line: a name for the placeholder in capitals, a colon, and a regular expression"
            " (RE2), as in “CLAIM NUMBER: CL-[0-9]{6}”."
        ),
    )
    masking_allowed = forms.CharField(
        required=False,
        label="Never mask",
        max_length=100_000,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
        help_text=(
            "One per line: an e-mail address, all addresses of a domain as “@example.org”, or any other"
            " text, such as your company's name."
        ),
    )

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        for kind in Kept:
            self.fields[f"keep_{kind}"] = forms.IntegerField(
                required=False, min_value=1, max_value=LONGEST, label=LABELS[kind], help_text=HELP[kind]
            )

    def clean(self) -> dict[str, Any]:
        """Clean the form; ``retention`` replaces its single fields."""
        cleaned = super().clean() or {}
        cleaned["retention"] = {str(kind): cleaned.pop(f"keep_{kind}", None) for kind in Kept}
        return cleaned

    def clean_masking_patterns(self) -> list[tuple[str, str]]:
        lines = [line.partition(":") for line in _lines(self.cleaned_data["masking_patterns"])]
        for number, (start, colon, _) in enumerate(lines, start=1):
            if not colon:
                raise ValidationError(f"Line {number} (“{start[:40]}”) has no colon. Write NAME: expression.")
        return [(kind.strip(), expression.strip()) for kind, _, expression in lines]

    def clean_masking_allowed(self) -> list[str]:
        return _lines(self.cleaned_data["masking_allowed"])


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def settings_of(project: Project) -> dict[str, Any]:
    """The project's settings as the form's initial values."""
    fields = forms.model_to_dict(
        project,
        fields=[
            "name", "description", "population", "shows_reviewer_names", "needs_second_person",
            "masks_personal_data",
        ],
    )  # fmt: skip
    rules = project.masking_rules
    fields["masking_patterns"] = "\n".join(": ".join(each) for each in rules.get("patterns", ()))
    fields["masking_allowed"] = "\n".join(rules.get("allowed", ()))
    return fields | {f"keep_{kind}": days for kind, days in project.retention.items()}


class InvitationForm(forms.Form):
    emails = forms.CharField(
        label="Emails",
        max_length=60_000,
        help_text="One per line, or separated by commas. People sign in with them.",
        widget=forms.Textarea(attrs={"rows": 4, "autocomplete": "off"}),
    )
    role = forms.ChoiceField(widget=forms.RadioSelect)

    is_mailed = forms.BooleanField(
        label="Send each person their link by email",
        required=False,
        initial=True,
        help_text="Only they see it then, and their email is verified. Otherwise you pass the links on.",
    )

    def __init__(self, *args: Any, inviter_role: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not settings.SENDS_MAIL:
            del self.fields["is_mailed"]
            self.fields["emails"].help_text += " Nothing is sent: you get a link for each person to pass on."
        choices = [
            (role.value, words) for role, words in ROLE_WORDS.items() if role in GRANTABLE[inviter_role]
        ]
        choice_field(self, "role").choices = choices
        self.fields["role"].initial = Role.REVIEWER.value


class RoleForm(forms.Form):
    role = forms.ChoiceField(choices=Role.choices)


class NewPersonForm(forms.Form):
    """The name and password of an invited person."""

    name = forms.CharField(
        max_length=120,
        help_text="Colleagues see it beside what you write.",
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    password1 = forms.CharField(
        label="Password",
        max_length=1024,
        strip=False,
        help_text=password_validators_help_text_html,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    password2 = forms.CharField(
        label="Repeat password",
        max_length=1024,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def __init__(self, *args: Any, email: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._email = email

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        password = cleaned.get("password1")
        if password and cleaned.get("password2") not in (None, password):
            self.add_error("password2", "The two passwords differ. Type the same one twice.")
        if password:
            try:
                validate_password(password, User(email=self._email, name=cleaned.get("name", "")))
            except ValidationError as error:
                self.add_error("password1", error)
        return cleaned


class ProfileForm(forms.Form):
    """The name, and the review screen's single-letter keys."""

    name = forms.CharField(max_length=120, widget=forms.TextInput(attrs={"autocomplete": "name"}))
    keys_enabled = forms.BooleanField(
        label="Single-letter shortcuts when reviewing",
        required=False,
        help_text="Switch them off when you dictate or use a screen reader's own keys.",
    )

    def __init__(self, data: Any = None, *, user: User) -> None:
        keys = keys_of(user)
        initial = {"name": user.name, "keys_enabled": bool(keys)}
        letters = letters_of(user)
        for key in REVIEW_KEYS:
            initial[f"key_{key.action}"] = letters.get(key.action, "")
        super().__init__(data, initial=initial)
        for key in REVIEW_KEYS:
            self.fields[f"key_{key.action}"] = forms.CharField(
                label=key.label,
                max_length=1,
                widget=forms.TextInput(attrs={"class": "key-input", "autocomplete": "off", "maxlength": "1"}),
            )

    @property
    def key_fields(self) -> list[forms.BoundField]:
        return [self[f"key_{key.action}"] for key in REVIEW_KEYS]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        owners: dict[str, str] = {}
        for key in REVIEW_KEYS:
            letter = cleaned.get(f"key_{key.action}", "").lower()
            if letter.isdigit():
                self.add_error(f"key_{key.action}", "Number keys give scores; choose another key.")
            elif letter and letter in owners:
                self.add_error(f"key_{key.action}", f"“{letter}” is already taken by “{owners[letter]}”.")
            owners.setdefault(letter, key.label)
        return cleaned

    def review_keys(self) -> dict[str, object]:
        """What the profile stores: ``{"enabled": bool, "map": {action: key}}``."""
        chosen = {key.action: self.cleaned_data[f"key_{key.action}"].lower() for key in REVIEW_KEYS}
        return {"enabled": self.cleaned_data["keys_enabled"], "map": chosen}


class TokenForm(forms.Form):
    name = forms.CharField(
        max_length=80, help_text="What will use it, for instance “nightly import”. You see the token once."
    )
    days = forms.TypedChoiceField(
        label="Valid for",
        coerce=int,
        choices=[(30, "30 days"), (90, "90 days"), (365, "a year"), (0, "until revoked")],
        initial=90,
    )


class DeleteProjectForm(forms.Form):
    typed_name = forms.CharField(
        label="Type the project's name", max_length=120, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )


class DeletePersonForm(forms.Form):
    typed_email = forms.CharField(
        label="Type your email",
        max_length=254,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )


class AuditFilterForm(forms.Form):
    """The audit's filters in the URL; invalid ones are ignored."""

    project = forms.IntegerField(required=False, min_value=1, max_value=2**63 - 1)
    actor = forms.IntegerField(required=False, min_value=1, max_value=2**63 - 1)
    object_type = forms.CharField(required=False, max_length=40)
    object_id = forms.IntegerField(required=False, min_value=1, max_value=2**63 - 1)
    action = forms.CharField(required=False, max_length=60)
