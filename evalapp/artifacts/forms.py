from typing import Any

from django import forms

from evalapp.artifacts.models import MergeFormat
from evalapp.registry.chat_template_fields import ChatTemplateForm


class MergeForm(forms.Form):
    dtype = forms.ChoiceField(
        choices=MergeFormat.choices, initial=MergeFormat.BASE, label="Data type (dtype)"
    )


class HubForm(ChatTemplateForm):
    """A model of a hub, by its name there and a revision."""

    repository = forms.CharField(
        max_length=200, label="Model", help_text="Its name on the hub, organisation/name."
    )
    revision = forms.CharField(
        max_length=100, required=False, initial="main",
        help_text="A branch, a tag or a commit. Its current commit is stored.",
    )  # fmt: skip
    name = forms.CharField(
        max_length=120,
        required=False,
        label="Name in this project",
        help_text="Leave empty to use the hub’s name.",
    )

    field_order = ("repository", "revision", "name", "template_file")

    def clean_revision(self) -> Any:
        return self.cleaned_data["revision"] or "main"
