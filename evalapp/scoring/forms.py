"""Forms of external metrics and their files, and one for each kind of rule check (``params``: its stored
settings).
"""

from typing import Any, ClassVar

from django import forms

from evalapp.accounts.models import Project
from evalapp.core.form_fields import row_field
from evalapp.imports.pages import ImportFileField
from evalapp.runs.models import TRAINING_KINDS, Run
from evalapp.scoring.external import LONGEST_NAME, LONGEST_SOURCE
from evalapp.scoring.external_rows import MOST_BYTES
from evalapp.scoring.models import Better, RuleCheck


class RuleForm(forms.Form):
    """Fields of all kinds; subclasses add their own."""

    title: ClassVar[str] = ""
    explanation: ClassVar[str] = ""
    name = forms.CharField(
        max_length=80, help_text="The column’s name in the results, such as “plain words”."
    )

    def params(self) -> dict[str, Any]:
        return {key: value for key, value in self.cleaned_data.items() if key != "name" and value is not None}

    @classmethod
    def initial_of(cls, rule_check: RuleCheck) -> dict[str, Any]:
        return {"name": rule_check.name, **rule_check.params}


class PhrasesForm(RuleForm):
    texts = forms.CharField(
        label="Phrases", widget=forms.Textarea(attrs={"rows": 6}), help_text="One per line."
    )
    ignore_case = forms.BooleanField(required=False, initial=True, label="Ignore case")
    whole_words = forms.BooleanField(required=False, initial=True, label="Whole words only")

    def clean_texts(self) -> list[str]:
        return [line.strip() for line in self.cleaned_data["texts"].splitlines() if line.strip()]

    @classmethod
    def initial_of(cls, rule_check: RuleCheck) -> dict[str, Any]:
        initial = super().initial_of(rule_check)
        return {**initial, "texts": "\n".join(initial.get("texts", []))}


class ContainsForm(PhrasesForm):
    title = "Contains"
    explanation = "Passed when the output contains at least one of the phrases."


class MustNotContainForm(PhrasesForm):
    title = "Must not contain"
    explanation = "Passed when the output contains none of the phrases."


class PatternForm(RuleForm):
    title = "Pattern"
    explanation = "Passed when a regular expression (RE2's syntax) matches, or when it does not."
    pattern = forms.CharField(strip=False, help_text=r"For instance: next step(:| is to) \w+")
    must_match = forms.BooleanField(required=False, initial=True, label="Output must match")
    ignore_case = forms.BooleanField(required=False, initial=True, label="Ignore case")


class LengthForm(RuleForm):
    title = "Length"
    explanation = "Passed when the output's length is in the range, including both ends."
    minimum = forms.IntegerField(required=False, min_value=0)
    maximum = forms.IntegerField(required=False, min_value=0)
    unit = forms.ChoiceField(choices=[("words", "Words"), ("characters", "Characters")])


class MentionsFieldForm(RuleForm):
    title = "Must mention a field"
    explanation = (
        "Passed when the output names the value of a field of its example. Not checked without the field."
    )
    field = forms.CharField(help_text="A field of the examples' metadata, such as goal.")


class NoUnsupportedNumbersForm(RuleForm):
    title = "No unsupported numbers"
    explanation = (
        "Passed when every number and date of the output occurs in the prompt, the context or the fields."
    )


FORMS: dict[str, type[RuleForm]] = {
    "contains": ContainsForm,
    "must_not_contain": MustNotContainForm,
    "pattern": PatternForm,
    "length": LengthForm,
    "mentions_field": MentionsFieldForm,
    "no_unsupported_numbers": NoUnsupportedNumbersForm,
}


class ExternalMetricForm(forms.Form):
    """A score that another program computes."""

    name = forms.CharField(
        max_length=LONGEST_NAME, help_text="The column’s name in the results, followed by “(external)”."
    )
    better = forms.ChoiceField(choices=Better.choices, label="Better direction")
    smallest = forms.FloatField(required=False, help_text="Lower end of the scale, if any.")
    largest = forms.FloatField(required=False, help_text="Upper end of the scale, if any.")
    source = forms.CharField(
        max_length=LONGEST_SOURCE,
        required=False,
        label="Source",
        help_text="Program, version and options, to compute it again.",
    )


class ScoresForm(forms.Form):
    """A file of scores."""

    run = forms.ModelChoiceField(
        queryset=Run.objects.none(),
        required=False,
        empty_label="Any; the lines name outputs by id",
        label="Outputs of",
        help_text="Needed if lines use item or row.",
    )
    item_field = forms.CharField(
        max_length=200,
        required=False,
        label="Metadata field with the item’s id",
        help_text="Leave empty to use the rows' ids (“item”, “id” or the like).",
    )
    file = ImportFileField(
        most_bytes=MOST_BYTES,
        help_text="JSONL or CSV with “value” and “output”, or “item” and “candidate”; or with “item” and a "
        "column for each candidate.",
    )

    def __init__(self, *args: Any, project: Project, **options: Any) -> None:
        super().__init__(*args, **options)
        row_field(self, "run").queryset = project.runs.exclude(kind__in=TRAINING_KINDS).order_by("-pk")
