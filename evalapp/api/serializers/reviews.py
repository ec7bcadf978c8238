"""What a reviewer sees. Nothing here names a candidate of a blind campaign, an output, a run or a peer."""

from typing import Any

from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema_field
from rest_framework import serializers

from evalapp.api.fields import Body, Fields, Number, Text, Whole
from evalapp.campaigns.allocation import NoWorkReason
from evalapp.campaigns.models import CampaignState, Method
from evalapp.datasets.api import MessageSerializer
from evalapp.reviews.answers import LONGEST_SKIP_REASON, MOST_SECONDS
from evalapp.reviews.flags import LONGEST_NOTE
from evalapp.reviews.preferences.models import Choice
from evalapp.rubrics.api import CriterionSerializer


class ReviewProgressSerializer(serializers.Serializer[Any]):
    mine = serializers.IntegerField()
    mine_total = serializers.IntegerField(
        help_text="The most that I can review: nobody gets an item twice. Where nothing is left: mine."
    )
    done = serializers.IntegerField(help_text="Reviews of everyone.")
    total = serializers.IntegerField()
    median_seconds = serializers.FloatField(allow_null=True, help_text="Of my latest 30.")


class SeatSerializer(serializers.Serializer[Any]):
    """A campaign in which I review."""

    campaign = serializers.UUIDField(source="campaign.key")
    name = serializers.CharField(source="campaign.name")
    project = serializers.CharField(source="campaign.project.name")
    method = serializers.ChoiceField(
        source="campaign.method",
        choices=Method.choices,
        help_text="Pointwise: each answer is rated. Else answers are compared, two by two or in a ranking.",
    )
    state = serializers.ChoiceField(source="campaign.state", choices=CampaignState.choices)
    deadline = serializers.DateTimeField(source="campaign.deadline", allow_null=True)
    progress = ReviewProgressSerializer(source="shown_progress")


class SeatDetailSerializer(SeatSerializer):
    instructions = serializers.CharField(source="campaign.instructions", allow_blank=True)
    rubric_instructions = serializers.CharField(
        source="campaign.rubric_version.instructions", allow_blank=True
    )
    allows_corrections = serializers.BooleanField(source="campaign.allows_corrections")
    criteria = CriterionSerializer(many=True)


class SpanSerializer(serializers.Serializer[Any]):
    """A marked stretch. ``label`` counts the criterion's options from 1; ``start`` and ``end`` (behind the last)
    count Unicode code points of the task's ``answer``.
    """

    label = serializers.IntegerField()
    start = serializers.IntegerField()
    end = serializers.IntegerField()
    comment = serializers.CharField(allow_blank=True)


class AnswersSerializer(serializers.Serializer[Any]):
    """``scores``: criterion → level (yes/no: 1/0; of a category the option's place, from 1) or "na".
    ``tags``: criterion → its reasons. ``texts``: text criterion → what was written. ``spans``: span criterion →
    what was marked; "na" among the scores: nothing to mark.
    """

    scores = serializers.DictField()
    texts = serializers.DictField(child=serializers.CharField(), default=dict)
    spans = serializers.DictField(child=serializers.ListField(child=SpanSerializer()), default=dict)
    tags = serializers.DictField(child=serializers.ListField(child=serializers.CharField()))
    comment = serializers.CharField(allow_blank=True)
    correction = serializers.CharField(allow_null=True)


class PreferenceSerializer(serializers.Serializer[Any]):
    """``choice``: of two answers, A the first; empty for a ranking. ``ranks``: of each answer in the order
    shown, 1 for the best; null for two.
    """

    choice = serializers.ChoiceField(choices=Choice.choices, allow_blank=True)
    ranks = serializers.ListField(child=serializers.IntegerField(allow_null=True), allow_null=True)
    comment = serializers.CharField(allow_blank=True)


@extend_schema_field(
    PolymorphicProxySerializer(
        component_name="ReviewAnswers",
        serializers=[AnswersSerializer, PreferenceSerializer],
        resource_type_field_name=None,
    )
)
class AnswersField(serializers.Field[Any, Any, Any, Any]):
    """The answers of a review, by the kind of its campaign's reviews."""

    def to_representation(self, value: Any) -> Any:
        shape = PreferenceSerializer if "choice" in value else AnswersSerializer
        return dict(shape(value).data)


class DraftSerializer(serializers.Serializer[Any]):
    revision = serializers.IntegerField()
    saved_at = serializers.DateTimeField()
    answers = AnswersField()


class ShownAnswerSerializer(serializers.Serializer[Any]):
    """``candidate`` is empty where the campaign is blind."""

    letter = serializers.CharField()
    answer = serializers.CharField(allow_blank=True)
    candidate = serializers.CharField(allow_blank=True)


class TaskSerializer(serializers.Serializer[Any]):
    """What to review: one answer to rate, or those to compare. ``assignment`` and ``slot`` are its URL;
    ``revision`` is that of my review of it, 0 before the first.
    """

    assignment = serializers.UUIDField()
    slot = serializers.IntegerField()
    messages = MessageSerializer(many=True)
    context = serializers.CharField(allow_blank=True)
    reference = serializers.CharField(allow_blank=True)
    shown = ShownAnswerSerializer(many=True, help_text="The answers as they stand, A first.")
    draft = DraftSerializer(allow_null=True)
    revision = serializers.IntegerField()
    answers = AnswersField(allow_null=True)


class NoWorkSerializer(serializers.Serializer[Any]):
    reason = serializers.ChoiceField(choices=[reason.value for reason in NoWorkReason])
    text = serializers.CharField()
    come_back_at = serializers.DateTimeField(allow_null=True)
    closing_question = serializers.BooleanField(help_text="The closing question waits for me.")


class NextSerializer(serializers.Serializer[Any]):
    """Either a task, or why there is none."""

    task = TaskSerializer(allow_null=True)
    no_work = NoWorkSerializer(allow_null=True)
    progress = ReviewProgressSerializer()


class ReviewSerializer(serializers.Serializer[Any]):
    """My review. ``is_replay``: this submission had been stored before; nothing was written now."""

    campaign = serializers.UUIDField()
    assignment = serializers.UUIDField()
    slot = serializers.IntegerField()
    client_id = serializers.UUIDField()
    revision = serializers.IntegerField()
    submitted_at = serializers.DateTimeField()
    revised_at = serializers.DateTimeField(allow_null=True)
    answers = AnswersField()
    is_replay = serializers.BooleanField()


class SavedDraftSerializer(serializers.Serializer[Any]):
    revision = serializers.IntegerField()
    saved_at = serializers.DateTimeField()
    is_claimed = serializers.BooleanField(help_text="Whether the assignment is still mine.")


ANSWERS_HELP = (
    'Of a rating {"scores": {criterion: level or "na"}, "tags": {criterion: [reason]}, "texts": {criterion: text}, '
    '"spans": {criterion: [{"label": number, "start": offset, "end": offset, "comment": text}]}, '
    '"comment": text, "correction": text or null}. Of two answers that are compared '
    '{"choice": "a", "b", "tie" or "both_bad", "comment": text}, of more {"ranks": [rank of each answer in the '
    'order shown, 1 for the best], "comment": text}.'
)


class SubmissionBody(Body):
    client_id = Text(max_length=64, help_text="A UUID of yours, the same for every repetition.")
    answers = Fields(help_text=ANSWERS_HELP)
    seconds_active = Number(min_value=0, max_value=MOST_SECONDS, default=0.0)


class AmendmentBody(Body):
    answers = Fields(help_text=ANSWERS_HELP)
    revision = Whole(min_value=1, help_text="The revision that the change is based on.")


class DraftBody(Body):
    answers = Fields(help_text=ANSWERS_HELP)
    seconds_active = Number(min_value=0, max_value=MOST_SECONDS, default=0.0)
    revision = Whole(default=0, help_text="The draft it grew from; 0: none.")


class FlagBody(Body):
    note = Text(max_length=LONGEST_NOTE)


class FlagSerializer(serializers.Serializer[Any]):
    """What a reviewer says is wrong with an item; open until ``resolved_at``. It names no reviewer."""

    id = serializers.IntegerField()
    item = serializers.IntegerField(source="item_id")
    note = serializers.CharField()
    created_at = serializers.DateTimeField()
    resolved_at = serializers.DateTimeField(allow_null=True)


class SkipBody(Body):
    reason = Text(max_length=LONGEST_SKIP_REASON)
