"""Reads of gates."""

from typing import NamedTuple

from django.db.models import Count, Min, QuerySet

from evalapp.accounts.models import Project
from evalapp.campaigns.models import Campaign, Purpose
from evalapp.core.errors import InvalidError
from evalapp.gates.models import CampaignGate, Gate, GateEvaluation, Ledger
from evalapp.registry.models import ModelVersion
from evalapp.reviews.models import Review


def gates_of(project: Project) -> QuerySet[Gate]:
    """The project's gates, one row for each version, with ``campaigns``: how many apply it."""
    return project.gates.select_related("project", "rubric", "created_by").annotate(
        campaigns=Count("applications", distinct=True)
    )


def has_reviews(campaign: Campaign) -> bool:
    """Whether the campaign has a review, so that a gate applied now is exploratory."""
    return Review.objects.filter(campaign=campaign, purpose=Purpose.REVIEW).exists()


def added_later(campaign: Campaign) -> set[int]:
    """Users who became reviewers after the campaign's first review; empty for imported ratings, whose
    reviewers come with them.
    """
    if campaign.is_imported:
        return set()
    first = Review.objects.filter(campaign=campaign, purpose=Purpose.REVIEW).aggregate(Min("created_at"))
    return set(
        campaign.reviewers.filter(created_at__gt=first["created_at__min"]).values_list("user", flat=True)
    )


def applied_gates(campaign: Campaign) -> list[CampaignGate]:
    """The gates applied to the campaign: its own first, then exploratory ones, newest first."""
    return list(
        # Prefetched, not joined: most campaigns have no gate and then need no further query.
        campaign.applied_gates.order_by("is_exploratory", "-id").prefetch_related(
            "gate__rubric", "champion", "applied_by"
        )
    )


def deciding_gate(project_id: int) -> CampaignGate | None:
    """The project's deciding gate: the newest that was applied to a campaign before its first review; None
    without one. With it, no release bypasses a gate, whatever campaign the candidate was rated in.
    """
    return (
        CampaignGate.objects.filter(campaign__project=project_id, is_exploratory=False)
        .select_related("gate", "campaign")
        .order_by("-id")
        .first()
    )


def evaluations_of(campaign_gate: CampaignGate) -> QuerySet[GateEvaluation]:
    """The recorded evaluations, newest first, without the lists of reviews."""
    return (
        campaign_gate.evaluations.select_related("candidate", "ledger", "evaluated_by")
        .defer("reviews")
        .order_by("-id")
    )


def last_evaluation(campaign_gate: CampaignGate) -> GateEvaluation | None:
    return evaluations_of(campaign_gate).first()


def ledger_of(campaign: Campaign) -> Ledger | None:
    """How the budget was spent so far on what the campaign tests; None before the first evaluation."""
    return (
        Ledger.objects.filter(dataset_version=campaign.dataset_version_id, split=campaign.split)
        .select_related("dataset_version__dataset")
        .first()
    )


class LedgerRow(NamedTuple):
    challenger: int
    candidate: ModelVersion
    campaign: Campaign
    evaluations: int
    reviews: int
    planned: int
    verdict: str


def ledger_rows(ledger: Ledger) -> list[LedgerRow]:
    """One row for each candidate and campaign, in the order of their first evaluation."""
    evaluations = (
        ledger.evaluations.select_related("candidate", "campaign_gate__campaign")
        .defer("reviews", "record")
        .order_by("challenger", "number")
    )
    rows: dict[int, LedgerRow] = {}
    for each in evaluations:
        number = each.challenger or 0
        before = rows[number].evaluations if number in rows else 0
        planned = each.planned or 0
        reviews = round((each.share or 0) * planned)
        rows[number] = LedgerRow(
            number,
            each.candidate,
            each.campaign_gate.campaign,
            before + 1,
            reviews,
            planned,
            each.get_verdict_display(),
        )
    return list(rows.values())


def choices_of(campaign_gate: CampaignGate) -> list[ModelVersion]:
    """The candidates that the gate can be evaluated on: all but the champion, likeliest first.

    That is the newest tuned one, then the others by age.
    """
    entries = campaign_gate.campaign.candidates.select_related("model_version__model").order_by(
        "-model_version_id"
    )
    versions = [
        entry.model_version for entry in entries if entry.model_version_id != campaign_gate.champion_id
    ]
    return sorted(versions, key=lambda version: not version.is_tuned)


def candidate_named(campaign_gate: CampaignGate, label: str) -> ModelVersion:
    """The candidate with this label, or without one the only likely one. Raises InvalidError naming the
    choices.
    """
    choices = choices_of(campaign_gate)
    named = ", ".join(version.label for version in choices)
    if label:
        found = next((version for version in choices if version.label == label), None)
        if found is None:
            raise InvalidError(
                f"There is no candidate “{label}” to evaluate the gate on. There is: {named}.",
                field="candidate",
            )
        return found
    tuned = [version for version in choices if version.is_tuned]
    if len(choices) == 1 or tuned:
        return (tuned or choices)[0]
    raise InvalidError(f"Choose a candidate: {named}.", field="candidate")
