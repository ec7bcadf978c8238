from typing import Any

from django import forms

from evalapp.campaigns.models import Campaign
from evalapp.core.marks import marked
from evalapp.decisions.models import DecisionVerdict
from evalapp.decisions.services import MAX_NOTE
from evalapp.gates.models import GateEvaluation
from evalapp.registry.models import ModelVersion


class CandidateField(forms.ModelChoiceField):  # type: ignore[type-arg]  # not generic at run time
    def label_from_instance(self, obj: Any) -> str:
        return marked(str(obj), obj)


class DecisionForm(forms.Form):
    candidate = CandidateField(ModelVersion.objects.none())
    verdict = forms.ChoiceField(choices=DecisionVerdict.choices, widget=forms.RadioSelect)
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


class SigningForm(forms.Form):
    """Sign a gate's verdict; where it says "ship", the approver may still say no."""

    verdict = forms.ChoiceField(label="Decision", widget=forms.RadioSelect)
    note = forms.CharField(
        required=False,
        max_length=MAX_NOTE,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="Why; it is sealed with the verdict.",
    )

    def __init__(self, data: Any = None, *, evaluation: GateEvaluation) -> None:
        super().__init__(data, initial={"verdict": evaluation.verdict})
        allowed = [
            (value, label)
            for value, label in DecisionVerdict.choices
            if value != DecisionVerdict.SHIP or evaluation.verdict == DecisionVerdict.SHIP
        ]
        self.fields["verdict"].choices = allowed  # type: ignore[attr-defined]
