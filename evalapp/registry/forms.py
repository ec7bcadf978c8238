from typing import Any

from django import forms

from evalapp.accounts.models import Project
from evalapp.core.form_fields import RowField, choice_field, row_field
from evalapp.registry import folders, queries
from evalapp.registry.chat_template_fields import ChatTemplateForm
from evalapp.registry.models import ModelAlias, ModelVersion
from inference.spec import PROMPT_PLACE


class BaseModelForm(ChatTemplateForm):
    folder = forms.ChoiceField(
        label="Folder", help_text="Folders on the server that hold a model in transformers' layout."
    )
    name = forms.CharField(max_length=120, label="Name", help_text="The model’s name in this project.")

    field_order = ("folder", "name", "template_file")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.found = folders.bases_on_disk()
        field = self.fields["folder"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(str(each.path), each.label) for each in self.found]


def name_of_base(version: ModelVersion) -> str:
    """Name of a base with its label."""
    return f"{version.model.name} ({version.label})"


class WordsForm(forms.Form):
    """System prompt and template around the prompt."""

    system_prompt = forms.CharField(
        required=False, max_length=20_000, widget=forms.Textarea(attrs={"rows": 5}), label="System prompt",
        help_text="Replaces the system message, or is added before the first message.",
    )  # fmt: skip
    prompt_template = forms.CharField(
        required=False, max_length=20_000, widget=forms.Textarea(attrs={"rows": 5}), label="Template",
        help_text=f"Replaces the last user message; {PROMPT_PLACE} becomes its text.",
    )  # fmt: skip

    def clean_prompt_template(self) -> str:
        template = str(self.cleaned_data["prompt_template"])
        if template and template.count(PROMPT_PLACE) != 1:
            raise forms.ValidationError(
                f"Write {PROMPT_PLACE} exactly once, where the example's text is inserted."
            )
        return template


class AdapterForm(forms.Form):
    base = RowField(
        queryset=ModelVersion.objects.none(), label="Base model", empty_label=None, name_of=name_of_base
    )
    label = forms.CharField(max_length=80, label="Label")
    archive = forms.FileField(
        required=False, label="Zip of the adapter's folder",
        help_text="adapter_model.safetensors and adapter_config.json, as peft saves them.",
    )  # fmt: skip
    folder = forms.ChoiceField(required=False, label="Or a folder on the server")

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        row_field(self, "base").queryset = queries.bases_of(project)
        choices = [(str(each.path), each.label) for each in folders.adapters_on_disk()]
        field = self.fields["folder"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [("", "—"), *choices]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self.errors and bool(cleaned["archive"]) == bool(cleaned["folder"]):
            raise forms.ValidationError("Upload a zip or choose a folder on the server, not both.")
        return cleaned


class ImportedForm(forms.Form):
    label = forms.CharField(
        max_length=80,
        label="Label",
        help_text="The model or system that generated the outputs, for instance “GPT, March”.",
    )


class AliasForm(forms.Form):
    """Choice of an alias. ``may_crown``: whether the champion alias is offered; the service checks
    permission.
    """

    alias = forms.ChoiceField(choices=[("", "None"), *ModelAlias.choices], required=False)

    def __init__(self, *args: Any, may_crown: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not may_crown:
            choices = [("", "None"), (ModelAlias.CHALLENGER.value, ModelAlias.CHALLENGER.label)]
            choice_field(self, "alias").choices = choices
