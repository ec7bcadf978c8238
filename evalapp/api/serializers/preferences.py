"""Preferences as those who evaluate see them."""

from typing import Any

from rest_framework import serializers

from evalapp.analysis.api.shared import SCORE_SOURCES, ReviewerTypeQuery
from evalapp.api.fields import Body, Flag, List, MeasureSerializer, Paging, Shown, Text, Whole
from evalapp.reviews.preferences.gold import OUTCOMES
from evalapp.reviews.preferences.models import GoldPreference


class PreferenceQuery(Paging, ReviewerTypeQuery):
    """Whose preferences, page by page."""


class GivenPreferenceSerializer(serializers.Serializer[Any]):
    """``shown`` are the campaign's candidates as they stood on the screen, A first; ``reviewer`` is a
    pseudonym's number.
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
        help_text="“adjudicated”: what was decided stands in place of the preferences that differ.",
    )


class DifferingPreferencesSerializer(serializers.Serializer[Any]):
    """``farthest`` and ``mean``: distances of two preferences, from 0 (the same) to 1 (the opposite preference)."""

    comparison = serializers.IntegerField(source="apart.comparison_id")
    farthest = serializers.FloatField(source="apart.farthest")
    mean = serializers.FloatField(source="apart.mean")
    reviews = GivenPreferenceSerializer(source="lines", many=True)


class PairSerializer(serializers.Serializer[Any]):
    """``share``: of wins of ``first``, a tie counting half, "both bad" left out."""

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
    strength = MeasureSerializer(help_text="Bradley–Terry, natural logarithm; 0 is an average candidate.")
    mean_rank = MeasureSerializer(allow_null=True)
    best = serializers.IntegerField(help_text="How often it was put first alone.")


class PairResultsSerializer(serializers.Serializer[Any]):
    """``first_side``: of the preferences for one of two answers, the share for the one that stood first.
    ``is_reviewing``: I still review here blind, and should not look.
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
        help_text="Krippendorff's alpha of preferences counted in both orientations; n counts items."
    )
    agreement = MeasureSerializer(
        help_text="Of every two preferences on the same two answers, the share that says the same; n counts items."
    )
    adjudicated = serializers.IntegerField(
        help_text="How many comparisons are decided on; first_side, alpha and agreement are of what reviewers gave."
    )


class GoldPreferenceBody(Body):
    """Of a ranking only ``row`` and ``candidate``, the best of all."""

    row = Whole(min_value=1, help_text="The row's number in the dataset version.")
    candidate = Text(max_length=200, help_text="A candidate's label.")
    against = Text(max_length=200, allow_blank=True, default="", help_text="The other's label.")
    outcome = serializers.ChoiceField(
        choices=OUTCOMES,
        allow_blank=True,
        default="",
        help_text="How the candidate's answer does against the other's.",
    )
    tie_counts = Flag(default=False, help_text="Where one is better: whether a tie is right, too.")


class GoldPreferencesBody(Body):
    preferences = List(child=GoldPreferenceBody(), min_length=1, max_length=1_000)


class GoldPreferenceSerializer(Shown):
    """``against`` is empty for a ranking, of which the best candidate is known."""

    row = serializers.IntegerField(source="example.row_number")
    candidate = serializers.CharField(source="candidate.label")
    against = serializers.CharField(source="against.label", default="")
    tie_counts = serializers.BooleanField(source="admits_tie")

    class Meta:
        model = GoldPreference
        fields = ("id", "row", "candidate", "against", "outcome", "tie_counts")
