from typing import Any

from django import forms

from evalapp.accounts.models import Project
from evalapp.campaigns.models import Campaign, CampaignState
from evalapp.core.form_fields import RowField, row_field
from evalapp.exports.models import RowDecision
from evalapp.exports.selection import SelectionRules
from evalapp.exports.services import EMPTY_ANSWER, EXPORTABLE_SPLITS


class ProposedRowsForm(forms.Form):
    """The campaign whose feedback becomes training rows, and the selection rules."""

    campaign = RowField(
        Campaign.objects.none(),
        help_text=(
            "Campaigns over the feedback or training split. A test split is held out and never exported."
        ),
    )
    name = forms.CharField(
        max_length=120, required=False, help_text="Leave empty to use the campaign’s name."
    )
    answer_floor = forms.FloatField(
        label="Minimum mean score",
        initial=SelectionRules.answer_floor,
        min_value=1,
        max_value=5,
        help_text=(
            "For an output to become a training answer, on a scale of 1 to 5. A correction always comes"
            " first."
        ),
    )
    pair_gap = forms.FloatField(
        label="Minimum gap of a preference pair",
        initial=SelectionRules.pair_gap,
        min_value=0.01,
        max_value=4,
        help_text="Between the means of two outputs to the same prompt.",
    )

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = row_field(self, "campaign")
        field.queryset = (
            project.campaigns.filter(split__in=EXPORTABLE_SPLITS)
            .exclude(state=CampaignState.DRAFT)
            .order_by("-id")
        )
        offered = list(field.queryset[:2])
        if len(offered) == 1 and not self.initial.get("campaign"):
            self.initial["campaign"] = offered[0].pk

    def rules(self) -> SelectionRules:
        return SelectionRules(
            answer_floor=self.cleaned_data["answer_floor"], pair_gap=self.cleaned_data["pair_gap"]
        )


class RowForm(forms.Form):
    decision = forms.ChoiceField(choices=list(RowDecision.choices))
    text = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 10}),
        label="Answer",
        strip=False,
        error_messages={"required": EMPTY_ANSWER},
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # A person who rejects the row may have cleared the text first.
        self.fields["text"].required = not self.is_bound or self.data.get("decision") == RowDecision.EDITED


class FinishForm(forms.Form):
    keeps_training_rows = forms.BooleanField(
        required=False,
        label="Keep the training rows of the version that was reviewed",
        help_text=(
            "Otherwise the new version trains on the feedback alone, for instance to continue an adapter."
        ),
    )
    note = forms.CharField(required=False, max_length=500, label="Note on the new version")
