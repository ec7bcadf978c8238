"""Recorded evaluations of a gate: its conditions on the reviews so far, at the budget's level."""

import json
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, NamedTuple, cast

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from evalapp.accounts.models import User
from evalapp.analysis.scores.campaign_scores import CampaignScores, load_scores
from evalapp.analysis.scores.counterfactual_items import NO_ITEMS, counterfactual_items
from evalapp.audit.services import record
from evalapp.campaigns.allocation import block_submissions
from evalapp.campaigns.models import Campaign, CampaignCandidate, CampaignState
from evalapp.core.errors import ConflictError, InvalidError
from evalapp.datasets.models import Split
from evalapp.dossier import digest, digest_of_reviews
from evalapp.gates.conditions import ConditionKind
from evalapp.gates.lineage import (
    CleanCheck,
    TrainingData,
    clean_check,
    describe_candidate,
    describe_dataset_version,
    training_data_of,
)
from evalapp.gates.manifest import review_lines
from evalapp.gates.measuring import Inputs, Outcome, measure
from evalapp.gates.models import CampaignGate, GateEvaluation, Ledger
from evalapp.gates.queries import added_later
from evalapp.gates.reviews_needed import planned_challengers, planned_reviews
from evalapp.registry.models import ModelVersion
from evalapp.stats.populations import Population
from evalapp.stats.sequential import Spending, interim_level

# The level of an evaluation that is too early, or too soon after the last, to have one; a result that passes
# even at this level is practically certain.
SMALLEST_LEVEL = 1e-9
DEVELOPMENT = (Split.TRAIN, Split.VALIDATION)


@dataclass(frozen=True)
class LedgerEntry:
    """An evaluation's place: on a ledger with its numbers, or off it. ``why``: why it is off it."""

    level: float
    ledger: Ledger | None = None
    challenger: int | None = None
    number: int | None = None
    planned: int | None = None
    share: float | None = None
    why_off_ledger: str = ""
    end_level: float | None = None
    """At the planned end, if no other evaluation comes before it; None beside the ledger, where every
    evaluation has ``level``.
    """

    @property
    def is_last(self) -> bool:
        return self.share is not None and self.share >= 1


@dataclass(frozen=True)
class _Evidence:
    """All data of an evaluation, read while nothing can be submitted."""

    scores: CampaignScores
    candidate: CampaignCandidate
    champion: CampaignCandidate | None
    training: TrainingData
    clean: CleanCheck
    lines: list[str]
    is_simulated: bool
    added_later: set[int]

    @property
    def candidate_reviews(self) -> int:
        """The number of reviews of the candidate."""
        answers = self.scores.answers
        mine = {(a.item_id, a.reviewer_id) for a in answers if a.candidate_id == self.candidate.pk}
        return len(mine)

    @cached_property
    def reviews_digest(self) -> str:
        return digest_of_reviews(self.lines)


class RecordedEvaluation(NamedTuple):
    """``is_new``: False if no review came since the last evaluation, which then stands and spends nothing."""

    evaluation: GateEvaluation
    is_new: bool


@transaction.atomic
def evaluate_gate(
    *, campaign_gate: CampaignGate, candidate: ModelVersion, by: User | None
) -> RecordedEvaluation:
    """Evaluate the gate on a candidate and record it; on the ledger, unless it is exploratory or simulated.

    Raises InvalidError for a draft, a candidate of another campaign, the champion, or without a review;
    ConflictError if no budget is left for it, or a standard gate's reviews are not all in.
    """
    evidence = _read_evidence(campaign_gate, candidate)
    last = campaign_gate.evaluations.filter(candidate=candidate).order_by("-id").first()
    if last is not None and last.reviews_digest == evidence.reviews_digest:
        return RecordedEvaluation(last, is_new=False)
    ledger_entry = _ledger_entry(campaign_gate, candidate, evidence)
    outcome = measure(
        campaign_gate.gate.parsed_conditions,
        Inputs(
            scores=evidence.scores,
            candidate=evidence.candidate,
            champion=evidence.champion,
            level=ledger_entry.level,
            clean=evidence.clean,
            is_last=ledger_entry.is_last,
            end_level=ledger_entry.end_level or ledger_entry.level,
            population=Population(campaign_gate.gate.population),
            remaining=max((ledger_entry.planned or 0) - evidence.candidate_reviews, 0),
            counterfactuals=(
                counterfactual_items(campaign_gate.campaign)
                if any(
                    each.kind == ConditionKind.COUNTERFACTUAL for each in campaign_gate.gate.parsed_conditions
                )
                else NO_ITEMS
            ),
        ),
    )
    evaluation = _store_evaluation(campaign_gate, evidence, ledger_entry, outcome, by)
    data = {
        "campaign": campaign_gate.campaign_id,
        "verdict": evaluation.verdict,
        "number": evaluation.number,
        "body_hash": evaluation.body_hash,
    }
    record("gate.evaluated", by=by, obj=evaluation, project=campaign_gate.campaign.project, data=data)
    return RecordedEvaluation(evaluation, is_new=True)


def _read_evidence(campaign_gate: CampaignGate, candidate: ModelVersion) -> _Evidence:
    campaign = campaign_gate.campaign
    if campaign.state == CampaignState.DRAFT:
        raise InvalidError(f"{campaign} has not been opened, so there is nothing to evaluate.")
    entries = {
        entry.model_version_id: entry
        for entry in campaign.candidates.select_related("model_version__base").order_by("position")
    }
    problem = ""
    if candidate.pk not in entries:
        problem = f"{candidate.label} is not a candidate of {campaign}."
    elif candidate.pk == campaign_gate.champion_id:
        problem = (
            f"{candidate.label} is the champion that the others are compared with. Choose another candidate."
        )
    if problem:
        raise InvalidError(problem, field="candidate")
    training = training_data_of(candidate)
    attestation = campaign.attestations.filter(candidate=candidate).first()
    clean = clean_check(campaign, training, attestation)
    # Locked, so that the measured and the listed reviews are the same, and evaluations run one after the
    # other.
    block_submissions(campaign.pk)
    scores = _scores_to_evaluate(campaign)
    is_simulated = any(answer.is_simulated for answer in scores.answers)
    lines = review_lines(campaign, is_simulated=is_simulated)
    if not lines:
        raise InvalidError(f"{campaign} has no review yet, so there is nothing to evaluate.")
    champion = entries.get(campaign_gate.champion_id) if campaign_gate.champion_id else None
    return _Evidence(
        scores,
        entries[candidate.pk],
        champion,
        training,
        clean,
        lines,
        is_simulated,
        added_later(campaign),
    )


def _scores_to_evaluate(campaign: Campaign) -> CampaignScores:
    """People's scores; simulated reviews only if there are no others, and then without consequences."""
    scores = load_scores(campaign, reviewer_type="human")
    if scores.answers or not campaign.project.is_demonstration:
        return scores
    return load_scores(campaign, reviewer_type="simulated")


def _ledger_entry(campaign_gate: CampaignGate, candidate: ModelVersion, evidence: _Evidence) -> LedgerEntry:
    """The evaluation's place on the ledger, which this transaction then locks, or why it has none."""
    alpha = campaign_gate.gate.alpha
    if evidence.is_simulated:
        return LedgerEntry(alpha, why_off_ledger="only simulated reviewers have rated")
    if campaign_gate.is_exploratory:
        return LedgerEntry(alpha, why_off_ledger="the gate was applied after the first review")
    if campaign_gate.campaign.split in DEVELOPMENT:
        return LedgerEntry(alpha, why_off_ledger="prompts and checkpoints are chosen on these rows")
    ledger = _locked_ledger(campaign_gate)
    numbers = challengers_of(ledger)
    challenger = numbers.get((candidate.pk, campaign_gate.campaign_id), max(numbers.values(), default=0) + 1)
    if challenger > ledger.challengers:
        Ledger.objects.filter(pk=ledger.pk, spent_at=None).update(spent_at=Now())
        words = (
            f"{ledger} is spent: {ledger.challengers} candidates have been evaluated on it (a candidate"
            " tested in several campaigns counts once for each)"
        )
        return LedgerEntry(alpha, why_off_ledger=f"{words}, so it is development data")
    earlier = list(
        ledger.evaluations.filter(challenger=challenger).order_by("number").values_list("share", "planned")
    )
    planned = max(earlier[0][1] or 0, 1) if earlier else planned_reviews(campaign_gate)
    if not campaign_gate.gate.is_sequential and not earlier:
        planned = _require_planned_reviews(campaign_gate, candidate, planned, evidence.candidate_reviews)
    shares = [share or 0.0 for share, _ in earlier]
    share = evidence.candidate_reviews / planned
    if shares and (max(shares) >= 1 or share <= max(shares)):
        raise _budget_error(candidate, ledger, planned, is_over=max(shares) >= 1)
    spending = Spending(level=min(alpha, ledger.alpha), challengers=ledger.challengers)
    level = interim_level(spending, challenger=challenger, shares=[*shares, share])
    end = interim_level(spending, challenger=challenger, shares=[*shares, share, 1.0]) if share < 1 else level
    return LedgerEntry(
        level.value or SMALLEST_LEVEL,
        ledger,
        challenger,
        len(earlier) + 1,
        planned,
        share,
        end_level=end.value,
    )


def _require_planned_reviews(
    campaign_gate: CampaignGate, candidate: ModelVersion, planned: int, done: int
) -> int:
    """The reviews that a standard gate is evaluated with: all planned ones, or those made before the campaign
    closed.
    """
    if done < planned and campaign_gate.campaign.state != CampaignState.CLOSED:
        raise ConflictError(
            f"This gate is evaluated once, when all {planned:,} planned reviews of {candidate.label} are in;"
            f" {planned - done:,} are missing. To evaluate it with fewer, close the campaign first.",
            code="reviews_missing",
        )
    return min(planned, done)


def _budget_error(candidate: ModelVersion, ledger: Ledger, planned: int, *, is_over: bool) -> ConflictError:
    if is_over:
        return ConflictError(
            f"The false-release budget for {candidate.label} on {ledger} was spent at the planned end,"
            f" {planned:,} reviews; the last verdict remains. Test the next version on fresh examples.",
            code="budget_spent",
        )
    return ConflictError(
        f"There are no more reviews of {candidate.label} than at the last evaluation, so there is no budget"
        " for another. Evaluate again when there are new reviews.",
        code="no_more_reviews",
    )


def _locked_ledger(campaign_gate: CampaignGate) -> Ledger:
    """The tested split's ledger, locked by this transaction; the first gate on it sets its plan."""
    campaign, gate = campaign_gate.campaign, campaign_gate.gate
    of_split = {"dataset_version": campaign.dataset_version, "split": campaign.split}
    plan = {"alpha": gate.alpha, "challengers": planned_challengers(campaign_gate)}
    Ledger.objects.get_or_create(**of_split, defaults=plan)
    ledgers = Ledger.objects.select_related("dataset_version__dataset").select_for_update(of=("self",))
    return ledgers.get(**of_split)


def challengers_of(ledger: Ledger) -> dict[tuple[int, int], int]:
    """The candidates evaluated on the ledger, each with its campaign and its number there.

    A candidate's second campaign is another test: its reviews do not continue the first one's, as the
    spending of the budget assumes, so it gets its own share of the budget.
    """
    evaluations = ledger.evaluations.order_by("challenger").distinct()
    found = evaluations.values_list("candidate", "campaign_gate__campaign", "challenger")
    return {(candidate, campaign): number for candidate, campaign, number in found if number is not None}


def _evaluation_record(
    campaign_gate: CampaignGate,
    evidence: _Evidence,
    ledger_entry: LedgerEntry,
    outcome: Outcome,
    evaluated_at: datetime,
) -> dict[str, Any]:
    """The whole evaluation, as its hash covers it and as the database returns it."""
    campaign, answers = campaign_gate.campaign, evidence.scores.answers
    reviewers = {answer.reviewer_id for answer in answers}
    candidates = [describe_candidate(evidence.candidate.model_version, "candidate")]
    if evidence.champion is not None:
        candidates.append(describe_candidate(evidence.champion.model_version, "champion"))
    evaluation_record = {
        "gate": campaign_gate.gate.body_hash,
        "campaign": campaign.pk,
        "applied_at": campaign_gate.created_at.isoformat(),
        "evaluated_at": evaluated_at.isoformat(),
        "candidates": candidates,
        "datasets": [
            describe_dataset_version(campaign.dataset_version, "tested", campaign.split),
            *(describe_dataset_version(version, "training") for version in evidence.training.versions),
        ],
        "contamination": evidence.clean._asdict(),
        "level": ledger_entry.level,
        "number": ledger_entry.number,
        "planned": ledger_entry.planned,
        "share": ledger_entry.share,
        "candidate_reviews": evidence.candidate_reviews,
        "challenger": ledger_entry.challenger,
        "is_exploratory": bool(ledger_entry.why_off_ledger) and not evidence.is_simulated,
        "is_simulated": evidence.is_simulated,
        "why_beside_ledger": ledger_entry.why_off_ledger,
        "items": len({answer.item_id for answer in answers}),
        "reviewers": len(reviewers),
        "reviewers_added_later": len(reviewers & evidence.added_later),
        "reviews": len({(answer.item_output_id, answer.reviewer_id) for answer in answers}),
        "reviews_digest": evidence.reviews_digest,
        "results": [result.as_dict() for result in outcome.results],
        "verdict": outcome.verdict,
        "more_reviews": outcome.more_reviews,
    }
    # PostgreSQL's jsonb has no negative zero.
    return cast(
        dict[str, Any], json.loads(json.dumps(evaluation_record), parse_float=lambda text: float(text) + 0.0)
    )


def _store_evaluation(
    campaign_gate: CampaignGate,
    evidence: _Evidence,
    ledger_entry: LedgerEntry,
    outcome: Outcome,
    by: User | None,
) -> GateEvaluation:
    evaluated_at = timezone.now()
    evaluation_record = _evaluation_record(campaign_gate, evidence, ledger_entry, outcome, evaluated_at)
    return GateEvaluation.objects.create(
        campaign_gate=campaign_gate,
        candidate=evidence.candidate.model_version,
        verdict=outcome.verdict,
        ledger=ledger_entry.ledger,
        challenger=ledger_entry.challenger,
        number=ledger_entry.number,
        planned=ledger_entry.planned,
        share=ledger_entry.share,
        level=ledger_entry.level,
        is_exploratory=evaluation_record["is_exploratory"],
        is_simulated=evidence.is_simulated,
        more_reviews=outcome.more_reviews,
        record=evaluation_record,
        body_hash=digest(evaluation_record),
        reviews="\n".join(evidence.lines),
        reviews_digest=evidence.reviews_digest,
        evaluated_at=evaluated_at,
        evaluated_by=by,
    )
