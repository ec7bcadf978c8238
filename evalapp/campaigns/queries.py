"""Read queries on campaigns, for those who run them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from django.db.models import (
    Case,
    Count,
    Exists,
    IntegerField,
    OuterRef,
    Prefetch,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Value,
    When,
)
from django.db.models.functions import Coalesce
from django.forms import model_to_dict

from evalapp.accounts.models import Project, User
from evalapp.accounts.permissions import PERMISSIONS, Permission
from evalapp.campaigns.checks import gold_examples
from evalapp.campaigns.choice import (
    MOST_STRATA,
    items_with_larger_overlap,
    number_of_assignments,
    shares_by_stratum,
)
from evalapp.campaigns.comparisons import work_of
from evalapp.campaigns.design import CampaignDesign
from evalapp.campaigns.item_groups import expected_groups
from evalapp.campaigns.models import (
    Assignment,
    AssignmentState,
    Campaign,
    CampaignReviewer,
    CampaignState,
    Item,
    Method,
    Purpose,
    Skip,
)
from evalapp.campaigns.opening import answered_examples, coverage_of, strata_of
from evalapp.campaigns.repeats import checks_expected
from evalapp.datasets.models import DatasetVersion, Split, VersionState
from evalapp.jobs.models import JobState
from evalapp.registry.models import ModelVersion
from evalapp.rubrics.models import RubricVersion
from evalapp.runs.models import Run, RunCandidate

# Assumed before there are reviews: the time to read and rate a paragraph or two.
ASSUMED_SECONDS = 90
ITEM_LISTS = {
    AssignmentState.AVAILABLE.value: "Available",
    AssignmentState.IN_PROGRESS.value: "In progress",
    "skipped": "Skipped",
}
_ORDER = (CampaignState.OPEN, CampaignState.PAUSED, CampaignState.DRAFT, CampaignState.CLOSED)


def campaigns_of(project: Project) -> QuerySet[Campaign]:
    """The project's campaigns with ``reviews_done``, ``people`` and ``candidate_count``."""
    campaign_reviewers = (
        CampaignReviewer.objects.filter(campaign=OuterRef("pk")).order_by().values("campaign")
    )
    candidates = (
        Campaign.objects.filter(pk=OuterRef("pk")).values("pk").annotate(n=Count("candidates")).values("n")
    )
    return (
        Campaign.objects.filter(project=project)
        .select_related("rubric_version__rubric", "dataset_version__dataset", "project")
        .annotate(
            reviews_done=Coalesce(
                Subquery(campaign_reviewers.annotate(n=Sum("reviews_done")).values("n")), 0
            ),
            people=Coalesce(
                Subquery(campaign_reviewers.filter(left_at=None).annotate(n=Count("pk")).values("n")), 0
            ),
            candidate_count=Subquery(candidates),
        )
    )


def in_state_order(campaigns: QuerySet[Campaign]) -> QuerySet[Campaign]:
    """Adds ``state_order``: running ones first, closed ones last."""
    cases = [When(state=state, then=Value(position)) for position, state in enumerate(_ORDER)]
    return campaigns.annotate(state_order=Case(*cases, output_field=IntegerField()))


def design_of(campaign: Campaign) -> dict[str, Any]:
    """The campaign's design as the design form's initial values."""
    own = ("name", "rubric_version", "dataset_version", "split", "overlap", "instructions", "lease_minutes")
    choices = ("shows_reference", "allows_corrections", "is_blind", "leaves_out_incomplete", "deadline")
    size = (
        *("item_choice", "examples_wanted", "samples", "stratify_by"),
        *("overlap_more", "distribution", "quota"),
    )
    compared = ("method", "baseline")
    checks = ("gold_share", "repeat_share", "calibration_items")
    return {
        **model_to_dict(campaign, fields=own + choices + size + compared + checks),
        "overlap_share": campaign.overlap_share or None,
        "candidates": list(campaign.candidates.values_list("model_version", flat=True)),
        "reviewers": list(campaign.reviewers.filter(left_at=None).values_list("user", flat=True)),
    }


class AssignmentCounts(NamedTuple):
    available: int
    in_progress: int
    submitted: int

    @property
    def total(self) -> int:
        return self.available + self.in_progress + self.submitted


def assignment_counts(campaign: Campaign) -> AssignmentCounts:
    counts = dict(
        Assignment.objects.filter(campaign=campaign, purpose=Purpose.REVIEW)
        .values_list("state")
        .annotate(Count("id"))
        .order_by()
    )
    return AssignmentCounts(
        *(
            counts.get(state, 0)
            for state in (AssignmentState.AVAILABLE, AssignmentState.IN_PROGRESS, AssignmentState.SUBMITTED)
        )
    )


def is_reviewing_blind(campaign: Campaign, person: User) -> bool:
    """Whether the person still reviews blind in this campaign, and so should not see its results."""
    return campaign.is_blind and is_reviewing(campaign, person)


def is_reviewing(campaign: Campaign, person: User) -> bool:
    """Whether the person is a reviewer of this campaign and reviews are still to come."""
    campaign_reviewers = campaign.reviewers.filter(user=person, left_at=None)
    done = campaign.reviewers.aggregate(reviews=Sum("reviews_done"))["reviews"] or 0
    is_running = campaign.state != CampaignState.CLOSED and done < campaign.reviews_total
    return is_running and campaign_reviewers.exists()


def waiting_for_admission(project: Project) -> list[tuple[int, str, int]]:
    """Running campaigns, latest first, with id, name, and how many reviewers have completed their calibration
    and are not yet admitted.
    """
    round_of = Assignment.objects.filter(
        campaign=OuterRef("campaign"), assigned_to=OuterRef("user"), purpose=Purpose.CALIBRATION
    )
    waiting = (
        CampaignReviewer.objects.filter(
            Exists(round_of),
            ~Exists(round_of.exclude(state=AssignmentState.SUBMITTED)),
            campaign__project=project,
            campaign__state__in=[CampaignState.OPEN, CampaignState.PAUSED],
            campaign__calibration_items__gt=0,
            admitted_at=None,
            left_at=None,
        )
        .values_list("campaign", "campaign__name")
        .annotate(people=Count("pk"))
        .order_by("-campaign")
    )
    return list(waiting)


def reviewers_with_assignments(campaign: Campaign) -> QuerySet[CampaignReviewer]:
    """Campaign reviewers with ``in_progress``, ``assignments_submitted`` and ``waiting`` (assigned, not
    started) assignments, most reviews first; by name in projects that hide reviewers' names.
    """
    assignments = Assignment.objects.filter(
        campaign=OuterRef("campaign"), reviewer=OuterRef("user"), purpose=Purpose.REVIEW
    ).order_by()
    assigned = Assignment.objects.filter(
        campaign=OuterRef("campaign"),
        assigned_to=OuterRef("user"),
        state=AssignmentState.AVAILABLE,
        purpose=Purpose.REVIEW,
    ).order_by()
    waiting = assigned.values("assigned_to").annotate(n=Count("id")).values("n")

    def count(state: str) -> Coalesce:
        counted = assignments.filter(state=state).values("reviewer").annotate(n=Count("id")).values("n")
        return Coalesce(Subquery(counted), 0)

    by_work = ("left_at", "-reviews_done", "user__name", "pk")
    order = by_work if campaign.project.shows_reviewer_names else ("user__name", "pk")
    return (
        campaign.reviewers.select_related("user")
        .annotate(
            in_progress=count(AssignmentState.IN_PROGRESS),
            assignments_submitted=count(AssignmentState.SUBMITTED),
            waiting=Coalesce(Subquery(waiting), 0),
        )
        .order_by(*order)
    )


def waiting_for_anybody(campaign: Campaign) -> int:
    """Number of available assignments in the shared queue."""
    return campaign.assignments.filter(state=AssignmentState.AVAILABLE, assigned_to=None).count()


def items_with_progress(campaign: Campaign) -> QuerySet[Item]:
    """Items with ``submitted``, ``in_progress`` and ``reviews_done``, and ``skips_given`` by people who chose
    to skip them; page them by ``id``.
    """
    counted = Q(assignments__purpose=Purpose.REVIEW)
    return (
        campaign.items.filter(purpose=Purpose.REVIEW)
        .select_related("example")
        .annotate(
            submitted=Count("assignments", filter=counted & Q(assignments__state=AssignmentState.SUBMITTED)),
            in_progress=Count(
                "assignments", filter=counted & Q(assignments__state=AssignmentState.IN_PROGRESS)
            ),
            reviews_done=Coalesce(Sum("assignments__reviews_done", filter=counted), 0),
        )
        .prefetch_related(
            Prefetch(
                "skips", queryset=Skip.objects.filter(is_lapse=False).order_by("pk"), to_attr="skips_given"
            )
        )
        .order_by("id")
    )


def items_in_list(items: QuerySet[Item], name: str) -> QuerySet[Item]:
    """The ``items`` with an available, in-progress or skipped assignment, as ``name`` (of `ITEM_LISTS`) says;
    "" for all.
    """
    if not name:
        return items
    if name == "skipped":
        return items.filter(Exists(Skip.objects.filter(item=OuterRef("pk"), is_lapse=False)))
    return items.filter(
        Exists(Assignment.objects.filter(item=OuterRef("pk"), purpose=Purpose.REVIEW, state=name))
    )


def possible_reviewers(project: Project) -> QuerySet[User]:
    """Members whose role may review; simulated reviewers come last."""
    roles = [role for role, permissions in PERMISSIONS.items() if Permission.REVIEW in permissions]
    members = project.memberships.filter(role__in=roles).values("user")
    return User.objects.filter(pk__in=members).order_by("is_simulated", "name", "email")


def usable_rubrics(project: Project) -> QuerySet[RubricVersion]:
    """Rubric versions with criteria, newest first."""
    return (
        RubricVersion.objects.filter(rubric__project=project, criteria__isnull=False)
        .select_related("rubric")
        .distinct()
        .order_by("-id")
    )


def usable_datasets(project: Project) -> QuerySet[DatasetVersion]:
    return (
        DatasetVersion.objects.filter(dataset__project=project, state=VersionState.READY)
        .select_related("dataset")
        .order_by("-id")
    )


def answered_data(project: Project) -> tuple[int, str] | None:
    """The newest usable dataset version for which candidates have outputs, and the split to use for a
    campaign: test, else feedback, else validation; None without one. Test is also returned if only
    training rows have outputs.
    """
    runs = Run.objects.filter(
        project=project,
        dataset_version__in=usable_datasets(project).order_by().values("pk"),
        job__state=JobState.SUCCEEDED,
        candidates__isnull=False,
    ).order_by("-dataset_version", "-pk")
    newest = runs.values_list("dataset_version", flat=True).first()
    if newest is None:
        return None
    answered = {
        split
        for splits in runs.filter(dataset_version=newest).values_list("splits", flat=True)
        for split in splits
    }
    held_out = (Split.TEST, Split.FEEDBACK, Split.VALIDATION)
    return newest, next((split for split in held_out if split in answered), Split.TEST)


def possible_candidates(project: Project) -> QuerySet[ModelVersion]:
    """Model versions of a generation or an import, newest first."""
    answering = RunCandidate.objects.filter(run__project=project).values("model_version")
    return (
        ModelVersion.objects.filter(project=project, pk__in=answering).select_related("model").order_by("-id")
    )


class Cost(NamedTuple):
    """The reviewer effort of a design, with `ASSUMED_SECONDS` for each review.

    ``strata``: (value of the field to stratify by, items chosen, items available). ``groups``: groups of rows
    that the items come from; None if each item is its own group. ``candidates``: the number of reviews of an
    item by one reviewer, each of a ``unit``: "candidate", "pair" or "ranking".
    """

    items: int
    left_out: int
    candidates: int
    overlap: int
    people: int
    overlap_share: int = 0
    overlap_more: int | None = None
    quota: int | None = None
    not_chosen: int = 0
    strata: tuple[tuple[str, int, int], ...] = ()
    unit: str = "candidate"
    gold_share: int = 0
    repeat_share: int = 0
    calibration_items: int = 0
    gold_items: int | None = None
    groups: int | None = None
    samples: int = 1

    @property
    def checks(self) -> int:
        """Approximate number of reviews for gold, repeats and calibration."""
        expected = checks_expected(
            self.assignments,
            self.people,
            gold_share=self.gold_share,
            gold_items=self.gold_items,
            repeat_share=self.repeat_share,
            calibration_items=self.calibration_items,
        )
        return expected * self.candidates

    @property
    def items_with_larger_overlap(self) -> int:
        return items_with_larger_overlap(self.items, self.overlap_share) if self.overlap_more else 0

    @property
    def assignments(self) -> int:
        return number_of_assignments(
            self.items, overlap=self.overlap, share=self.overlap_share, more=self.overlap_more
        )

    @property
    def reviews(self) -> int:
        return self.assignments * self.candidates

    @property
    def most_overlap(self) -> int:
        return max(self.overlap, self.overlap_more or 0)

    @property
    def share_items(self) -> int:
        """Items per person under equal shares; nobody gets an item twice."""
        return min(self.items, -(-self.assignments // self.people)) if self.people else 0

    @property
    def share_checks(self) -> int:
        """Approximate number of checking reviews per person."""
        return -(-self.checks // self.people) if self.people else 0

    @property
    def share(self) -> int:
        """Reviews per person under equal shares."""
        return self.share_items * self.candidates + self.share_checks

    @property
    def is_over_quota(self) -> bool:
        return self.quota is not None and self.assignments > self.people * min(self.quota, self.items)

    @property
    def seconds(self) -> int:
        return (self.reviews + self.checks) * ASSUMED_SECONDS

    @property
    def share_seconds(self) -> int:
        """`seconds` per person under equal shares."""
        return -(-self.seconds // self.people) if self.people else 0


class CostInputs(NamedTuple):
    """The part of a design that `cost_of` reads; a form's values or a draft's."""

    dataset_version_id: int
    split: str
    candidate_ids: list[int]
    people: int
    overlap: int
    overlap_share: int = 0
    overlap_more: int | None = None
    quota: int | None = None
    examples_wanted: int | None = None
    samples: int = 1
    stratify_by: str = ""
    method: str = Method.POINTWISE
    has_baseline: bool = False
    gold_share: int = 0
    repeat_share: int = 0
    calibration_items: int = 0
    gold_examples: int = 0
    picked: Sequence[int] | None = None


def cost_of(design: CostInputs) -> Cost:
    """The effort of a design; invalid parts are left to the checks of `design`."""
    material: dict[str, Any] = {
        "dataset_version_id": design.dataset_version_id,
        "split": design.split,
        "candidate_ids": design.candidate_ids,
        "samples": design.samples,
        "picked": design.picked,
    }
    coverage = coverage_of(**material)
    available = max(0, coverage.complete - design.calibration_items - design.gold_examples)
    drawn = available if design.examples_wanted is None else min(design.examples_wanted, available)
    groups = None
    if coverage.complete:
        groups = expected_groups(answered_examples(**material), drawn, samples=design.samples)
    strata: dict[str, int] = {}
    if design.stratify_by and drawn:
        strata = strata_of(**material, field=design.stratify_by)
    shares = shares_by_stratum(strata, drawn) if 1 < len(strata) <= min(drawn, MOST_STRATA) else {}
    work = work_of(design.method, len(design.candidate_ids), has_baseline=design.has_baseline)
    return Cost(
        items=drawn * design.samples,
        left_out=coverage.examples - coverage.complete,
        candidates=work.times,
        unit=work.unit,
        overlap=design.overlap,
        people=design.people,
        overlap_share=design.overlap_share,
        overlap_more=design.overlap_more,
        quota=design.quota,
        not_chosen=available - drawn,
        gold_share=design.gold_share,
        repeat_share=design.repeat_share,
        calibration_items=design.calibration_items,
        gold_items=design.gold_examples or None,
        groups=groups,
        samples=design.samples,
        strata=tuple((name or "(empty)", share, strata[name]) for name, share in shares.items()),
    )


def cost_of_design(design: CampaignDesign) -> Cost:
    """The effort of a checked design."""
    return cost_of(
        CostInputs(
            dataset_version_id=design.dataset_version.pk,
            split=design.split,
            candidate_ids=[candidate.pk for candidate in design.candidates],
            people=len(design.reviewers),
            overlap=design.overlap,
            overlap_share=design.overlap_share,
            overlap_more=design.overlap_more,
            quota=design.quota,
            examples_wanted=design.examples_wanted,
            samples=design.samples,
            stratify_by=design.stratify_by,
            method=design.method,
            has_baseline=design.baseline is not None,
            gold_share=design.gold_share,
            repeat_share=design.repeat_share,
            calibration_items=design.calibration_items,
        )
    )


def cost_of_draft(campaign: Campaign) -> Cost:
    """The effort of a draft in its current state."""
    return cost_of(
        CostInputs(
            dataset_version_id=campaign.dataset_version_id,
            split=campaign.split,
            candidate_ids=list(campaign.candidates.values_list("model_version", flat=True)),
            people=campaign.reviewers.filter(left_at=None).count(),
            overlap=campaign.overlap,
            overlap_share=campaign.overlap_share,
            overlap_more=campaign.overlap_more,
            quota=campaign.quota,
            examples_wanted=campaign.examples_wanted,
            samples=campaign.samples,
            stratify_by=campaign.stratify_by,
            method=campaign.method,
            has_baseline=campaign.baseline_id is not None,
            gold_share=campaign.gold_share,
            repeat_share=campaign.repeat_share,
            calibration_items=campaign.calibration_items,
            gold_examples=gold_examples(campaign),
            picked=campaign.picked_examples,
        )
    )
