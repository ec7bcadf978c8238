from typing import Any

from django import forms

from evalapp.accounts.models import Project
from evalapp.core.form_fields import RowField, row_field
from evalapp.core.outgoing_fields import key_field, url_field
from evalapp.llm_judges.queries import askable_criteria
from evalapp.llm_judges.questions import LONGEST_PROMPT
from evalapp.llm_judges.services import LONGEST_MODEL, LONGEST_VERSION
from evalapp.rubrics.models import Criterion


def _name_of(criterion: Criterion) -> str:
    return f"{criterion.name} ({criterion.version})"


_KEY_HELP = "Stored encrypted and never shown again. Leave empty if the endpoint needs none."


class JudgeForm(forms.Form):
    """A criterion that a model scores."""

    name = forms.CharField(max_length=60)
    criterion = RowField(
        queryset=Criterion.objects.none(),
        empty_label=None,
        help_text="Of rubric versions that are in use.",
        name_of=_name_of,
    )
    url = url_field("An OpenAI-compatible one, such as https://models.example.org/v1")
    model = forms.CharField(max_length=LONGEST_MODEL, help_text="The endpoint’s name for the model.")
    model_version = forms.CharField(
        max_length=LONGEST_VERSION,
        required=False,
        help_text="Distinguishes it from a later model of the same name.",
    )
    temperature = forms.FloatField(min_value=0, max_value=2, initial=0)
    secret = key_field(_KEY_HELP)
    prompt = forms.CharField(
        required=False,
        strip=False,
        max_length=LONGEST_PROMPT + 2_000,
        widget=forms.Textarea(attrs={"rows": 8}),
        help_text=(
            "Leave empty for the criterion’s own words and levels. {prompt}, {context}, {reference} and "
            "{answer} stand for the texts."
        ),
    )

    def __init__(self, *args: Any, project: Project, **options: Any) -> None:
        super().__init__(*args, **options)
        row_field(self, "criterion").queryset = askable_criteria(project)


class KeyForm(forms.Form):
    secret = key_field(_KEY_HELP)
