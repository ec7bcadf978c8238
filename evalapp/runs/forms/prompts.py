"""Forms for prompts on a base and at an endpoint."""

from typing import Any

from django import forms

from evalapp.accounts.models import Project
from evalapp.core.errors import InvalidError
from evalapp.core.form_fields import RowField, row_field
from evalapp.core.http import show_problem
from evalapp.datasets.models import DatasetVersion
from evalapp.registry import queries as registry
from evalapp.registry.endpoints import LONGEST_MODEL
from evalapp.registry.forms import WordsForm, name_of_base
from evalapp.registry.models import Endpoint, ModelVersion
from evalapp.runs import queries
from evalapp.runs.forms.runs import name_of_dataset_version
from evalapp.runs.generation.few_shot import few_shot, row_numbers_in
from inference.prompts import conversation
from inference.spec import Candidate
from run_directory.protocol import Message

SAMPLE_PROMPT = "Summarise the client's portfolio in three sentences."


class ShowingForm(WordsForm):
    """Text around the prompt, and training rows shown before it. A valid form with rows has them as
    ``examples``.
    """

    examples_version = RowField(
        queryset=DatasetVersion.objects.none(), name_of=name_of_dataset_version, required=False,
        label="Examples from", empty_label="No examples",
        help_text="Rows of its training split are shown as question and answer before each question.",
    )  # fmt: skip
    example_rows = forms.CharField(
        max_length=400,
        required=False,
        label="Rows",
        help_text="Their numbers in the version, for instance 3, 17, 42.",
    )
    sample = forms.CharField(
        required=False, max_length=4_000, initial=SAMPLE_PROMPT, label="Sample prompt",
        widget=forms.Textarea(attrs={"rows": 2}), help_text="Only for the preview; it is not stored.",
    )  # fmt: skip

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        row_field(self, "examples_version").queryset = queries.trainable_versions(project)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if self.errors:
            return cleaned
        version, rows = cleaned["examples_version"], cleaned["example_rows"].strip()
        if bool(version) != bool(rows):
            self.add_error("example_rows", "Choose a version and enter its rows, or leave both empty.")
        elif version:
            try:
                cleaned["examples"] = few_shot(version, row_numbers_in(rows))
            except InvalidError as error:
                show_problem(self, error)
        return cleaned

    @property
    def words(self) -> dict[str, Any]:
        """Arguments for registering a valid form's prompt texts and examples."""
        values = self.cleaned_data
        return {
            "system_prompt": values["system_prompt"],
            "prompt_template": values["prompt_template"],
            "examples": values.get("examples"),
        }

    def preview(self) -> list[dict[str, str]]:
        """The turns that the model would get for the sample prompt; needs a valid form."""
        values = self.cleaned_data
        shown = values["examples"].turns if "examples" in values else ()
        candidate = Candidate(
            key="preview",
            kind="prompt",
            system_prompt=values["system_prompt"] or None,
            template=values["prompt_template"] or None,
            examples=tuple(Message(role=turn["role"], content=turn["content"]) for turn in shown),
        )
        asked = Message(role="user", content=values["sample"] or SAMPLE_PROMPT)
        return conversation(candidate, [asked])


class PromptForm(ShowingForm):
    base = RowField(
        queryset=ModelVersion.objects.none(), name_of=name_of_base, label="Base model", empty_label=None
    )
    label = forms.CharField(max_length=80, label="Label", help_text="For instance “Prompted: plain words”.")

    field_order = (
        "base",
        "label",
        "system_prompt",
        "prompt_template",
        "examples_version",
        "example_rows",
        "sample",
    )

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, project=project, **kwargs)
        row_field(self, "base").queryset = registry.bases_of(project)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if not self.errors and not any(self.words.values()):
            raise forms.ValidationError(
                "Write a system prompt, a template, or choose examples; without any it would be the base"
                " itself."
            )
        return cleaned


class EndpointModelForm(ShowingForm):
    """An API model, unchanged or with other text and examples around the prompt."""

    endpoint = RowField(
        queryset=Endpoint.objects.none(),
        name_of=lambda endpoint: endpoint.name,
        label="Endpoint",
        empty_label=None,
    )
    label = forms.CharField(max_length=80, label="Label", help_text="The candidate’s name.")
    model = forms.CharField(max_length=LONGEST_MODEL, help_text="The endpoint's name for the model.")
    request = forms.JSONField(
        required=False, label="Extra request fields", widget=forms.Textarea(attrs={"rows": 3}),
        help_text="A JSON object, for instance {“reasoning_effort”: “low”}. A field that is null is left "
        "out, "
        "for endpoints that do not take it.",
    )  # fmt: skip

    field_order = (
        "endpoint",
        "label",
        "model",
        "system_prompt",
        "prompt_template",
        "examples_version",
        "example_rows",
        "request",
        "sample",
    )

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, project=project, **kwargs)
        row_field(self, "endpoint").queryset = registry.endpoints_of(project)

    def clean_request(self) -> dict[str, Any]:
        request = self.cleaned_data["request"]
        if request is None:
            return {}
        if not isinstance(request, dict):
            raise forms.ValidationError("Write one JSON object, in braces.")
        return request
