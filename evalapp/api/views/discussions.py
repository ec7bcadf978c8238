"""Discussions by machine: of those who decide, and of who submitted something, with their appeals."""

from typing import Any
from uuid import UUID

from evalapp.adjudication.appeals import Given, appeal, own_appeals
from evalapp.adjudication.discussion import Names, thread_of, write_message
from evalapp.adjudication.rights import require_may_read
from evalapp.adjudication.side_by_side import comparison_adjudications_about, decisions_about
from evalapp.adjudication.subjects import Subject, rated_outputs, subject_given
from evalapp.api.operations import ApiView, operation
from evalapp.api.serializers.adjudication import (
    AppealBody,
    DiscussionSerializer,
    OwnAppealSerializer,
    OwnDiscussionSerializer,
    ThreadMessageBody,
)
from evalapp.api.serializers.comparison_adjudications import OwnComparisonDiscussionSerializer
from evalapp.api.views.adjudication import DisputeView
from evalapp.campaigns.models import Comparison, ItemOutput
from evalapp.core.errors import MissingError
from evalapp.core.http import get_or_missing
from evalapp.judgements.models import Judgement
from evalapp.judgements.queries import judging_stand, own_judgement
from evalapp.reviews.models import Review
from evalapp.reviews.queries import own_review, stand_at


class DiscussionView(DisputeView):
    def read(self, subject: Subject) -> dict[str, Any]:
        require_may_read(person=self.person, campaign=subject.item.campaign, subject=subject)
        return {"messages": thread_of(subject, self.names)}

    def write(self, subject: Subject) -> dict[str, Any]:
        campaign = subject.item.campaign
        require_may_read(person=self.person, campaign=campaign, subject=subject)
        write_message(campaign=campaign, subject=subject, by=self.person, text=self.body()["text"])
        return {"messages": thread_of(subject, self.names)}


class Discussion(DiscussionView):
    @operation("Read the discussion of an output", result=DiscussionSerializer)
    def get(self, campaign_id: int, item_output_id: int) -> object:
        """Oldest message first."""
        return self.read(self._output(campaign_id, item_output_id))

    @operation("Write in a discussion", body=ThreadMessageBody, result=DiscussionSerializer, status=201)
    def post(self, campaign_id: int, item_output_id: int) -> object:
        """Those who submitted their review of the output read it, and those who adjudicate."""
        return self.write(self._output(campaign_id, item_output_id))

    def _output(self, campaign_id: int, item_output_id: int) -> ItemOutput:
        outputs = rated_outputs(self.campaign(campaign_id)).select_related("item__campaign__project")
        found: ItemOutput = get_or_missing(outputs, pk=item_output_id)
        return found


class ComparisonDiscussion(DiscussionView):
    @operation("Read the discussion of compared answers", result=DiscussionSerializer)
    def get(self, campaign_id: int, comparison_id: int) -> object:
        """Oldest message first."""
        return self.read(self.comparison(campaign_id, comparison_id))

    @operation(
        "Write about compared answers", body=ThreadMessageBody, result=DiscussionSerializer, status=201
    )
    def post(self, campaign_id: int, comparison_id: int) -> object:
        """Those who submitted their own verdict on them read it, and those who adjudicate."""
        return self.write(self.comparison(campaign_id, comparison_id))


class OwnReviewView(ApiView):
    """What is about a review of mine; before I submitted it, there is nothing here."""

    def review(self, key: UUID, slot: int) -> Review:
        stand = stand_at(self.person, key, slot)
        found = own_review(stand)
        if found is None:
            raise MissingError("The discussion opens when you have submitted your own review of this answer.")
        found.campaign = stand.assignment.campaign
        return found


class OwnJudgementView(ApiView):
    """What is about a judgement of mine; before I submitted it, there is nothing here."""

    def judgement(self, key: UUID, slot: int) -> Judgement:
        stand = judging_stand(self.person, key, slot)
        found = own_judgement(stand)
        if found is None:
            raise MissingError(
                "The discussion opens when you have submitted your own verdict on these answers."
            )
        found.campaign = stand.assignment.campaign
        return found


def _thread(view: ApiView, given: Given) -> dict[str, Any]:
    names = Names(given.campaign, reader=view.person, to_reviewer=True)
    return {"messages": thread_of(subject_given(given), names)}


def _write(view: ApiView, given: Given) -> None:
    text = view.body()["text"]
    write_message(campaign=given.campaign, subject=subject_given(given), by=view.person, text=text)


class OwnDiscussion(OwnReviewView):
    @operation("Read the discussion of an answer that I reviewed", result=OwnDiscussionSerializer)
    def get(self, key: UUID, slot: int) -> object:
        """With what was decided about it. 404 before I submitted my own review."""
        return self._shown(self.review(key, slot))

    @operation(
        "Write about an answer that I reviewed",
        body=ThreadMessageBody,
        result=OwnDiscussionSerializer,
        status=201,
    )
    def post(self, key: UUID, slot: int) -> object:
        """The others who reviewed it read it, and those who adjudicate."""
        review = self.review(key, slot)
        _write(self, review)
        return self._shown(review)

    def _shown(self, review: Review) -> dict[str, Any]:
        item_output = ItemOutput(pk=review.item_output_id)
        return {**_thread(self, review), "decisions": decisions_about([item_output])[item_output.pk]}


class OwnComparisonDiscussion(OwnJudgementView):
    @operation("Read the discussion of answers that I compared", result=OwnComparisonDiscussionSerializer)
    def get(self, key: UUID, slot: int) -> object:
        """With what was decided about them, by the letters under which I saw them. 404 before I judged them."""
        return self._shown(self.judgement(key, slot))

    @operation(
        "Write about answers that I compared",
        body=ThreadMessageBody,
        result=OwnComparisonDiscussionSerializer,
        status=201,
    )
    def post(self, key: UUID, slot: int) -> object:
        """The others who judged them read it, and those who adjudicate."""
        judgement = self.judgement(key, slot)
        _write(self, judgement)
        return self._shown(judgement)

    def _shown(self, judgement: Judgement) -> dict[str, Any]:
        comparison = Comparison(pk=judgement.comparison_id)
        adjudication = comparison_adjudications_about([comparison]).get(comparison.pk)
        shown = adjudication and {
            "adjudication": adjudication,
            "verdict": adjudication.verdict.turned(adjudication.outputs, judgement.outputs),
        }
        return {**_thread(self, judgement), "adjudication": shown}


class OwnAppeals(OwnReviewView):
    @operation("List my appeals about a review", result=OwnAppealSerializer, paged=True)
    def get(self, key: UUID, slot: int) -> object:
        """Latest first, with their answers."""
        return self.page(own_appeals(self.review(key, slot), self.person))

    @operation("Appeal", body=AppealBody, result=OwnAppealSerializer, status=201)
    def post(self, key: UUID, slot: int) -> object:
        """Against a change request, or against what was decided. Somebody else than who decided answers."""
        return appeal(given=self.review(key, slot), by=self.person, **self.body())


class OwnJudgementAppeals(OwnJudgementView):
    @operation("List my appeals about a judgement", result=OwnAppealSerializer, paged=True)
    def get(self, key: UUID, slot: int) -> object:
        """Latest first, with their answers."""
        return self.page(own_appeals(self.judgement(key, slot), self.person))

    @operation("Appeal about a judgement", body=AppealBody, result=OwnAppealSerializer, status=201)
    def post(self, key: UUID, slot: int) -> object:
        """Against a change request, or against what was decided. Somebody else than who decided answers."""
        return appeal(given=self.judgement(key, slot), by=self.person, **self.body())
