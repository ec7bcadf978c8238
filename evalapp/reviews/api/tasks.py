"""What is given to a reviewer to review, and what they make of it. Nothing here names a candidate of a blind
campaign, an output, a run or a peer.
"""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema_field
from rest_framework import serializers

from evalapp.api.fields import Body, Fields, Nothing, Number, Text, Whole
from evalapp.api.operations import Answer, ApiView, operation, route
from evalapp.campaigns.models import Campaign, CampaignReviewer, CampaignState
from evalapp.core.errors import ConflictError, MissingError
from evalapp.datasets.api import MessageSerializer
from evalapp.reviews.answers import LONGEST_SKIP_REASON, MOST_SECONDS, read_client_id, read_seconds
from evalapp.reviews.desks import desk_of
from evalapp.reviews.kinds import KINDS, kind_of
from evalapp.reviews.models import Review
from evalapp.reviews.preferences.models import Choice
from evalapp.reviews.queries import (
    NOT_YOURS,
    Stand,
    TakenOffError,
    campaign_reviewer_for,
    left_stand,
    own_reviews,
    stand_at,
    submitted_by,
)
from evalapp.reviews.services import amend_review, keep_draft, keep_of_left, skip_item, submit_at, undo_last
from evalapp.reviews.submitting import NOT_COUNTED, CampaignClosedError


class SpanSerializer(serializers.Serializer[Any]):
    """A marked stretch. ``label`` counts the criterion's options from 1; ``start`` and ``end`` (behind the
    last) count Unicode code points of the task's ``answer``.
    """

    label = serializers.IntegerField()
    start = serializers.IntegerField()
    end = serializers.IntegerField()
    comment = serializers.CharField(allow_blank=True)


class AnswersSerializer(serializers.Serializer[Any]):
    """``scores``: criterion → level (yes/no: 1/0; of a category the option's place, from 1) or "na".
    ``tags``: criterion → its reasons. ``texts``: text criterion → what was written. ``spans``: span criterion
    → what was marked; "na" among the scores: nothing to mark.
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
    'Of a rating {"scores": {criterion: level or "na"}, "tags": {criterion: [reason]}, "texts": {criterion:'
    ' text}, "spans": {criterion: [{"label": number, "start": offset, "end": offset, "comment": text}]},'
    ' "comment": text, "correction": text or null}. Of two answers that are compared {"choice": "a", "b",'
    ' "tie" or "both_bad", "comment": text}, of more {"ranks": [rank of each answer in the order shown, 1 for'
    ' the best], "comment": text}.'
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


class SkipBody(Body):
    reason = Text(max_length=LONGEST_SKIP_REASON)


class ReviewView(ApiView):
    def campaign_reviewer(self, key: UUID) -> CampaignReviewer:
        return campaign_reviewer_for(self.person, key)

    def stand(self, key: UUID, slot: int) -> Stand:
        return stand_at(self.person, key, slot)

    def stand_to_submit(self, key: UUID, slot: int) -> Stand:
        """Raises TakenOffError where the person was taken off, with what they sent kept as their draft."""
        try:
            return self.stand(key, slot)
        except TakenOffError as taken_off:
            left = left_stand(taken_off, self.person, key, slot)
            raise keep_of_left(left, self.answers(left)) from None

    def answers(self, stand: Stand) -> Any:
        """What was sent, read by the kind of the campaign's reviews."""
        return kind_of(stand.assignment.campaign).read(self.body()["answers"])


def shown_task(
    campaign: Campaign, assignment: UUID, slot: int, task: Any, review: Review | None = None
) -> dict[str, Any]:
    desk = desk_of(campaign)
    answers = desk.draft_of(task)
    draft = answers and {
        "revision": task.draft_revision,
        "saved_at": task.draft_saved_at,
        "answers": answers.as_dict(),
    }
    return {
        "assignment": assignment,
        "slot": slot,
        "messages": task.messages,
        "context": task.context,
        "reference": task.reference,
        "shown": desk.answers_shown(task),
        "draft": draft,
        "revision": review.revision if review else 0,
        "answers": desk.kind.answers_of(review).as_dict() if review else None,
    }


@route("reviews/<uuid:key>/<int:slot>/", "api_my_task")
class TaskDetail(ReviewView):
    @operation("Read what I review", result=TaskSerializer)
    def get(self, key: UUID, slot: int) -> object:
        """One that I hold, or have reviewed. 409 where the campaign is closed (``campaign_closed``), and for
        one that went to somebody else, while my draft is kept (``lease_lost``).
        """
        stand = self.stand(key, slot)
        campaign = stand.assignment.campaign
        kind = kind_of(campaign)
        review = None if stand.is_open else kind.own_review(stand)
        task = shown_task(campaign, stand.assignment.key, stand.slot, kind.task_at(stand), review)
        if review is None and not stand.is_open:
            if campaign.state == CampaignState.CLOSED:
                raise CampaignClosedError(campaign, NOT_COUNTED if task["draft"] else ".")
            if task["draft"] is None:
                raise MissingError(NOT_YOURS)
            raise ConflictError(
                "Somebody else has taken this one since; what you wrote is kept as your draft.",
                code="lease_lost",
            )
        return task

    @operation(
        "Submit a review",
        body=SubmissionBody,
        result=ReviewSerializer,
        status=201,
        also={200: "A replay: this submission was stored before."},
    )
    def post(self, key: UUID, slot: int) -> object:
        """Exactly once: repeat it with the same ``client_id`` as often as you like. 409 where other answers
        were stored first, or the assignment went to somebody else, 403 where you were taken off the campaign;
        your text is then kept as a draft.
        """
        stand = self.stand_to_submit(key, slot)
        values = self.body()
        result = submit_at(
            stand=stand,
            client_id=read_client_id(values["client_id"]),
            answers=self.answers(stand),
            seconds_active=read_seconds(values["seconds_active"]),
            is_simulated=self.person.is_simulated,
        )
        shown = _review(stand, result.review)
        shown["is_replay"] = result.is_replay
        return Answer(shown, 200 if result.is_replay else 201)

    @operation("Amend my review", body=AmendmentBody, result=ReviewSerializer)
    def put(self, key: UUID, slot: int) -> object:
        """Until the campaign closes; what it said before is kept. 412 where ``revision`` is
        not the latest.
        """
        stand = self.stand_to_submit(key, slot)
        review = own_reviews(stand).first()
        if review is None:
            raise MissingError(NOT_YOURS)
        revision = self.body()["revision"]
        amended = amend_review(review=review, by=self.person, answers=self.answers(stand), revision=revision)
        return _review(stand, amended)


def _review(stand: Stand, review: Review) -> dict[str, Any]:
    """My own review; read anew, because a service leaves what it replaced in the row's caches."""
    kind = kind_of(stand.assignment.campaign)
    stored = kind.with_answers(Review.objects.filter(pk=review.pk)).get()
    stored.campaign, stored.assignment = stand.assignment.campaign, stand.assignment
    return shown_review(stored)


@route("reviews/submitted/", "api_my_reviews")
class SubmittedList(ReviewView):
    @operation("List what I submitted", result=ReviewSerializer, paged=True)
    def get(self) -> object:
        """Latest first."""
        reviews = submitted_by(self.person)
        for kind in KINDS:
            reviews = kind.with_answers(reviews)
        return self.page(reviews, dress=_shown_rows)


def _shown_rows(reviews: list[Review]) -> list[dict[str, Any]]:
    return [shown_review(review) for review in reviews]


def shown_review(review: Review) -> dict[str, Any]:
    """A review of the person's own, with its answers; select ``campaign`` and ``assignment``."""
    return {
        "campaign": review.campaign.key,
        "assignment": review.assignment.key,
        "slot": review.slot,
        "client_id": review.client_id,
        "revision": review.revision,
        "submitted_at": review.submitted_at,
        "revised_at": review.revised_at,
        "answers": kind_of(review.campaign).answers_of(review).as_dict(),
        "is_replay": False,
    }


@route("reviews/<uuid:key>/<int:slot>/draft/", "api_my_draft")
class DraftDetail(ReviewView):
    @operation("Save a draft", body=DraftBody, result=SavedDraftSerializer)
    def put(self, key: UUID, slot: int) -> object:
        """What is typed so far, however incomplete; it keeps the assignment as well. 409 where it is not mine
        any more, or the campaign is closed (it is saved then), 412 where another client saved a newer one.
        """
        stand = self.stand(key, slot)
        values = self.body()
        return keep_draft(
            stand=stand,
            answers=self.answers(stand),
            seconds_active=read_seconds(values["seconds_active"]),
            revision=values["revision"],
        )


@route("reviews/<uuid:key>/<int:slot>/skip/", "api_my_skip")
class SkipTask(ReviewView):
    @operation("Skip an item", body=SkipBody, status=204)
    def post(self, key: UUID, slot: int) -> object:
        """Somebody else gets it, and it is not offered to you again. Say why."""
        stand = self.stand(key, slot)
        skip_item(reviewer=self.person, assignment=stand.assignment, reason=self.body()["reason"])
        return None


@route("reviews/campaigns/<uuid:key>/undo/", "api_my_undo")
class UndoReview(ReviewView):
    @operation("Find my last review to change it", body=Nothing, result=ReviewSerializer)
    def post(self, key: UUID) -> object:
        """Nothing that was acknowledged is taken away: amend what this names. 404 before my first."""
        campaign_reviewer = self.campaign_reviewer(key)
        self.body()
        latest = undo_last(reviewer=campaign_reviewer.user, campaign=campaign_reviewer.campaign)
        latest.campaign = campaign_reviewer.campaign
        return shown_review(latest)
