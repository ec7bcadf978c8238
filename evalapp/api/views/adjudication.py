"""Review of reviews by machine: disagreements, decisions, appeals, discussions."""

from typing import Any

from django.db.models import QuerySet

from evalapp.accounts.permissions import Permission
from evalapp.adjudication.appeals import NewValue, answer_appeal, appeals_of, subject_of
from evalapp.adjudication.disagreements import Disagreement, worklist_of
from evalapp.adjudication.discussion import Names
from evalapp.adjudication.models import Adjudication, Appeal, ComparisonAdjudication
from evalapp.adjudication.rights import require_may_read
from evalapp.adjudication.services import AdjudicatedScore, adjudicate
from evalapp.adjudication.subjects import given_by, rated_outputs
from evalapp.api.operations import ProjectView, chosen, operation
from evalapp.api.serializers.adjudication import (
    AdjudicationBody,
    AdjudicationSerializer,
    AppealAnswerBody,
    AppealSerializer,
    DisagreementQuery,
    DisagreementSerializer,
)
from evalapp.campaigns.models import Campaign, CampaignState, Comparison
from evalapp.core.errors import InvalidError, MissingError
from evalapp.core.http import get_or_missing
from evalapp.reviews.change_requests import WAITING_FIRST
from evalapp.reviews.preferences.answers import PreferenceAnswers
from evalapp.rubrics.fields import NOT_APPLICABLE


class DisputeView(ProjectView):
    required_permission = Permission.ADJUDICATE
    names: Names

    def campaign(self, campaign_id: int) -> Campaign:
        opened = self.project.campaigns.exclude(state=CampaignState.DRAFT)
        found = get_or_missing(opened.select_related("project", "rubric_version"), pk=campaign_id)
        self.names = Names(found, reader=self.person, to_reviewer=False)
        return found

    def comparison(self, campaign_id: int, comparison_id: int) -> Comparison:
        compared = Comparison.objects.filter(item__campaign=self.campaign(campaign_id))
        found: Comparison = get_or_missing(
            compared.select_related("item__campaign__project"), pk=comparison_id
        )
        return found


def _value(values: dict[str, Any]) -> int | str | None:
    if values["not_applicable"] and values["value"] is not None:
        message = "Give a value or say that it is not applicable, not both."
        raise InvalidError(message, fields={"value": [message]})
    value: int | None = values["value"]
    return NOT_APPLICABLE if values["not_applicable"] else value


def _new_value(appeal: Appeal, values: dict[str, Any]) -> NewValue:
    if isinstance(appeal.against, ComparisonAdjudication):
        return PreferenceAnswers(values["choice"], values["ranks"])
    return _value(values)


class DisagreementList(DisputeView):
    own: set[int]

    @operation("List disagreements", query=DisagreementQuery, result=DisagreementSerializer, paged=True)
    def get(self, campaign_id: int) -> object:
        """Where reviewers of one output differ on a criterion, the outputs farthest apart first."""
        campaign = self.campaign(campaign_id)
        if campaign.compares:
            raise MissingError(
                "This campaign compares answers, so there are no scores to differ: see its “comparisons/disputed/”."
            )
        self.own = given_by(self.person, campaign)
        worklist = worklist_of(campaign, apart=int(self.query["apart"]))
        decided = {"open": (False,), "decided": (True,), "all": (False, True)}[self.query["state"]]
        rows = [each for output in worklist.rows for each in output.disagreements]
        return self.page([each for each in rows if each.is_decided in decided])

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
        item_output = chosen(rated_outputs(campaign), values["item_output"], "item_output", "output with id")
        key = values["criterion"]
        score = AdjudicatedScore(_value(values), values["reason"], values["revision"])
        try:
            (decision,) = adjudicate(
                campaign=campaign, item_output=item_output, scores={key: score}, by=self.person
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
        decision to ``value``, of a comparison to ``choice`` or ``ranks``.
        """
        appeals = appeals_of(self.campaign(campaign_id))
        found = get_or_missing(appeals, pk=appeal_id)
        require_may_read(person=self.person, campaign=found.campaign, subject=subject_of(found))
        values = self.body()
        answer_appeal(
            appeal=found,
            by=self.person,
            outcome=values["outcome"],
            answer=values["answer"],
            value=_new_value(found, values),
        )
        return appeals.get(pk=found.pk)
