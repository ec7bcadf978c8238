from typing import Any

from django import forms

from evalapp.accounts.models import Project
from evalapp.core.form_fields import row_field
from evalapp.runs.models import TRAINING_KINDS, Run
from evalapp.scoring.external import LONGEST_NAME, LONGEST_SOURCE
from evalapp.scoring.external_rows import MOST_BYTES
from evalapp.scoring.models import Better


class ExternalMetricForm(forms.Form):
    """A score that is computed elsewhere."""

    name = forms.CharField(max_length=LONGEST_NAME, help_text="Heads a column, with “(external)” behind it.")
    better = forms.ChoiceField(choices=Better.choices, label="Which way is better")
    smallest = forms.FloatField(required=False, help_text="Of its scale; leave empty where there is none.")
    largest = forms.FloatField(required=False, help_text="Likewise.")
    source = forms.CharField(
        max_length=LONGEST_SOURCE,
        required=False,
        label="How it is made",
        help_text="Program, version, options: what somebody needs to compute it again.",
    )


class ScoresForm(forms.Form):
    """A file of scores."""

    run = forms.ModelChoiceField(
        queryset=Run.objects.none(),
        required=False,
        empty_label="Any; the lines name outputs by id",
        label="Outputs of",
        help_text="Needed where lines name item or row, and candidate.",
    )
    item_field = forms.CharField(
        max_length=200,
        required=False,
        label="Metadata field that names an item",
        help_text="Leave empty to use the rows' ids (“item”, “id” or the like).",
    )
    file = forms.FileField(
        label="File", help_text="JSONL or CSV with “value” and “output”, or “item” and “candidate”."
    )

    def __init__(self, *args: Any, project: Project, **options: Any) -> None:
        super().__init__(*args, **options)
        row_field(self, "run").queryset = project.runs.exclude(kind__in=TRAINING_KINDS).order_by("-pk")

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file.size > MOST_BYTES:
            message = (
                f"The file has {file.size:,} bytes; the limit is {MOST_BYTES:,}. Split it: what is stored"
                " stays."
            )
            raise forms.ValidationError(message)
        return file
