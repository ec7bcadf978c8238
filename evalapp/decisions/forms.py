from typing import Any

from django import forms

from evalapp.campaigns.models import Campaign
from evalapp.core.form_fields import RowField, choice_field, row_field
from evalapp.decisions.models import Decision, DecisionVerdict
from evalapp.decisions.services import MAX_NOTE
from evalapp.decisions.signing import why_not_released
from evalapp.gates.models import CampaignGate, GateEvaluation, GateVerdict
from evalapp.registry.models import ModelVersion


class DecisionForm(forms.Form):
    """A decision on one of a campaign's candidates; without "release" if a gate binds the campaign.
    ``replaces``: the campaign's newest decision when the form was shown.
    """

    candidate = RowField(ModelVersion.objects.none())
    verdict = forms.ChoiceField(widget=forms.RadioSelect)
    note = forms.CharField(
        required=False,
        max_length=MAX_NOTE,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="The reason; it is stored with the numbers.",
    )
    replaces = forms.IntegerField(required=False, min_value=1, widget=forms.HiddenInput)

    def __init__(
        self, data: Any = None, *, campaign: Campaign, gate: CampaignGate | None, **kwargs: Any
    ) -> None:
        super().__init__(data, **kwargs)
        row_field(self, "candidate").queryset = ModelVersion.objects.filter(
            campaign_entries__campaign=campaign
        )
        verdict = choice_field(self, "verdict")
        verdict.choices = _verdict_choices(may_release=gate is None)
        if gate is not None:
            verdict.error_messages["invalid_choice"] = why_not_released(campaign, gate)


def _verdict_choices(*, may_release: bool) -> list[tuple[str, str]]:
    return [
        choice for choice in DecisionVerdict.choices if may_release or choice[0] != DecisionVerdict.RELEASE
    ]


class SigningForm(forms.Form):
    """Signs a gate's verdict; if it is "release", the approver may still decline. ``replaces``: the current
    decision on the evaluation when the form was shown.
    """

    verdict = forms.ChoiceField(label="Decision", widget=forms.RadioSelect)
    note = forms.CharField(
        required=False,
        max_length=MAX_NOTE,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="The reason; it is sealed with the verdict.",
    )
    replaces = forms.IntegerField(required=False, min_value=1, widget=forms.HiddenInput)

    def __init__(
        self, data: Any = None, *, evaluation: GateEvaluation, standing: Decision | None = None
    ) -> None:
        replaces = standing.pk if standing is not None else None
        super().__init__(data, initial={"verdict": evaluation.verdict, "replaces": replaces})
        may_release = evaluation.verdict == GateVerdict.RELEASE
        choice_field(self, "verdict").choices = _verdict_choices(may_release=may_release)
