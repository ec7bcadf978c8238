from typing import Any

from django import forms

from evalapp.artifacts.models import MergeFormat
from evalapp.datasets.models import DatasetVersion
from evalapp.datasets.queries import DOWNLOADABLE_SPLITS
from evalapp.registry.chat_template_fields import ChatTemplateForm
from hub.spec import MOST_REPOSITORY_CHARACTERS


class MergeForm(forms.Form):
    dtype = forms.ChoiceField(
        choices=MergeFormat.choices, initial=MergeFormat.BASE, label="Data type (dtype)"
    )


class HubForm(ChatTemplateForm):
    """A model on a hub: its name there and a revision."""

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


class PushForm(forms.Form):
    """Repository and splits for pushing a dataset version to a hub."""

    repository = forms.CharField(
        max_length=MOST_REPOSITORY_CHARACTERS,
        label="Repository",
        help_text="organisation/name, or your user name/name. It is created if it is missing.",
    )
    is_private = forms.BooleanField(
        required=False,
        initial=True,
        label="Private",
        help_text="Only members of the organisation see it. A repository that is public already is refused.",
    )
    splits = forms.MultipleChoiceField(label="Splits", widget=forms.CheckboxSelectMultiple)

    def __init__(self, *args: Any, version: DatasetVersion, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        there = [split for split in DOWNLOADABLE_SPLITS if version.counts.get(split)]
        splits = self.fields["splits"]
        assert isinstance(splits, forms.MultipleChoiceField)
        splits.choices = [(each.value, f"{each.label} ({version.counts[each]:,} rows)") for each in there]
        splits.initial = [each.value for each in there]
