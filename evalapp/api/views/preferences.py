"""Campaigns that compare answers, by machine: what came out of them."""

from evalapp.accounts.permissions import Permission
from evalapp.analysis.api.shared import AnalysisView
from evalapp.analysis.differing_preferences import differing_preferences, with_lines
from evalapp.analysis.models import ScoreSource
from evalapp.analysis.pair_lists import as_lines
from evalapp.analysis.pairs import PreferenceRow, Preferences, load_preferences, pair_results
from evalapp.api.operations import operation
from evalapp.api.serializers.preferences import (
    DifferingPreferencesSerializer,
    GivenPreferenceSerializer,
    PairResultsQuery,
    PairResultsSerializer,
    PreferenceQuery,
)
from evalapp.campaigns.queries import is_reviewing_blind
from evalapp.reviews.preferences.distance import Apart


class PairsView(AnalysisView):
    def preferences(self, campaign_id: int) -> Preferences:
        campaign = self.campaign(campaign_id)
        return load_preferences(campaign, reviewer_type=self.reviewer_type())


class PairResultsDetail(PairsView):
    required_permission = Permission.VIEW_ANALYSIS

    @operation("Read who is preferred to whom", query=PairResultsQuery, result=PairResultsSerializer)
    def get(self, campaign_id: int) -> object:
        """Of a campaign that compares answers: shares of wins, strengths, the effect of standing first. Empty
        for one that rates them one by one.
        """
        preferences = self.preferences(campaign_id)
        results = pair_results(preferences, score_source=ScoreSource(self.query["score_source"]))
        return {
            "campaign": campaign_id,
            "reviewer_type": self.reviewer_type(),
            "score_source": results.score_source,
            "is_reviewing": is_reviewing_blind(preferences.campaign, self.person),
            "method": preferences.campaign.method,
            "preferences": len(preferences.rows),
            "items": results.items,
            "reviewers": results.reviewers,
            "pairs": results.pairs,
            "strengths": results.strengths,
            "first_side": results.first_side,
            "alpha": results.alpha,
            "agreement": results.exact,
            "adjudicated": results.adjudicated,
        }


class PreferenceList(PairsView):
    required_permission = Permission.VIEW_ANALYSIS

    @operation(
        "List a campaign's preferences", query=PreferenceQuery, result=GivenPreferenceSerializer, paged=True
    )
    def get(self, campaign_id: int) -> object:
        """In the order in which they were given; reviewers are pseudonyms."""
        preferences = self.preferences(campaign_id)
        return self.page(preferences.rows, dress=lambda rows: as_lines(preferences, rows))

    def key_of(self, row: PreferenceRow) -> str:
        return str(row.pk)


class DifferingPreferencesList(PairsView):
    required_permission = Permission.VIEW_ANALYSIS

    @operation(
        "List where preferences differ",
        query=PreferenceQuery,
        result=DifferingPreferencesSerializer,
        paged=True,
    )
    def get(self, campaign_id: int) -> object:
        """Comparisons with different preferences, the most different first. Empty for a campaign that rates answers."""
        preferences = self.preferences(campaign_id)
        return self.page(
            differing_preferences(preferences), dress=lambda rows: with_lines(preferences, list(rows))
        )

    def key_of(self, row: Apart[PreferenceRow]) -> str:
        return str(row.comparison_id)
