"""Disagreements between reviewers, and adjudications."""

from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers

from evalapp.accounts.permissions import Permission
from evalapp.adjudication.disagreements import (
    DEFAULT_LEAST_DIFFERENCE,
    LEAST_DIFFERENCE_CHOICES,
    Disagreement,
    worklist_of,
)
from evalapp.adjudication.discussion import Names
from evalapp.adjudication.models import Adjudication
from evalapp.adjudication.services import AdjudicatedScore, adjudicate
from evalapp.adjudication.subjects import rated_outputs, subject_ids_reviewed_by
from evalapp.api.fields import Body, Flag, Id, Paging, Text, Whole
from evalapp.api.operations import chosen, operation, route
from evalapp.campaigns.api.campaigns import OpenedCampaignView
from evalapp.campaigns.models import Campaign, Comparison
from evalapp.core.errors import InvalidError, MissingError
from evalapp.core.http import get_or_missing
from evalapp.reviews.words import LONGEST_REASON
from evalapp.rubrics.fields import NOT_APPLICABLE

REASON = "The reviewers read it."
STATES = ("open", "decided", "all")
RANKS = "Rank of each output, 1 is the best; null for a pair."


class DisagreementQuery(Paging):
    apart = serializers.ChoiceField(
        choices=LEAST_DIFFERENCE_CHOICES,
        required=False,
        default=DEFAULT_LEAST_DIFFERENCE,
        help_text=(
            "Smallest difference, in points on a scale of 1 to 5 (other scales are rescaled). If "
            "omitted, any difference counts."
        ),
    )
    state = serializers.ChoiceField(choices=STATES, required=False, default="open")


class DisagreementSerializer(serializers.Serializer[Any]):
    """A criterion of one output on which reviewers differ."""

    item_output = serializers.IntegerField(source="item_output_id")
    criterion = serializers.CharField(source="criterion.key")
    low = serializers.IntegerField()
    high = serializers.IntegerField()
    answers = serializers.IntegerField(help_text="How many reviewers gave a level; N/A is left out.")
    is_decided = serializers.BooleanField()
    is_own = serializers.SerializerMethodField()

    def get_is_own(self, row: Any) -> bool:
        """You reviewed it, so somebody else has to decide."""
        return row.item_output_id in self.context["view"].own


class AdjudicationRevisionSerializer(serializers.Serializer[Any]):
    revision = serializers.IntegerField()
    value = serializers.IntegerField(allow_null=True)
    reason = serializers.CharField()
    decided_by = serializers.CharField()
    decided_at = serializers.DateTimeField()


class AdjudicationSerializer(serializers.Serializer[Any]):
    """A decision; the reviews stay. ``value`` null means N/A; ``earlier`` lists the previous revisions."""

    id = serializers.IntegerField()
    item_output = serializers.IntegerField(source="item_output_id")
    criterion = serializers.CharField(source="criterion.key")
    value = serializers.IntegerField(allow_null=True)
    reason = serializers.CharField()
    revision = serializers.IntegerField()
    decided_by = serializers.CharField()
    decided_at = serializers.DateTimeField()
    earlier = serializers.SerializerMethodField()

    def get_earlier(self, decision: Adjudication) -> list[dict[str, Any]]:
        """Latest first."""
        revisions = sorted(decision.revisions.all(), key=lambda each: -each.revision)
        return [dict(AdjudicationRevisionSerializer(each).data) for each in revisions]


class AdjudicationBody(Body):
    item_output = Id()
    criterion = Text(max_length=40)
    value = Whole(min_value=-32_768, max_value=32_767, allow_null=True, default=None)
    not_applicable = Flag(default=False, help_text="Decide on N/A; leave ``value`` out.")
    reason = Text(max_length=LONGEST_REASON, help_text=REASON)
    revision = Whole(
        default=0, help_text="Revision of the decision that this one replaces; 0 for the first decision."
    )


class DisputeView(OpenedCampaignView):
    required_permission = Permission.ADJUDICATE
    names: Names

    def campaign(self, campaign_id: int) -> Campaign:
        found = super().campaign(campaign_id)
        self.names = Names(found, reader=self.person, to_reviewer=False)
        return found

    def comparison(self, campaign_id: int, comparison_id: int) -> Comparison:
        compared = Comparison.objects.filter(item__campaign=self.campaign(campaign_id))
        found: Comparison = get_or_missing(
            compared.select_related("item__campaign__project"), pk=comparison_id
        )
        return found


def given_value(values: dict[str, Any]) -> int | str | None:
    if values["not_applicable"] and values["value"] is not None:
        raise InvalidError("Give a value or say that it is not applicable, not both.", field="value")
    value: int | None = values["value"]
    return NOT_APPLICABLE if values["not_applicable"] else value


@route("campaigns/<int:campaign_id>/disagreements/", "api_disagreements")
class DisagreementList(DisputeView):
    own: set[int]

    @operation("List disagreements", query=DisagreementQuery, result=DisagreementSerializer, paged=True)
    def get(self, campaign_id: int) -> object:
        """Outputs and criteria on which reviewers differ, largest differences first."""
        campaign = self.campaign(campaign_id)
        if campaign.compares:
            raise MissingError(
                "This campaign compares answers and has no scores: see its “comparisons/disputed/”."
            )
        self.own = subject_ids_reviewed_by(self.person, campaign)
        worklist = worklist_of(campaign, least_difference=int(self.query["apart"]))
        decided = {"open": (False,), "decided": (True,), "all": (False, True)}[self.query["state"]]
        rows = [each for output in worklist.rows for each in output.disagreements]
        return self.page([each for each in rows if each.is_decided in decided])

    def key_of(self, row: Disagreement) -> str:
        return f"{row.item_output_id}.{row.criterion.key}"


@route("campaigns/<int:campaign_id>/adjudications/", "api_adjudications")
class AdjudicationList(DisputeView):
    required_permission = Permission.VIEW_ANALYSIS
    post_permission = Permission.ADJUDICATE

    @operation("List decisions on disagreements", result=AdjudicationSerializer, paged=True)
    def get(self, campaign_id: int) -> object:
        """Decisions are stored beside the reviews and do not replace them. Latest first."""
        return self.page(_decisions().filter(campaign=self.campaign(campaign_id)))

    @operation("Decide a disagreement", body=AdjudicationBody, result=AdjudicationSerializer, status=201)
    def post(self, campaign_id: int) -> object:
        """Creates a decision, or revises one (send its ``revision``). 403 for an output that you reviewed
        yourself.
        """
        campaign = self.campaign(campaign_id)
        values = self.body()
        item_output = chosen(rated_outputs(campaign), values["item_output"], "item_output", "output with id")
        key = values["criterion"]
        score = AdjudicatedScore(given_value(values), values["reason"], values["revision"])
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
