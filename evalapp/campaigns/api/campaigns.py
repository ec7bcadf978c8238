"""Campaigns: their design, its cost, and their state."""

from collections.abc import Callable
from typing import Any, ClassVar

from django.db.models import Prefetch, QuerySet
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.response import Response

from evalapp.accounts.permissions import Permission
from evalapp.api.errors import invalid
from evalapp.api.fields import Body, Flag, Id, List, ReadOnlySerializer, Text, Whole
from evalapp.api.operations import ProjectView, chosen, chosen_all, operation, route
from evalapp.campaigns import services
from evalapp.campaigns.design import (
    LEASE_MINUTES,
    LONGEST_INSTRUCTIONS,
    MOST_CALIBRATION_ITEMS,
    MOST_CANDIDATES,
    MOST_CHECK_SHARE,
    MOST_OVERLAP,
    CampaignDesign,
    problems_of,
    require_valid_design,
)
from evalapp.campaigns.models import (
    Campaign,
    CampaignCandidate,
    CampaignReviewer,
    CampaignState,
    Distribution,
    ItemChoice,
    Method,
)
from evalapp.campaigns.queries import (
    Cost,
    campaigns_of,
    cost_of_design,
    cost_of_draft,
    design_of,
    possible_reviewers,
    usable_datasets,
)
from evalapp.core.errors import InvalidError
from evalapp.core.http import get_or_missing
from evalapp.datasets.models import Split
from evalapp.registry.queries import versions_of
from evalapp.rubrics.models import RubricVersion
from evalapp.runs.services import MOST_SAMPLES


class CampaignCandidateSerializer(ReadOnlySerializer):
    """``id`` identifies the candidate in this campaign's comparison and cases."""

    model_version = serializers.IntegerField(source="model_version_id")
    label = serializers.CharField(source="model_version.label")

    class Meta:
        model = CampaignCandidate
        fields = ("id", "model_version", "label", "position")


class CampaignSerializer(ReadOnlySerializer):
    """``key`` identifies the campaign in the URLs for its reviewers."""

    rubric_version = serializers.IntegerField(source="rubric_version_id")
    dataset_version = serializers.IntegerField(source="dataset_version_id")
    baseline = serializers.IntegerField(source="baseline_id", allow_null=True)
    candidates = serializers.SerializerMethodField()
    reviews_done = serializers.IntegerField()
    people = serializers.IntegerField()
    is_overdue = serializers.BooleanField()

    class Meta:
        model = Campaign
        fields = (
            "id", "key", "name", "state", "rubric_version", "dataset_version", "split", "method", "baseline",
            "candidates", "overlap",
            "instructions", "lease_minutes", "shows_reference", "allows_corrections", "is_blind",
            "leaves_out_incomplete", "seed", "deadline", "items_total", "reviews_total", "reviews_done",
            "people",
            "is_simulated", "is_recorded", "created_at", "opened_at", "closed_at", "item_choice",
            "examples_wanted", "samples",
            "stratify_by", "overlap_share", "overlap_more", "distribution", "quota", "is_overdue",
            "gold_share",
            "repeat_share", "calibration_items", "picked_because",
        )  # fmt: skip

    @extend_schema_field(CampaignCandidateSerializer(many=True))
    def get_candidates(self, campaign: Campaign) -> Any:
        return CampaignCandidateSerializer(campaign.candidates.all(), many=True).data


class CampaignBody(Body):
    name = Text(max_length=120)
    rubric_version = Id()
    dataset_version = Id()
    split = serializers.ChoiceField(choices=Split.choices)
    candidates = List(
        child=Id(),
        min_length=1,
        max_length=MOST_CANDIDATES,
        help_text="Ids of model versions, in the order shown.",
        error_messages={"min_length": "Choose at least one candidate."},
    )
    reviewers = List(
        child=Id(),
        min_length=1,
        max_length=1_000,
        help_text="Members' `person` ids.",
        error_messages={"min_length": "Choose at least one reviewer."},
    )
    overlap = Whole(min_value=1, max_value=MOST_OVERLAP, help_text="Number of reviewers per item.")
    instructions = Text(max_length=LONGEST_INSTRUCTIONS, allow_blank=True, default="")
    lease_minutes = Whole(min_value=LEASE_MINUTES.start, max_value=LEASE_MINUTES.stop - 1, default=30)
    shows_reference = Flag(default=False)
    allows_corrections = Flag(default=True)
    is_blind = Flag(default=True)
    leaves_out_incomplete = Flag(default=False)
    seed = Whole(required=False, allow_null=True, default=None)
    deadline = serializers.DateTimeField(required=False, allow_null=True, default=None)
    item_choice = serializers.ChoiceField(choices=ItemChoice.choices, default=ItemChoice.ALL)
    examples_wanted = Whole(
        min_value=1,
        required=False,
        allow_null=True,
        default=None,
        help_text="Number of examples; null with `all`.",
    )
    samples = Whole(
        min_value=1,
        max_value=MOST_SAMPLES,
        default=1,
        help_text="Outputs of each candidate for an example; each is an item of its own.",
    )
    stratify_by = Text(
        max_length=100,
        allow_blank=True,
        default="",
        help_text="With `stratified`: the metadata field to stratify by.",
    )
    overlap_share = Whole(max_value=99, default=0, help_text="Percent of the items that get `overlap_more`.")
    overlap_more = Whole(min_value=2, max_value=MOST_OVERLAP, required=False, allow_null=True, default=None)
    distribution = serializers.ChoiceField(choices=Distribution.choices, default=Distribution.SHARED)
    quota = Whole(
        min_value=1,
        required=False,
        allow_null=True,
        default=None,
        help_text="Largest number of items for one person.",
    )
    method = serializers.ChoiceField(
        choices=Method.choices,
        default=Method.POINTWISE,
        help_text="What reviewers do: rate each answer, compare two answers, or rank three to five.",
    )
    baseline = Id(
        required=False,
        allow_null=True,
        default=None,
        help_text=(
            "For pairs: the candidate that all others are compared with; null compares every two candidates."
        ),
    )
    gold_share = Whole(
        max_value=MOST_CHECK_SHARE, default=0, help_text="Gold items in percent of a person's items."
    )
    repeat_share = Whole(
        max_value=MOST_CHECK_SHARE, default=0, help_text="Repeats in percent of a person's items."
    )
    calibration_items = Whole(
        max_value=MOST_CALIBRATION_ITEMS,
        default=0,
        help_text="Number of calibration items, which every reviewer rates before admission.",
    )


class DrawnStratumSerializer(serializers.Serializer[Any]):
    value = serializers.CharField()
    chosen = serializers.IntegerField(help_text="Examples chosen from the stratum.")
    examples = serializers.IntegerField(help_text="Examples in the stratum.")


class CostSerializer(serializers.Serializer[Any]):
    """The reviewer effort of a design, assuming 90 seconds per review. ``checks`` estimates the reviews for
    gold items, repeats and calibration, in addition to ``reviews``. ``share`` is the number of reviews per
    person.
    """

    items = serializers.IntegerField()
    reviews = serializers.IntegerField()
    checks = serializers.IntegerField()
    seconds = serializers.IntegerField()
    people = serializers.IntegerField()
    share = serializers.IntegerField()
    share_seconds = serializers.IntegerField()
    left_out = serializers.IntegerField(help_text="Examples without an answer of some candidate.")
    not_chosen = serializers.IntegerField(help_text="Examples that could be added later.")
    is_over_quota = serializers.BooleanField(
        help_text="Whether the quotas are too small for all assignments."
    )
    strata = serializers.SerializerMethodField()

    @extend_schema_field(DrawnStratumSerializer(many=True))
    def get_strata(self, cost: Cost) -> list[dict[str, object]]:
        return [dict(zip(("value", "chosen", "examples"), stratum, strict=True)) for stratum in cost.strata]


class CampaignView(ProjectView):
    required_permission = Permission.VIEW_CAMPAIGNS
    post_permission = Permission.EDIT_CAMPAIGNS

    def campaigns(self) -> QuerySet[Campaign]:
        candidates = CampaignCandidate.objects.select_related("model_version").order_by("position")
        return campaigns_of(self.project).prefetch_related(Prefetch("candidates", queryset=candidates))

    def campaign(self, campaign_id: int) -> Campaign:
        return get_or_missing(self.campaigns(), pk=campaign_id)

    def campaign_reviewer(self, campaign_id: int, person_id: int) -> CampaignReviewer:
        campaign_reviewers = CampaignReviewer.objects.select_related("user", "campaign__project")
        return get_or_missing(campaign_reviewers, campaign=self.campaign(campaign_id), user=person_id)

    def design(self, draft: Campaign | None = None) -> CampaignDesign:
        """Reads the design from the body and looks up its ids in this project; ``draft`` is the campaign to
        change.

        Raises InvalidError with every field that cannot be read or used.
        """
        current = design_of(draft) if draft else {}
        values, problems = self.body_so_far({n: value for n, value in current.items() if value is not None})
        versions = versions_of(self.project)
        rubrics = RubricVersion.objects.filter(rubric__project=self.project).select_related("rubric")
        sources: dict[str, tuple[Callable[..., Any], QuerySet[Any], str]] = {
            "rubric_version": (chosen, rubrics, "rubric version with id"),
            "dataset_version": (chosen, usable_datasets(self.project), "dataset version with id"),
            "candidates": (chosen_all, versions, "candidate with id"),
            "reviewers": (chosen_all, possible_reviewers(self.project), "reviewer with id"),
            "baseline": (chosen, versions, "candidate with id"),
        }
        for name, (look_up, rows, what) in sources.items():
            if values.get(name) is None:
                continue
            try:
                values[name] = look_up(rows, values[name], name, what)
            except InvalidError as error:
                problems |= error.fields
        if problems:
            unread = {name.partition(".")[0] for name in problems}
            blank: dict[str, Any] = dict.fromkeys(CampaignBody().fields)
            design = CampaignDesign(**{**blank, **values})
            raise invalid(problems | problems_of(design, self.project, draft=draft, unread=unread))
        return CampaignDesign(**values)


class OpenedCampaignView(ProjectView):
    """Data of a campaign that exist only once it is open."""

    required_permission = Permission.VIEW_ANALYSIS

    def campaign(self, campaign_id: int) -> Campaign:
        """Drafts are not found."""
        opened = self.project.campaigns.exclude(state=CampaignState.DRAFT)
        return get_or_missing(opened.select_related("project", "rubric_version"), pk=campaign_id)


@route("campaigns/", "api_campaigns")
class CampaignList(CampaignView):
    @operation("List campaigns", result=CampaignSerializer, paged=True)
    def get(self) -> object:
        return self.page(self.campaigns())

    @operation("Design a campaign", body=CampaignBody, result=CampaignSerializer, status=201)
    def post(self) -> object:
        """Creates a draft; reviewers get no items until it is opened."""
        made = services.create_campaign(project=self.project, design=self.design(), by=self.person)
        return self.campaign(made.pk)


@route("campaigns/<int:campaign_id>/", "api_campaign")
class CampaignDetail(CampaignView):
    @operation("Read a campaign", result=CampaignSerializer)
    def get(self, campaign_id: int) -> object:
        return self.campaign(campaign_id)

    @operation("Edit a draft", body=CampaignBody, result=CampaignSerializer)
    def patch(self, campaign_id: int) -> object:
        """Fields that are left out are unchanged. 409 once it has been opened."""
        campaign = self.campaign(campaign_id)
        services.edit_campaign(campaign=campaign, design=self.design(campaign), by=self.person)
        return self.campaign(campaign_id)

    @operation("Discard a draft", status=204)
    def delete(self, campaign_id: int) -> object:
        """409 once it has been opened, because reviews are kept."""
        services.discard_campaign(campaign=self.campaign(campaign_id), by=self.person)
        return Response(status=204)


@route("campaigns/cost/", "api_design_cost")
class DesignCost(CampaignView):
    required_permission = Permission.EDIT_CAMPAIGNS

    @operation("Compute the reviewer effort of a design", body=CampaignBody, result=CostSerializer)
    def post(self) -> object:
        """Computes reviews, hours and each person's share; nothing is created."""
        design = self.design()
        require_valid_design(design, self.project)
        return cost_of_design(design)


@route("campaigns/<int:campaign_id>/cost/", "api_campaign_cost")
class CampaignCost(CampaignView):
    @operation("Read the reviewer effort of a draft", result=CostSerializer)
    def get(self, campaign_id: int) -> object:
        """The reviewer effort of the draft; gold items that are already known are not counted."""
        return cost_of_draft(self.campaign(campaign_id))


class CampaignMove(CampaignView):
    """A change of state; the subclasses name the service."""

    service: ClassVar[Callable[..., Campaign]]

    def moved(self, campaign_id: int) -> Campaign:
        campaign = self.campaign(campaign_id)
        self.body()
        type(self).service(campaign=campaign, by=self.person)
        return self.campaign(campaign_id)


@route("campaigns/<int:campaign_id>/open/", "api_campaign_open")
class CampaignOpen(CampaignMove):
    service = services.open_campaign

    @operation("Open a campaign", result=CampaignSerializer)
    def post(self, campaign_id: int) -> object:
        """Freezes the rubric and creates an assignment for every planned review."""
        return self.moved(campaign_id)


@route("campaigns/<int:campaign_id>/pause/", "api_campaign_pause")
class CampaignPause(CampaignMove):
    service = services.pause_campaign

    @operation("Pause a campaign", result=CampaignSerializer)
    def post(self, campaign_id: int) -> object:
        """Reviewers get no more items; reviews that are open on a screen can still be submitted."""
        return self.moved(campaign_id)


@route("campaigns/<int:campaign_id>/resume/", "api_campaign_resume")
class CampaignResume(CampaignMove):
    service = services.resume_campaign

    @operation("Resume a campaign", result=CampaignSerializer)
    def post(self, campaign_id: int) -> object:
        return self.moved(campaign_id)


@route("campaigns/<int:campaign_id>/close/", "api_campaign_close")
class CampaignClose(CampaignMove):
    service = services.close_campaign

    @operation("Close a campaign", result=CampaignSerializer)
    def post(self, campaign_id: int) -> object:
        """No review can be submitted or amended any more."""
        return self.moved(campaign_id)
