"""Review tasks, submissions and drafts. Nothing here names a candidate of a blind campaign, an output, a
run or a peer.
"""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema_field
from rest_framework import serializers

from evalapp.api.fields import Body, Fields, Nothing, Number, Text, Whole
from evalapp.api.operations import Answer, ApiView, operation, route
from evalapp.campaigns.models import Campaign, CampaignReviewer, CampaignState
from evalapp.core.errors import ConflictError, MissingError
from evalapp.datasets.api.datasets import ConversationField, MessageSerializer
from evalapp.reviews.answers import LONGEST_SKIP_REASON, MOST_SECONDS, read_client_id, read_seconds
from evalapp.reviews.desks import desk_of
from evalapp.reviews.kinds import KINDS, kind_of
from evalapp.reviews.models import Review
from evalapp.reviews.preferences.models import Choice
from evalapp.reviews.queries import (
    NOT_YOURS,
    ReviewContext,
    TakenOffError,
    campaign_reviewer_for,
    left_review_context,
    own_reviews,
    review_context_at,
    submitted_by,
)
from evalapp.reviews.services import (
    amend_review,
    keep_draft,
    keep_draft_of_removed,
    reopen_last_review,
    skip_item,
    submit_at,
)
from evalapp.reviews.submitting import NOT_COUNTED, CampaignClosedError


class SpanSerializer(serializers.Serializer[Any]):
    """A marked span. ``label`` is the number of the criterion's option, from 1; ``start`` and ``end``
    (exclusive) count Unicode code points of the task's ``answer``.
    """

    label = serializers.IntegerField()
    start = serializers.IntegerField()
    end = serializers.IntegerField()
    comment = serializers.CharField(allow_blank=True)


class AnswersSerializer(serializers.Serializer[Any]):
    """``scores``: criterion → level (yes/no: 1/0; category: number of the option, from 1) or "na". ``tags``:
    criterion → reasons. ``texts``: text criterion → text. ``spans``: span criterion → marked spans; "na" in
    ``scores`` means that there is nothing to mark.
    """

    scores = serializers.DictField()
    texts = serializers.DictField(child=serializers.CharField(), default=dict)
    spans = serializers.DictField(child=serializers.ListField(child=SpanSerializer()), default=dict)
    tags = serializers.DictField(child=serializers.ListField(child=serializers.CharField()))
    comment = serializers.CharField(allow_blank=True)
    correction = serializers.CharField(allow_null=True)


class PreferenceSerializer(serializers.Serializer[Any]):
    """``choice`` is the preference between two answers, A is the first; empty for a ranking. ``ranks`` has a
    rank for each answer in the order shown, 1 for the best; null for a pair.
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
    """The answers of a review; their fields depend on the campaign's review kind."""

    def to_representation(self, value: Any) -> Any:
        shape = PreferenceSerializer if "choice" in value else AnswersSerializer
        return dict(shape(value).data)


class DraftSerializer(serializers.Serializer[Any]):
    revision = serializers.IntegerField()
    saved_at = serializers.DateTimeField()
    answers = AnswersField()


class ShownAnswerSerializer(serializers.Serializer[Any]):
    """``candidate`` is empty in a blind campaign."""

    letter = serializers.CharField()
    answer = serializers.CharField(allow_blank=True)
    candidate = serializers.CharField(allow_blank=True)


class TaskSerializer(serializers.Serializer[Any]):
    """An answer to rate, or answers to compare. ``assignment`` and ``slot`` are the parts of its URL;
    ``revision`` is the revision of my review, 0 before the first.
    """

    assignment = serializers.UUIDField()
    slot = serializers.IntegerField()
    messages = MessageSerializer(many=True)
    conversation = ConversationField(help_text="Original messages up to the user's last turn.")
    context = serializers.CharField(allow_blank=True)
    reference = serializers.CharField(allow_blank=True)
    shown = ShownAnswerSerializer(many=True, help_text="The answers in the order shown, A first.")
    draft = DraftSerializer(allow_null=True)
    revision = serializers.IntegerField()
    answers = AnswersField(allow_null=True)


class ReviewSerializer(serializers.Serializer[Any]):
    """My review. ``is_replay``: this submission was already stored; the request changed nothing."""

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
    is_claimed = serializers.BooleanField(help_text="Whether I still have the assignment.")


ANSWERS_HELP = (
    'For a rating {"scores": {criterion: level or "na"}, "tags": {criterion: [reason]}, "texts": '
    '{criterion: text}, "spans": '
    '{criterion: [{"label": number, "start": offset, "end": offset, "comment": text}]}, '
    '"comment": text, "correction": text or null}. For a pair '
    '{"choice": "a", "b", "tie" or "both_bad", "comment": text}; for a ranking '
    '{"ranks": [rank of each answer in the order shown, 1 for the best], "comment": text}.'
)


class SubmissionBody(Body):
    client_id = Text(
        max_length=64, help_text="A UUID of your choice; send the same one when you repeat the submission."
    )
    answers = Fields(help_text=ANSWERS_HELP)
    seconds_active = Number(min_value=0, max_value=MOST_SECONDS, default=0.0)


class AmendmentBody(Body):
    answers = Fields(help_text=ANSWERS_HELP)
    revision = Whole(min_value=1, help_text="Revision of the review that you change.")


class DraftBody(Body):
    answers = Fields(help_text=ANSWERS_HELP)
    seconds_active = Number(min_value=0, max_value=MOST_SECONDS, default=0.0)
    revision = Whole(default=0, help_text="Revision of the draft that you change; 0 for the first.")


class SkipBody(Body):
    reason = Text(max_length=LONGEST_SKIP_REASON)


class ReviewView(ApiView):
    def campaign_reviewer(self, key: UUID) -> CampaignReviewer:
        return campaign_reviewer_for(self.person, key)

    def review_context(self, key: UUID, slot: int) -> ReviewContext:
        return review_context_at(self.person, key, slot)

    def context_to_submit(self, key: UUID, slot: int) -> ReviewContext:
        """Raises TakenOffError where the person was taken off, with what they sent kept as their draft."""
        try:
            return self.review_context(key, slot)
        except TakenOffError as taken_off:
            left = left_review_context(taken_off, self.person, key, slot)
            raise keep_draft_of_removed(left, self.answers(left)) from None

    def answers(self, review_context: ReviewContext) -> Any:
        """What was sent, read by the kind of the campaign's reviews."""
        return kind_of(review_context.assignment.campaign).read(self.body()["answers"])


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
        "conversation": task.conversation,
        "context": task.context,
        "reference": task.reference,
        "shown": desk.answers_shown(task),
        "draft": draft,
        "revision": review.revision if review else 0,
        "answers": desk.kind.answers_of(review).as_dict() if review else None,
    }


@route("reviews/<uuid:key>/<int:slot>/", "api_my_task")
class TaskDetail(ReviewView):
    @operation("Read my review task", result=TaskSerializer)
    def get(self, key: UUID, slot: int) -> object:
        """A task that I have claimed or reviewed. 409 if the campaign is closed (``campaign_closed``), or if
        somebody else has the assignment now (``lease_lost``; my draft is kept).
        """
        review_context = self.review_context(key, slot)
        campaign = review_context.assignment.campaign
        kind = kind_of(campaign)
        review = None if review_context.is_open else kind.own_review(review_context)
        task = shown_task(
            campaign, review_context.assignment.key, review_context.slot, kind.task_at(review_context), review
        )
        if review is None and not review_context.is_open:
            if campaign.state == CampaignState.CLOSED:
                raise CampaignClosedError(campaign, NOT_COUNTED if task["draft"] else ".")
            if task["draft"] is None:
                raise MissingError(NOT_YOURS)
            raise ConflictError(
                "Somebody else has this assignment now; your text is kept as a draft.",
                code="lease_lost",
            )
        return task

    @operation(
        "Submit a review",
        body=SubmissionBody,
        result=ReviewSerializer,
        status=201,
        also={200: "This submission was already stored."},
    )
    def post(self, key: UUID, slot: int) -> object:
        """Stored exactly once: repeat the request with the same ``client_id`` at any time. 409 if different
        answers are already stored, or if somebody else has the assignment now; 403 if you were removed from
        the campaign. In these cases your text is kept as a draft.
        """
        review_context = self.context_to_submit(key, slot)
        values = self.body()
        result = submit_at(
            review_context=review_context,
            client_id=read_client_id(values["client_id"]),
            answers=self.answers(review_context),
            seconds_active=read_seconds(values["seconds_active"]),
            is_simulated=self.person.is_simulated,
        )
        shown = _review(review_context, result.review)
        shown["is_replay"] = result.is_replay
        return Answer(shown, 200 if result.is_replay else 201)

    @operation("Amend my review", body=AmendmentBody, result=ReviewSerializer)
    def put(self, key: UUID, slot: int) -> object:
        """Possible until the campaign closes; earlier revisions are kept. 412 if ``revision`` is not the
        latest.
        """
        review_context = self.context_to_submit(key, slot)
        review = own_reviews(review_context).first()
        if review is None:
            raise MissingError(NOT_YOURS)
        revision = self.body()["revision"]
        amended = amend_review(
            review=review, by=self.person, answers=self.answers(review_context), revision=revision
        )
        return _review(review_context, amended)


def _review(review_context: ReviewContext, review: Review) -> dict[str, Any]:
    """My own review; read anew, because a service leaves what it replaced in the row's caches."""
    kind = kind_of(review_context.assignment.campaign)
    stored = kind.with_answers(Review.objects.filter(pk=review.pk)).get()
    stored.campaign, stored.assignment = review_context.assignment.campaign, review_context.assignment
    return shown_review(stored)


@route("reviews/submitted/", "api_my_reviews")
class SubmittedList(ReviewView):
    @operation("List my submitted reviews", result=ReviewSerializer, paged=True)
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
        """Saves incomplete answers and renews the lease. 409 if the assignment is no longer mine, or if the
        campaign is closed (the draft is saved anyway). 412 if another client saved a newer draft.
        """
        review_context = self.review_context(key, slot)
        values = self.body()
        return keep_draft(
            review_context=review_context,
            answers=self.answers(review_context),
            seconds_active=read_seconds(values["seconds_active"]),
            revision=values["revision"],
        )


@route("reviews/<uuid:key>/<int:slot>/skip/", "api_my_skip")
class SkipTask(ReviewView):
    @operation("Skip an item", body=SkipBody, status=204)
    def post(self, key: UUID, slot: int) -> object:
        """Somebody else gets the item, and you do not get it again. Give a reason."""
        review_context = self.review_context(key, slot)
        skip_item(reviewer=self.person, assignment=review_context.assignment, reason=self.body()["reason"])
        return None


@route("reviews/campaigns/<uuid:key>/undo/", "api_my_undo")
class UndoReview(ReviewView):
    @operation("Find my last review", body=Nothing, result=ReviewSerializer)
    def post(self, key: UUID) -> object:
        """My latest review. Submitted reviews can be amended but not withdrawn. 404 before my first
        review.
        """
        campaign_reviewer = self.campaign_reviewer(key)
        self.body()
        latest = reopen_last_review(reviewer=campaign_reviewer.user, campaign=campaign_reviewer.campaign)
        latest.campaign = campaign_reviewer.campaign
        return shown_review(latest)
