"""Pairwise results, the preferences behind them, and where preferences differ."""

from typing import Any

from rest_framework import serializers

from evalapp.accounts.permissions import Permission
from evalapp.analysis.api.shared import SCORE_SOURCES, AnalysisView, RankSerializer, ReviewerTypeQuery
from evalapp.analysis.models import ScoreSource
from evalapp.analysis.pairwise.differing_preferences import with_lines
from evalapp.analysis.pairwise.pair_lists import as_lines
from evalapp.analysis.pairwise.pairs import PreferenceRow, Preferences, load_preferences, pair_results
from evalapp.api.fields import MeasureSerializer, Paging
from evalapp.api.operations import operation, route
from evalapp.campaigns.queries import is_reviewing_blind
from evalapp.reviews.preferences.distance import DifferingPreferences, differing_preferences


class PreferenceQuery(Paging, ReviewerTypeQuery):
    """Whose preferences, page by page."""


class GivenPreferenceSerializer(serializers.Serializer[Any]):
    """``shown`` lists the campaign's candidates in the order on the screen, A first; ``reviewer`` is the
    number of a pseudonym.
    """

    id = serializers.IntegerField(source="review.pk")
    item = serializers.IntegerField(source="review.comparison.item_id")
    reviewer = serializers.IntegerField()
    shown = serializers.SerializerMethodField()
    choice = serializers.CharField(source="review.preference.choice", allow_blank=True)
    ranks = serializers.ListField(
        source="review.preference.ranks", child=serializers.IntegerField(), allow_null=True
    )
    comment = serializers.CharField(source="review.comment", allow_blank=True)
    seconds_active = serializers.FloatField(source="review.seconds_active")
    revision = serializers.IntegerField(source="review.revision")
    submitted_at = serializers.DateTimeField(source="review.submitted_at")
    is_simulated = serializers.BooleanField(source="review.is_simulated")

    def get_shown(self, line: Any) -> list[int]:
        return [candidate.pk for candidate in line.shown]


class PairResultsQuery(ReviewerTypeQuery):
    score_source = serializers.ChoiceField(
        choices=SCORE_SOURCES,
        required=False,
        default="original",
        help_text="“adjudicated” replaces preferences that differ by adjudicated preferences.",
    )


class DifferingPreferencesSerializer(serializers.Serializer[Any]):
    """``farthest`` and ``mean`` are distances between two preferences, from 0 (the same) to 1 (opposite)."""

    comparison = serializers.IntegerField(source="differing.comparison_id")
    farthest = serializers.FloatField(source="differing.farthest")
    mean = serializers.FloatField(source="differing.mean")
    reviews = GivenPreferenceSerializer(source="lines", many=True)


class PairSerializer(serializers.Serializer[Any]):
    """``share`` is the share of wins of ``first``; ties count half, "both bad" is left out."""

    first = serializers.IntegerField(source="first.pk")
    second = serializers.IntegerField(source="second.pk")
    wins = serializers.IntegerField()
    losses = serializers.IntegerField()
    ties = serializers.IntegerField()
    both_bad = serializers.IntegerField()
    share = MeasureSerializer()
    both_bad_share = MeasureSerializer(source="bad_share")


class StrengthSerializer(serializers.Serializer[Any]):
    candidate = serializers.IntegerField(source="candidate.pk")
    label = serializers.CharField(source="candidate.model_version.label")
    strength = MeasureSerializer(
        help_text="Bradley–Terry strength, natural logarithm; 0 is an average candidate."
    )
    rank = RankSerializer(
        allow_null=True, help_text="Rank by strength; null with fewer than three candidates."
    )
    mean_rank = MeasureSerializer(allow_null=True)
    best = serializers.IntegerField(help_text="How often it alone was ranked first.")


class PairResultsSerializer(serializers.Serializer[Any]):
    """``first_side`` is the share of preferences that chose the answer shown first. ``is_reviewing``: you
    still review this campaign blind; its results would unblind you.
    """

    campaign = serializers.IntegerField()
    reviewer_type = serializers.CharField()
    score_source = serializers.ChoiceField(choices=SCORE_SOURCES)
    is_reviewing = serializers.BooleanField()
    method = serializers.CharField()
    preferences = serializers.IntegerField()
    items = serializers.IntegerField()
    reviewers = serializers.IntegerField()
    pairs = PairSerializer(many=True)
    strengths = StrengthSerializer(many=True)
    first_side = MeasureSerializer()
    alpha = MeasureSerializer(
        help_text="Krippendorff's alpha of preferences, each counted in both orientations; n counts items."
    )
    agreement = MeasureSerializer(
        help_text=(
            "Share of agreeing pairs among all pairs of preferences on the same two answers; n counts items."
        )
    )
    adjudicated = serializers.IntegerField(
        help_text=(
            "Number of adjudicated comparisons; first_side, alpha and agreement use the reviewers' own"
            " preferences."
        )
    )


class PairsView(AnalysisView):
    def preferences(self, campaign_id: int) -> Preferences:
        campaign = self.campaign(campaign_id)
        return load_preferences(campaign, reviewer_type=self.reviewer_type())


@route("campaigns/<int:campaign_id>/pairs/", "api_pair_results")
class PairResultsDetail(PairsView):
    required_permission = Permission.VIEW_ANALYSIS

    @operation("Read the pairwise results", query=PairResultsQuery, result=PairResultsSerializer)
    def get(self, campaign_id: int) -> object:
        """For a campaign that compares answers: win rates, strengths and the position effect. Empty for a
        campaign in which answers are rated.
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


@route("campaigns/<int:campaign_id>/preferences/", "api_preferences")
class PreferenceList(PairsView):
    required_permission = Permission.VIEW_ANALYSIS

    @operation(
        "List a campaign's preferences", query=PreferenceQuery, result=GivenPreferenceSerializer, paged=True
    )
    def get(self, campaign_id: int) -> object:
        """In order of submission; reviewers are pseudonyms."""
        preferences = self.preferences(campaign_id)
        return self.page(preferences.rows, dress=lambda rows: as_lines(preferences, rows))

    def key_of(self, row: PreferenceRow) -> str:
        return str(row.pk)


@route("campaigns/<int:campaign_id>/preferences/differing/", "api_differing_preferences")
class DifferingPreferencesList(PairsView):
    required_permission = Permission.VIEW_ANALYSIS

    @operation(
        "List where preferences differ",
        query=PreferenceQuery,
        result=DifferingPreferencesSerializer,
        paged=True,
    )
    def get(self, campaign_id: int) -> object:
        """Comparisons on which preferences differ, most different first. Empty for a campaign in which
        answers are rated.
        """
        preferences = self.preferences(campaign_id)
        return self.page(
            differing_preferences(preferences.rows), dress=lambda rows: with_lines(preferences, list(rows))
        )

    def key_of(self, row: DifferingPreferences[PreferenceRow]) -> str:
        return str(row.comparison_id)
