"""Reviewing by machine, whatever the kind of the campaign's reviews: the services of the review page."""

from typing import Any
from uuid import UUID

from evalapp.api.fields import Nothing
from evalapp.api.operations import Answer, ApiView, operation
from evalapp.api.serializers.quality import ClosingBody, ClosingSerializer
from evalapp.api.serializers.reviews import (
    AmendmentBody,
    DraftBody,
    FlagBody,
    NextSerializer,
    ReviewSerializer,
    SavedDraftSerializer,
    SeatDetailSerializer,
    SeatSerializer,
    SkipBody,
    SubmissionBody,
    TaskSerializer,
)
from evalapp.campaigns.allocation import NextReview, NoWork, next_review
from evalapp.campaigns.models import Campaign, CampaignReviewer, CampaignState
from evalapp.core.errors import ConflictError, MissingError
from evalapp.reviews.answers import criteria_of, read_client_id, read_seconds
from evalapp.reviews.closing import (
    CLOSING_QUESTION,
    answer_closing,
    closing_questions,
    decline_closing,
    is_asked,
)
from evalapp.reviews.desks import desk_of
from evalapp.reviews.flags import flag_item
from evalapp.reviews.kinds import KINDS, kind_of
from evalapp.reviews.models import Review
from evalapp.reviews.presentation import NO_WORK_WORDS, progress_payload
from evalapp.reviews.queries import (
    NOT_YOURS,
    Stand,
    TakenOffError,
    campaign_reviewer_for,
    campaign_reviewers_of,
    left_stand,
    own_reviews,
    stand_at,
    submitted_by,
    with_progress,
)
from evalapp.reviews.services import amend_review, keep_draft, keep_of_left, skip_item, submit_at
from evalapp.reviews.submitting import NOT_COUNTED, CampaignClosedError
from evalapp.rubrics.drafts import draft_of


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


class SeatList(ReviewView):
    @operation("List my campaigns", result=SeatSerializer, paged=True)
    def get(self) -> object:
        """Campaigns in which I review, with how far I am."""
        return self.page(with_progress(campaign_reviewers_of(self.person)), dress=_with_progress_shown)


def _with_progress_shown(campaign_reviewers: list[CampaignReviewer]) -> list[CampaignReviewer]:
    for campaign_reviewer in campaign_reviewers:
        campaign_reviewer.shown_progress = progress_payload(campaign_reviewer)  # type: ignore[attr-defined]  # read by the serializer
    return campaign_reviewers


class SeatDetail(ReviewView):
    @operation("Read a campaign of mine", result=SeatDetailSerializer)
    def get(self, key: UUID) -> object:
        """Instructions, and the rubric with the keys that answers use."""
        campaign_reviewer = self.campaign_reviewer(key)
        criteria = [
            draft_of(each.criterion) for each in criteria_of(campaign_reviewer.campaign.rubric_version)
        ]
        campaign_reviewer.criteria = criteria  # type: ignore[attr-defined]  # read by the serializer
        return _with_progress_shown([campaign_reviewer])[0]


class NextTask(ReviewView):
    @operation("Get what to review next", body=Nothing, result=NextSerializer)
    def post(self, key: UUID) -> object:
        """Claims an assignment where that is needed. The answer is the same until something is submitted."""
        campaign_reviewer = self.campaign_reviewer(key)
        self.body()
        found = next_review(campaign_reviewer=campaign_reviewer)
        if not isinstance(found, NextReview):
            return {
                "task": None,
                "no_work": no_work_body(found, campaign_reviewer),
                "progress": progress_payload(campaign_reviewer, found),
            }
        progress = progress_payload(campaign_reviewer)
        campaign = campaign_reviewer.campaign
        task = kind_of(campaign).task(
            assignment_key=found.assignment.key,
            subject_id=found.subject_id,
            campaign=campaign,
            reviewer=campaign_reviewer.user,
        )
        shown = _task(campaign, found.assignment.key, found.slot, task)
        return {"task": shown, "no_work": None, "progress": progress}


def no_work_body(found: NoWork, campaign_reviewer: CampaignReviewer) -> dict[str, Any]:
    _, text = NO_WORK_WORDS[found.reason]
    return {
        "reason": found.reason,
        "text": text,
        "come_back_at": found.come_back_at,
        "closing_question": is_asked(campaign_reviewer),
    }


class ClosingQuestion(ReviewView):
    @operation("Read the closing question", result=ClosingSerializer)
    def get(self, key: UUID) -> object:
        """Asked once, after a blind campaign is closed. What is asked depends on nothing that is hidden."""
        return {"question": CLOSING_QUESTION, "texts": closing_questions(self.campaign_reviewer(key))}

    @operation("Answer the closing question", body=ClosingBody, status=204)
    def post(self, key: UUID) -> object:
        """Once and for all; nobody is told whether a guess was right. 409 where nothing is asked."""
        campaign_reviewer = self.campaign_reviewer(key)
        beliefs = {(each["assignment"], each["slot"]): each["belief"] for each in self.body()["beliefs"]}
        if beliefs:
            answer_closing(campaign_reviewer=campaign_reviewer, beliefs=beliefs)
        else:
            decline_closing(campaign_reviewer=campaign_reviewer)
        return None


def _task(
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
        task = _task(campaign, stand.assignment.key, stand.slot, kind.task_at(stand), review)
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
        were stored first, or the assignment went to somebody else, 403 where you were taken off the campaign; your
        text is then kept as a draft.
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
        """Until the campaign closes; what it said before is kept. 412 where ``revision`` is not the latest."""
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


class SkipTask(ReviewView):
    @operation("Skip an item", body=SkipBody, status=204)
    def post(self, key: UUID, slot: int) -> object:
        """Somebody else gets it, and it is not offered to you again. Say why."""
        stand = self.stand(key, slot)
        skip_item(reviewer=self.person, assignment=stand.assignment, reason=self.body()["reason"])
        return None


class FlagTask(ReviewView):
    @operation("Flag an item", body=FlagBody, status=204)
    def post(self, key: UUID, slot: int) -> object:
        """Tells the manager that something is wrong with it; the item stays yours. Once more: another note."""
        flag_item(stand=self.stand(key, slot), by=self.person, note=self.body()["note"])
        return None
