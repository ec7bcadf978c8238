"""Comparisons as a reviewer sees them, and judgements as those who evaluate do. The first kind names no
candidate of a blind campaign, no output, no run and no peer.
"""

from typing import Any

from rest_framework import serializers

from evalapp.analysis.api.shared import SCORE_SOURCES, ReviewerTypeQuery
from evalapp.api.fields import Body, Fields, Flag, List, MeasureSerializer, Number, Paging, Shown, Text, Whole
from evalapp.api.serializers.reviews import NoWorkSerializer, ReviewProgressSerializer
from evalapp.datasets.api import MessageSerializer
from evalapp.judgements.gold import OUTCOMES
from evalapp.judgements.models import Choice, GoldVerdict
from evalapp.reviews.answers import MOST_SECONDS

VERDICT_HELP = (
    '{"choice": "a", "b", "tie" or "both_bad", "comment": text} for two answers; {"ranks": [rank of each answer '
    'in the order shown, 1 for the best], "comment": text} for more'
)


class PreferenceSerializer(serializers.Serializer[Any]):
    """``choice``: of two answers, A the first; empty for a ranking. ``ranks``: of each answer in the order
    shown, 1 for the best; null for two.
    """

    choice = serializers.ChoiceField(choices=Choice.choices, allow_blank=True)
    ranks = serializers.ListField(child=serializers.IntegerField(allow_null=True), allow_null=True)
    comment = serializers.CharField(allow_blank=True)


class ShownAnswerSerializer(serializers.Serializer[Any]):
    """``candidate`` is empty where the campaign is blind."""

    letter = serializers.CharField()
    answer = serializers.CharField(source="text", allow_blank=True)
    candidate = serializers.CharField(source="candidate_label", allow_blank=True)


class PreferenceDraftSerializer(serializers.Serializer[Any]):
    revision = serializers.IntegerField()
    saved_at = serializers.DateTimeField()
    answers = PreferenceSerializer()


class ComparisonTaskSerializer(serializers.Serializer[Any]):
    """A comparison to judge. ``assignment`` and ``slot`` are its URL; ``revision`` is that of my judgement of
    it, 0 before the first.
    """

    assignment = serializers.UUIDField()
    slot = serializers.IntegerField()
    messages = MessageSerializer(many=True)
    context = serializers.CharField(allow_blank=True)
    reference = serializers.CharField(allow_blank=True)
    shown = ShownAnswerSerializer(many=True)
    draft = PreferenceDraftSerializer(allow_null=True)
    revision = serializers.IntegerField()
    answers = PreferenceSerializer(allow_null=True)


class NextComparisonSerializer(serializers.Serializer[Any]):
    """Either a comparison, or why there is none."""

    task = ComparisonTaskSerializer(allow_null=True)
    no_work = NoWorkSerializer(allow_null=True)
    progress = ReviewProgressSerializer()


class MyJudgementSerializer(serializers.Serializer[Any]):
    """My judgement. ``is_replay``: this submission had been stored before; nothing was written now."""

    campaign = serializers.UUIDField()
    assignment = serializers.UUIDField()
    slot = serializers.IntegerField()
    client_id = serializers.UUIDField()
    revision = serializers.IntegerField()
    submitted_at = serializers.DateTimeField()
    revised_at = serializers.DateTimeField(allow_null=True)
    answers = PreferenceSerializer()
    is_replay = serializers.BooleanField()


class JudgementBody(Body):
    client_id = Text(max_length=64, help_text="A UUID of yours, the same for every repetition.")
    answers = Fields(help_text=VERDICT_HELP)
    seconds_active = Number(min_value=0, max_value=MOST_SECONDS, default=0.0)


class JudgementAmendmentBody(Body):
    answers = Fields(help_text=VERDICT_HELP)
    revision = Whole(min_value=1, help_text="The revision that the change is based on.")


class VerdictDraftBody(Body):
    answers = Fields(help_text=VERDICT_HELP)
    seconds_active = Number(min_value=0, max_value=MOST_SECONDS, default=0.0)
    revision = Whole(default=0, help_text="The draft it grew from; 0: none.")


class JudgementQuery(Paging, ReviewerTypeQuery):
    """Whose judgements, page by page."""


class JudgementSerializer(serializers.Serializer[Any]):
    """``shown`` are the campaign's candidates as they stood on the screen, A first; ``reviewer`` is a
    pseudonym's number.
    """

    id = serializers.IntegerField(source="judgement.pk")
    item = serializers.IntegerField(source="judgement.comparison.item_id")
    reviewer = serializers.IntegerField()
    shown = serializers.SerializerMethodField()
    choice = serializers.CharField(source="judgement.choice", allow_blank=True)
    ranks = serializers.ListField(source="judgement.ranks", child=serializers.IntegerField(), allow_null=True)
    comment = serializers.CharField(source="judgement.comment", allow_blank=True)
    seconds_active = serializers.FloatField(source="judgement.seconds_active")
    revision = serializers.IntegerField(source="judgement.revision")
    submitted_at = serializers.DateTimeField(source="judgement.submitted_at")
    is_simulated = serializers.BooleanField(source="judgement.is_simulated")

    def get_shown(self, line: Any) -> list[int]:
        return [candidate.pk for candidate in line.shown]


class PairResultsQuery(ReviewerTypeQuery):
    score_source = serializers.ChoiceField(
        choices=SCORE_SOURCES,
        required=False,
        default="original",
        help_text="“adjudicated”: what was decided stands in place of the verdicts that differ.",
    )


class VerdictsApartSerializer(serializers.Serializer[Any]):
    """``farthest`` and ``mean``: distances of two verdicts, from 0 (the same) to 1 (the opposite preference)."""

    comparison = serializers.IntegerField(source="apart.comparison_id")
    farthest = serializers.FloatField(source="apart.farthest")
    mean = serializers.FloatField(source="apart.mean")
    judgements = JudgementSerializer(source="lines", many=True)


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
    """``first_side``: of the verdicts for one of two answers, the share for the one that stood first.
    ``is_reviewing``: I still review here blind, and should not look.
    """

    campaign = serializers.IntegerField()
    reviewer_type = serializers.CharField()
    score_source = serializers.ChoiceField(choices=SCORE_SOURCES)
    is_reviewing = serializers.BooleanField()
    method = serializers.CharField()
    judgements = serializers.IntegerField()
    items = serializers.IntegerField()
    reviewers = serializers.IntegerField()
    pairs = PairSerializer(many=True)
    strengths = StrengthSerializer(many=True)
    first_side = MeasureSerializer()
    alpha = MeasureSerializer(
        help_text="Krippendorff's alpha of verdicts counted in both orientations; n counts items."
    )
    agreement = MeasureSerializer(
        help_text="Of every two verdicts on the same two answers, the share that says the same; n counts items."
    )
    adjudicated = serializers.IntegerField(
        help_text="How many comparisons are decided on; first_side, alpha and agreement are of what reviewers gave."
    )


class GoldVerdictBody(Body):
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


class GoldVerdictsBody(Body):
    verdicts = List(child=GoldVerdictBody(), min_length=1, max_length=1_000)


class GoldVerdictSerializer(Shown):
    """``against`` is empty for a ranking, of which the best candidate is known."""

    row = serializers.IntegerField(source="example.row_number")
    candidate = serializers.CharField(source="candidate.label")
    against = serializers.CharField(source="against.label", default="")
    tie_counts = serializers.BooleanField(source="admits_tie")

    class Meta:
        model = GoldVerdict
        fields = ("id", "row", "candidate", "against", "outcome", "tie_counts")
