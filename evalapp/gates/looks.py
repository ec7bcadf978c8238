"""A recorded look at a candidate: the gate on the reviews of this moment, at the level that it may spend."""

import json
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, NamedTuple, cast

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from evalapp.accounts.models import User
from evalapp.analysis.scores import CampaignScores, load_scores
from evalapp.audit.services import record
from evalapp.campaigns.allocation import hold_submissions
from evalapp.campaigns.models import Campaign, CampaignCandidate, CampaignState
from evalapp.core.errors import ConflictError, InvalidError
from evalapp.datasets.models import Split
from evalapp.dossier import digest, digest_of_reviews
from evalapp.gates.lineage import (
    CleanCheck,
    TrainingData,
    clean_check,
    described,
    described_candidate,
    training_data_of,
)
from evalapp.gates.manifest import review_lines
from evalapp.gates.measuring import Inputs, Outcome, measure
from evalapp.gates.models import CampaignGate, GateEvaluation, Ledger
from evalapp.gates.waiting import planned_reviews
from evalapp.registry.models import ModelVersion
from evalapp.stats.sequential import Spending, level_for_look

# Too early, or too soon after the last, a look has no level; what passes even this passes by itself.
SMALLEST_LEVEL = 1e-9
DEVELOPMENT = (Split.TRAIN, Split.VALIDATION)


@dataclass(frozen=True)
class Turn:
    """Where a look stands: on a ledger with its numbers, or beside it. ``why``: why it is beside it."""

    level: float
    ledger: Ledger | None = None
    challenger: int | None = None
    look: int | None = None
    planned: int | None = None
    share: float | None = None
    why: str = ""
    end_level: float | None = None
    """At the planned end, if no other look comes before it; None beside the ledger, where every look has ``level``."""

    @property
    def is_last(self) -> bool:
        return self.share is not None and self.share >= 1


@dataclass(frozen=True)
class _Seen:
    """All that a look rests on, read while nothing could be submitted."""

    scores: CampaignScores
    candidate: CampaignCandidate
    champion: CampaignCandidate | None
    training: TrainingData
    clean: CleanCheck
    lines: list[str]
    is_simulated: bool

    @property
    def candidate_reviews(self) -> int:
        """How many reviews of the candidate there are."""
        answers = self.scores.answers
        mine = {(a.item_id, a.reviewer_id) for a in answers if a.candidate_id == self.candidate.pk}
        return len(mine)

    @cached_property
    def reviews_digest(self) -> str:
        return digest_of_reviews(self.lines)


class Look(NamedTuple):
    """``is_new``: False where nothing has come in since the last look, which then stands and spends nothing."""

    evaluation: GateEvaluation
    is_new: bool


@transaction.atomic
def look_at(*, taken: CampaignGate, candidate: ModelVersion, by: User | None) -> Look:
    """Evaluate the gate on a candidate and record it; on the ledger, unless it is exploratory or simulated.

    Raises InvalidError for a draft, another's candidate, the champion, or without a review; ConflictError
    where nothing of the level is left for it.
    """
    seen = _see(taken, candidate)
    last = taken.evaluations.filter(candidate=candidate).order_by("-id").first()
    if last is not None and last.reviews_digest == seen.reviews_digest:
        return Look(last, is_new=False)
    turn = _turn(taken, candidate, seen)
    outcome = measure(
        taken.gate.asked,
        Inputs(
            scores=seen.scores,
            candidate=seen.candidate,
            champion=seen.champion,
            level=turn.level,
            clean=seen.clean,
            is_last=turn.is_last,
            end_level=turn.end_level or turn.level,
            remaining=max((turn.planned or 0) - seen.candidate_reviews, 0),
        ),
    )
    evaluation = _store(taken, seen, turn, outcome, by)
    data = {
        "campaign": taken.campaign_id,
        "verdict": evaluation.verdict,
        "look": evaluation.look,
        "body_hash": evaluation.body_hash,
    }
    record("gate.looked", by=by, obj=evaluation, project=taken.campaign.project, data=data)
    return Look(evaluation, is_new=True)


def _see(taken: CampaignGate, candidate: ModelVersion) -> _Seen:
    campaign = taken.campaign
    if campaign.state == CampaignState.DRAFT:
        raise InvalidError(f"{campaign} has not been opened, so there is nothing to look at.")
    entries = {
        entry.model_version_id: entry
        for entry in campaign.candidates.select_related("model_version__base").order_by("position")
    }
    problem = ""
    if candidate.pk not in entries:
        problem = f"{candidate.label} is not a candidate of {campaign}."
    elif candidate.pk == taken.champion_id:
        problem = (
            f"{candidate.label} is the champion that the others are held against. Choose another candidate."
        )
    if problem:
        raise InvalidError(problem, fields={"candidate": [problem]})
    training = training_data_of(candidate)
    clean = clean_check(campaign, training)
    # What is measured and what is listed are the same reviews; and two looks come one after the other.
    hold_submissions(campaign.pk)
    scores = _scores(campaign)
    is_simulated = any(answer.is_simulated for answer in scores.answers)
    lines = review_lines(campaign, is_simulated=is_simulated)
    if not lines:
        raise InvalidError(f"{campaign} has no review yet, so there is nothing to look at.")
    champion = entries.get(taken.champion_id) if taken.champion_id else None
    return _Seen(scores, entries[candidate.pk], champion, training, clean, lines, is_simulated)


def _scores(campaign: Campaign) -> CampaignScores:
    """What people said; simulated reviews only where there is nothing else, and nothing comes of them."""
    scores = load_scores(campaign, reviewer_type="human")
    if scores.answers or not campaign.project.is_demonstration:
        return scores
    return load_scores(campaign, reviewer_type="simulated")


def _turn(taken: CampaignGate, candidate: ModelVersion, seen: _Seen) -> Turn:
    """Its place on the ledger, which this transaction then holds, or why it has none."""
    plain = taken.gate.alpha
    if seen.is_simulated:
        return Turn(plain, why="nobody but simulated reviewers has rated")
    if taken.is_exploratory:
        return Turn(plain, why="the gate was taken after the first review")
    if taken.campaign.split in DEVELOPMENT:
        return Turn(plain, why="prompts and checkpoints are chosen on these rows")
    ledger = _locked_ledger(taken)
    numbers = challengers_of(ledger)
    challenger = numbers.get((candidate.pk, taken.campaign_id), max(numbers.values(), default=0) + 1)
    if challenger > ledger.challengers:
        Ledger.objects.filter(pk=ledger.pk, spent_at=None).update(spent_at=Now())
        words = (
            f"{ledger} is spent: {ledger.challengers} candidates have been looked at on it, one that several "
            "campaigns tested counted in each"
        )
        return Turn(plain, why=f"{words}, so it is development data")
    before = list(
        ledger.looks_taken.filter(challenger=challenger).order_by("look").values_list("share", "planned")
    )
    planned = max(before[0][1] or 0, 1) if before else planned_reviews(taken)
    shares = [share or 0.0 for share, _ in before]
    share = seen.candidate_reviews / planned
    if shares and (max(shares) >= 1 or share <= max(shares)):
        raise _spent(candidate, ledger, planned, is_over=max(shares) >= 1)
    spending = Spending(level=min(plain, ledger.alpha), challengers=ledger.challengers)
    level = level_for_look(spending, challenger=challenger, shares=[*shares, share])
    end = (
        level_for_look(spending, challenger=challenger, shares=[*shares, share, 1.0]) if share < 1 else level
    )
    return Turn(
        level.value or SMALLEST_LEVEL,
        ledger,
        challenger,
        len(before) + 1,
        planned,
        share,
        end_level=end.value,
    )


def _spent(candidate: ModelVersion, ledger: Ledger, planned: int, *, is_over: bool) -> ConflictError:
    if is_over:
        return ConflictError(
            f"The level for {candidate.label} on {ledger} was spent at the planned end, {planned:,} reviews of it; "
            "the last verdict stands. Test the next version on fresh examples.",
            code="looks_spent",
        )
    return ConflictError(
        f"There are no more reviews of {candidate.label} than at the last look, so there is no level for another. "
        "Look again when some have come in.",
        code="no_more_reviews",
    )


def _locked_ledger(taken: CampaignGate) -> Ledger:
    """The tested split's ledger, held by this transaction; the first gate on it sets its plan."""
    campaign, gate = taken.campaign, taken.gate
    of_split = {"dataset_version": campaign.dataset_version, "split": campaign.split}
    plan = {"alpha": gate.alpha, "challengers": gate.challengers}
    Ledger.objects.get_or_create(**of_split, defaults=plan)
    ledgers = Ledger.objects.select_related("dataset_version__dataset").select_for_update(of=("self",))
    return ledgers.get(**of_split)


def challengers_of(ledger: Ledger) -> dict[tuple[int, int], int]:
    """The candidates that were looked at on the ledger and the campaign of it, each with its number there.

    A second campaign of a candidate is another test of it: its reviews are no continuation of the first one's, which is
    what levels under repeated looks take for granted, so it has a part of the level of its own.
    """
    looks = ledger.looks_taken.order_by("challenger").distinct()
    found = looks.values_list("candidate", "taken__campaign", "challenger")
    return {(candidate, campaign): number for candidate, campaign, number in found if number is not None}


def _told(
    taken: CampaignGate, seen: _Seen, turn: Turn, outcome: Outcome, evaluated_at: datetime
) -> dict[str, Any]:
    """The whole look, as its hash covers it and as the database gives it back."""
    campaign, answers = taken.campaign, seen.scores.answers
    candidates = [described_candidate(seen.candidate.model_version, "candidate")]
    if seen.champion is not None:
        candidates.append(described_candidate(seen.champion.model_version, "champion"))
    told = {
        "gate": taken.gate.body_hash,
        "campaign": campaign.pk,
        "taken_at": taken.created_at.isoformat(),
        "evaluated_at": evaluated_at.isoformat(),
        "candidates": candidates,
        "datasets": [
            described(campaign.dataset_version, "tested", campaign.split),
            *(described(version, "training") for version in seen.training.versions),
        ],
        "contamination": seen.clean._asdict(),
        "level": turn.level,
        "look": turn.look,
        "planned": turn.planned,
        "share": turn.share,
        "candidate_reviews": seen.candidate_reviews,
        "challenger": turn.challenger,
        "is_exploratory": bool(turn.why) and not seen.is_simulated,
        "is_simulated": seen.is_simulated,
        "why_beside_ledger": turn.why,
        "items": len({answer.item_id for answer in answers}),
        "reviewers": len({answer.reviewer_id for answer in answers}),
        "reviews": len({(answer.item_output_id, answer.reviewer_id) for answer in answers}),
        "reviews_digest": seen.reviews_digest,
        "results": [result.as_dict() for result in outcome.results],
        "verdict": outcome.verdict,
        "more_reviews": outcome.more_reviews,
    }
    # PostgreSQL knows no negative zero.
    return cast(dict[str, Any], json.loads(json.dumps(told), parse_float=lambda text: float(text) + 0.0))


def _store(taken: CampaignGate, seen: _Seen, turn: Turn, outcome: Outcome, by: User | None) -> GateEvaluation:
    evaluated_at = timezone.now()
    told = _told(taken, seen, turn, outcome, evaluated_at)
    return GateEvaluation.objects.create(
        taken=taken,
        candidate=seen.candidate.model_version,
        verdict=outcome.verdict,
        ledger=turn.ledger,
        challenger=turn.challenger,
        look=turn.look,
        planned=turn.planned,
        share=turn.share,
        level=turn.level,
        is_exploratory=told["is_exploratory"],
        is_simulated=seen.is_simulated,
        more_reviews=outcome.more_reviews,
        record=told,
        body_hash=digest(told),
        reviews="\n".join(seen.lines),
        reviews_digest=seen.reviews_digest,
        evaluated_at=evaluated_at,
        evaluated_by=by,
    )
