from collections import defaultdict
from collections.abc import Hashable
from typing import NamedTuple

from django.db.models import Avg, Count, Q, QuerySet

from evalapp.accounts.models import Project, User
from evalapp.analysis.scores.campaign_scores import rescaled
from evalapp.campaigns.models import Campaign, ItemOutput, Purpose
from evalapp.exports.models import Export, ExportRow, ExportState, RowDecision, RowKind
from evalapp.exports.selection import GivenCorrection, ReviewedOutput
from evalapp.jobs.models import JobState
from evalapp.reviews.models import Correction, Review, Score
from evalapp.reviews.reviewer_types import of_reviewer_type
from evalapp.rubrics.kinds import with_mean
from evalapp.rubrics.models import Criterion
from evalapp.runs.models import Run, RunKind
from evalapp.stats.scores import weighted_total

UNSUCCESSFUL = [JobState.FAILED, JobState.DEAD, JobState.CANCELLED]
ACCEPTED = [RowDecision.ACCEPTED, RowDecision.EDITED]


def exports_of(project: Project) -> QuerySet[Export]:
    return (
        project.exports.select_related("campaign", "dataset_version__dataset", "created_by", "job")
        .annotate(
            included=Count("rows", filter=Q(rows__is_included=True)),
            accepted=Count("rows", filter=Q(rows__decision__in=ACCEPTED)),
            undecided=Count("rows", filter=Q(rows__is_included=True, rows__decision=RowDecision.PENDING)),
        )
        .order_by("-id")
    )


def is_open(export: Export) -> bool:
    """Whether its rows can still be decided on."""
    return Export.objects.filter(open_for_decisions(), pk=export.pk).exists()


def is_trained(export: Export) -> bool:
    """Whether a training of the dataset version made from it was started."""
    return (
        export.dataset_version_id is not None
        and Run.objects.filter(dataset_version=export.dataset_version_id, kind=RunKind.TRAINING).exists()
    )


def open_for_decisions() -> Q:
    """Exports whose rows can still change: open ones, and those whose writing job ended without success."""
    return Q(state=ExportState.OPEN) | Q(state=ExportState.WRITING, job__state__in=UNSUCCESSFUL)


class RowCounts(NamedTuple):
    """Numbers of proposed rows: in and out, and the decisions on those that are in."""

    included: int
    left_out: int
    pending: int
    accepted: int
    rejected: int


def row_counts(export: Export) -> RowCounts:
    counts = export.rows.aggregate(
        included=Count("id", filter=Q(is_included=True)),
        left_out=Count("id", filter=Q(is_included=False)),
        pending=Count("id", filter=Q(is_included=True, decision=RowDecision.PENDING)),
        accepted=Count("id", filter=Q(is_included=True, decision__in=ACCEPTED)),
        rejected=Count("id", filter=Q(is_included=True, decision=RowDecision.REJECTED)),
    )
    return RowCounts(**counts)


def proposed_rows(export: Export, *, kind: str = "", show: str = "") -> QuerySet[ExportRow]:
    """The proposed rows, filtered by kind and by state.

    ``show`` is one of "" (all), "in", "out", "pending", "accepted", "rejected".
    """
    rows = export.rows.select_related(
        "example__version",
        "review__reviewer",
        "rejected_output__candidate",
        "chosen_output__candidate",
        "decided_by",
    )
    if kind in RowKind.values:
        rows = rows.filter(kind=kind)
    filtered = {
        "in": Q(is_included=True),
        "out": Q(is_included=False),
        "pending": Q(is_included=True, decision=RowDecision.PENDING),
        "accepted": Q(decision__in=ACCEPTED),
        "rejected": Q(decision=RowDecision.REJECTED),
    }.get(show)
    if filtered is not None:
        rows = rows.filter(filtered)
    return rows


def decidable_rows(export: Export, by: User) -> QuerySet[ExportRow]:
    """Included, undecided rows that this person did not author."""
    return export.rows.filter(is_included=True, decision=RowDecision.PENDING).exclude(review__reviewer=by)


def accepted_rows(export: Export, kind: RowKind) -> QuerySet[ExportRow]:
    return (
        export.rows.filter(is_included=True, kind=kind, decision__in=ACCEPTED)
        .select_related("export", "example", "review", "rejected_output", "chosen_output")
        .order_by("id")
    )


def reviewed_outputs(campaign: Campaign) -> list[ReviewedOutput]:
    """Each reviewed output with its weighted mean over scale criteria, rescaled to 1–5."""
    counted = Q(reviews__purpose=Purpose.REVIEW)
    means = _weighted_means(campaign)
    failed = _failed_on(campaign)
    outputs = (
        ItemOutput.objects.filter(item__campaign=campaign, item__purpose=Purpose.REVIEW)
        .select_related("output", "item")
        .annotate(
            reviews_given=Count("reviews", filter=counted, distinct=True),
            simulated_given=Count("reviews", filter=counted & Q(reviews__is_simulated=True), distinct=True),
        )
        .order_by("item__example__row_number", "id")
    )
    return [
        ReviewedOutput(
            output_id=entry.output_id,
            example_id=entry.item.example_id,
            text=entry.output.text,
            mean=means.get(entry.pk),
            reviews=entry.reviews_given,
            failed_on=failed.get(entry.pk, ""),
            is_simulated=entry.simulated_given > 0,
        )
        for entry in outputs.iterator(chunk_size=2000)
    ]


def _failed_on(campaign: Campaign) -> dict[int, str]:
    """By item output: the first critical criterion, in rubric order, on which a reviewer failed it."""
    failed: dict[int, str] = {}
    for criterion in Criterion.objects.filter(version=campaign.rubric_version, is_critical=True):
        scores = Score.objects.filter(
            review__campaign=campaign,
            review__purpose=Purpose.REVIEW,
            criterion=criterion,
            value__in=criterion.failing_levels,
        )
        for item_output_id in scores.values_list("review__item_output_id", flat=True):
            failed.setdefault(item_output_id, criterion.name)
    return failed


def _weighted_means(campaign: Campaign) -> dict[int, float]:
    """By item output: the weighted mean over scale criteria of the reviewers' means, on 1–5."""
    criteria = {
        criterion.pk: criterion
        for criterion in Criterion.objects.filter(version=campaign.rubric_version, kind__in=with_mean())
    }
    weights: dict[Hashable, float] = {pk: float(criterion.weight) for pk, criterion in criteria.items()}
    per_criterion = (
        Score.objects.filter(
            review__campaign=campaign,
            review__purpose=Purpose.REVIEW,
            criterion__in=criteria,
            value__isnull=False,
        )
        .values_list("review__item_output_id", "criterion_id")
        .annotate(mean=Avg("value"))
    )
    means: dict[int, dict[Hashable, float | None]] = defaultdict(dict)
    for item_output_id, criterion_id, mean in per_criterion.iterator(chunk_size=5000):
        means[item_output_id][criterion_id] = rescaled(float(mean), criteria[criterion_id])
    totals = {item_output_id: weighted_total(given, weights) for item_output_id, given in means.items()}
    return {pk: total.value for pk, total in totals.items() if total.value is not None}


def given_corrections(campaign: Campaign) -> list[GivenCorrection]:
    corrections = (
        Correction.objects.filter(review__campaign=campaign, review__purpose=Purpose.REVIEW)
        .select_related("review__item_output__output", "review__item_output__item")
        .order_by("review__item_output__item__example__row_number", "id")
    )
    return [
        GivenCorrection(
            review_id=correction.review_id,
            output_id=correction.review.rated.output_id,
            example_id=correction.review.rated.item.example_id,
            text=correction.text,
            corrected_text=correction.review.rated.output.text,
            is_simulated=correction.review.is_simulated,
        )
        for correction in corrections.iterator(chunk_size=2000)
    ]


def ratings_of(campaign: Campaign) -> QuerySet[Review]:
    """The reviews that may be exported: simulated ones only from a demonstration."""
    reviews = campaign.reviews.filter(
        of_reviewer_type(campaign.project), purpose=Purpose.REVIEW, item_output__isnull=False
    )
    return (
        reviews.select_related(
            "item_output__item__example",
            "item_output__candidate__model_version",
            "item_output__output",
            "correction",
        )
        .prefetch_related("scores__criterion", "tags__tag", "texts__criterion", "spans__criterion")
        .order_by("id")
    )
