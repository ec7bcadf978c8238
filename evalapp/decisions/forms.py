from typing import Any

from django import forms

from evalapp.campaigns.models import Campaign
from evalapp.core.marks import marked
from evalapp.decisions.models import Verdict
from evalapp.decisions.services import MAX_NOTE
from evalapp.registry.models import ModelVersion


class CandidateField(forms.ModelChoiceField):  # type: ignore[type-arg]  # not generic at run time
    def label_from_instance(self, obj: Any) -> str:
        return marked(str(obj), obj)


class DecisionForm(forms.Form):
    candidate = CandidateField(ModelVersion.objects.none())
    verdict = forms.ChoiceField(choices=Verdict.choices, widget=forms.RadioSelect)
    note = forms.CharField(
        required=False,
        max_length=MAX_NOTE,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="Why; it is kept with the numbers.",
    )

    def __init__(self, *args: Any, campaign: Campaign, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["candidate"]
        assert isinstance(field, forms.ModelChoiceField)  # noqa: S101 - narrows the type
        field.queryset = ModelVersion.objects.filter(campaign_entries__campaign=campaign)
