"""Review of reviews by machine: disagreements, decisions, appeals, discussions."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from evalapp.accounts.permissions import Permission
from evalapp.adjudication.appeals import answer_appeal, appeal, appeals_of, output_of, with_subject
from evalapp.adjudication.beside import decisions_about
from evalapp.adjudication.disagreements import Disagreement, worklist_of
from evalapp.adjudication.discussion import Names, thread_of, write_message
from evalapp.adjudication.models import Adjudication, Appeal
from evalapp.adjudication.rights import require_may_read, reviewed_by
from evalapp.adjudication.services import Ruling, adjudicate
from evalapp.api.operations import ApiView, ProjectView, chosen, operation
from evalapp.api.serializers.adjudication import (
    AdjudicationBody,
    AdjudicationSerializer,
    AppealAnswerBody,
    AppealBody,
    AppealSerializer,
    DisagreementQuery,
    DisagreementSerializer,
    DiscussionSerializer,
    OwnAppealSerializer,
    OwnDiscussionSerializer,
    ThreadMessageBody,
)
from evalapp.campaigns.models import Campaign, CampaignState, ItemOutput
from evalapp.core.errors import InvalidError, MissingError
from evalapp.core.http import get_or_missing
from evalapp.reviews.models import Review
from evalapp.reviews.queries import own_review, stand_at
from evalapp.reviews.send_backs import WAITING_FIRST
from evalapp.rubrics.fields import NOT_APPLICABLE


class DisputeView(ProjectView):
    required_permission = Permission.ADJUDICATE
    names: Names

    def campaign(self, campaign_id: int) -> Campaign:
        opened = self.project.campaigns.exclude(state=CampaignState.DRAFT)
        found = get_or_missing(opened.select_related("project", "rubric_version"), pk=campaign_id)
        self.names = Names(found, reader=self.person, to_reviewer=False)
        return found

    def outputs(self, campaign: Campaign) -> QuerySet[ItemOutput]:
        return ItemOutput.objects.filter(item__campaign=campaign)


def _value(values: dict[str, Any]) -> int | str | None:
    if values["not_applicable"] and values["value"] is not None:
        message = "Give a value or say that it is not applicable, not both."
        raise InvalidError(message, fields={"value": [message]})
    value: int | None = values["value"]
    return NOT_APPLICABLE if values["not_applicable"] else value


class DisagreementList(DisputeView):
    own: set[int]

    @operation("List disagreements", query=DisagreementQuery, result=DisagreementSerializer, paged=True)
    def get(self, campaign_id: int) -> object:
        """Where reviewers of one output differ on a criterion, the outputs farthest apart first."""
        campaign = self.campaign(campaign_id)
        if campaign.compares:
            raise MissingError(
                "This campaign compares answers, so there are no scores to differ: see its “judgements/apart/”."
            )
        self.own = reviewed_by(self.person, campaign)
        wanted = {"open": (False,), "decided": (True,), "all": (False, True)}[self.query["state"]]
        worklist = worklist_of(campaign, apart=int(self.query["apart"]))
        return self.page(
            [
                each
                for output in worklist.outputs
                for each in output.disagreements
                if each.is_decided in wanted
            ]
        )

    def key_of(self, row: Disagreement) -> str:
        return f"{row.item_output_id}.{row.criterion.key}"


class AdjudicationList(DisputeView):
    required_permission = Permission.VIEW_ANALYSIS
    post_permission = Permission.ADJUDICATE

    @operation("List decisions on disagreements", result=AdjudicationSerializer, paged=True)
    def get(self, campaign_id: int) -> object:
        """Beside the reviews, never over them; latest first."""
        return self.page(_decisions().filter(campaign=self.campaign(campaign_id)))

    @operation("Decide a disagreement", body=AdjudicationBody, result=AdjudicationSerializer, status=201)
    def post(self, campaign_id: int) -> object:
        """Or revise a decision (give its ``revision``). Nobody decides about an output they reviewed: 403."""
        campaign = self.campaign(campaign_id)
        values = self.body()
        item_output = chosen(self.outputs(campaign), values["item_output"], "item_output", "output with id")
        key = values["criterion"]
        ruling = Ruling(_value(values), values["reason"], values["revision"])
        try:
            (decision,) = adjudicate(
                campaign=campaign, item_output=item_output, rulings={key: ruling}, by=self.person
            )
        except InvalidError as error:
            own = {name.removeprefix(f"{key}."): texts for name, texts in error.fields.items()}
            raise InvalidError(error.message, fields=own) from error
        return _decisions().get(pk=decision.pk)


def _decisions() -> QuerySet[Adjudication]:
    return Adjudication.objects.select_related("criterion", "decided_by").prefetch_related(
        "revisions__decided_by"
    )


class AppealList(DisputeView):
    order = WAITING_FIRST

    @operation("List appeals", result=AppealSerializer, paged=True)
    def get(self, campaign_id: int) -> object:
        """Those that wait for an answer first."""
        return self.page(appeals_of(self.campaign(campaign_id)))


class AppealAnswer(DisputeView):
    @operation("Answer an appeal", body=AppealAnswerBody, result=AppealSerializer)
    def post(self, campaign_id: int, appeal_id: int) -> object:
        """Not by who decided it, where somebody else can. “changed” withdraws the request, or revises the
        decision to ``value``.
        """
        appeals = appeals_of(self.campaign(campaign_id))
        found = get_or_missing(appeals, pk=appeal_id)
        require_may_read(person=self.person, campaign=found.campaign, item_output=output_of(found))
        values = self.body()
        answer_appeal(
            appeal=found,
            by=self.person,
            outcome=values["outcome"],
            answer=values["answer"],
            value=_value(values),
        )
        return appeals.get(pk=found.pk)


class Discussion(DisputeView):
    @operation("Read the discussion of an output", result=DiscussionSerializer)
    def get(self, campaign_id: int, item_output_id: int) -> object:
        """Oldest message first."""
        return self._shown(self._output(campaign_id, item_output_id))

    @operation("Write in a discussion", body=ThreadMessageBody, result=DiscussionSerializer, status=201)
    def post(self, campaign_id: int, item_output_id: int) -> object:
        """Those who submitted their review of the output read it, and those who adjudicate."""
        item_output = self._output(campaign_id, item_output_id)
        write_message(
            campaign=item_output.item.campaign,
            item_output=item_output,
            by=self.person,
            text=self.body()["text"],
        )
        return self._shown(item_output)

    def _output(self, campaign_id: int, item_output_id: int) -> ItemOutput:
        campaign = self.campaign(campaign_id)
        outputs = self.outputs(campaign).select_related("item__campaign__project")
        item_output = get_or_missing(outputs, pk=item_output_id)
        require_may_read(person=self.person, campaign=campaign, item_output=item_output)
        return item_output

    def _shown(self, item_output: ItemOutput) -> dict[str, Any]:
        return {"messages": thread_of(item_output, self.names)}


class OwnReviewView(ApiView):
    """What is about a review of mine; before I submitted it, there is nothing here."""

    def review(self, key: UUID, slot: int) -> Review:
        stand = stand_at(self.person, key, slot)
        found = own_review(stand)
        if found is None:
            raise MissingError("The discussion opens when you have submitted your own review of this answer.")
        found.campaign = stand.place.campaign
        return found


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
        write_message(
            campaign=review.campaign,
            item_output=ItemOutput(pk=review.item_output_id),
            by=self.person,
            text=self.body()["text"],
        )
        return self._shown(review)

    def _shown(self, review: Review) -> dict[str, Any]:
        item_output = ItemOutput(pk=review.item_output_id)
        names = Names(review.campaign, reader=self.person, to_reviewer=True)
        return {
            "messages": thread_of(item_output, names),
            "decisions": decisions_about([item_output])[item_output.pk],
        }


class OwnAppeals(OwnReviewView):
    @operation("List my appeals about a review", result=OwnAppealSerializer, paged=True)
    def get(self, key: UUID, slot: int) -> object:
        """Latest first, with their answers."""
        review = self.review(key, slot)
        mine = Appeal.objects.filter(appellant=self.person)
        about = mine.filter(send_back__review=review) | mine.filter(
            adjudication__item_output=review.item_output_id
        )
        return self.page(with_subject(about))

    @operation("Appeal", body=AppealBody, result=OwnAppealSerializer, status=201)
    def post(self, key: UUID, slot: int) -> object:
        """Against being sent back, or against what was decided. Somebody else than who decided answers."""
        return appeal(review=self.review(key, slot), by=self.person, **self.body())
