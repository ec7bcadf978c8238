"""Where preferences on the same answers differ, by machine: found, read, and adjudicated."""

from typing import Any

from evalapp.accounts.permissions import Permission
from evalapp.adjudication.disagreements import DisputedComparison, disputed_comparisons
from evalapp.adjudication.rights import require_may_read
from evalapp.adjudication.services import adjudicate_comparison
from evalapp.adjudication.side_by_side import comparison_adjudications_about, preferences_beside_each_other
from evalapp.adjudication.subjects import given_by
from evalapp.api.operations import chosen, operation
from evalapp.api.serializers.comparison_adjudications import (
    ComparedSerializer,
    ComparisonAdjudicationBody,
    ComparisonAdjudicationSerializer,
    DisputedComparisonSerializer,
    DisputedQuery,
)
from evalapp.api.views.adjudication import DisputeView
from evalapp.campaigns.models import Comparison
from evalapp.reviews.preferences.answers import PreferenceAnswers


class DisputedComparisonList(DisputeView):
    own: set[int]

    @operation(
        "List disputed comparisons", query=DisputedQuery, result=DisputedComparisonSerializer, paged=True
    )
    def get(self, campaign_id: int) -> object:
        """Comparisons on which preferences differ, the most different first. Empty for a campaign that rates answers."""
        campaign = self.campaign(campaign_id)
        self.own = given_by(self.person, campaign)
        return self.page(disputed_comparisons(campaign).chosen(self.query["state"]))

    def key_of(self, row: DisputedComparison) -> str:
        return str(row.subject_id)


class ComparedDetail(DisputeView):
    @operation("Read what was said of compared answers", result=ComparedSerializer)
    def get(self, campaign_id: int, comparison_id: int) -> object:
        """Every preference turned into one order, that of ``outputs``; and what was decided beside them."""
        comparison = self.comparison(campaign_id, comparison_id)
        campaign = comparison.item.campaign
        require_may_read(person=self.person, campaign=campaign, subject=comparison)
        return {
            "comparison": comparison,
            "preferences": preferences_beside_each_other(campaign, comparison, self.names),
            "adjudication": comparison_adjudications_about([comparison]).get(comparison.pk),
        }


class ComparisonAdjudicationList(DisputeView):
    required_permission = Permission.VIEW_ANALYSIS
    post_permission = Permission.ADJUDICATE

    @operation("List decisions on comparisons", result=ComparisonAdjudicationSerializer, paged=True)
    def get(self, campaign_id: int) -> object:
        """Beside the reviews, never over them; latest first."""
        adjudications = self.campaign(campaign_id).comparison_adjudications.select_related("decided_by")
        return self.page(adjudications.prefetch_related("revisions__decided_by"))

    @operation(
        "Decide a comparison",
        body=ComparisonAdjudicationBody,
        result=ComparisonAdjudicationSerializer,
        status=201,
    )
    def post(self, campaign_id: int) -> object:
        """Or revise a decision (give its ``revision``). Nobody decides on what they judged themselves: 403."""
        campaign = self.campaign(campaign_id)
        values: dict[str, Any] = self.body()
        compared = Comparison.objects.filter(item__campaign=campaign)
        return adjudicate_comparison(
            campaign=campaign,
            comparison=chosen(compared, values["comparison"], "comparison", "comparison with id"),
            preference=PreferenceAnswers(values["choice"], values["ranks"]),
            reason=values["reason"],
            revision=values["revision"],
            by=self.person,
        )
