"""The dossier of a signed decision, from rows that never change; `evalapp.dossier` defines its format."""

import json
from collections.abc import Iterator
from typing import Any

from evalapp.core.errors import ConflictError
from evalapp.decisions.models import Decision
from evalapp.dossier import (
    CANDIDATE,
    DATASET,
    DECISION,
    EVALUATION,
    GATE,
    REVIEW,
    canonical,
    chained,
)
from evalapp.gates.conditions import body_of
from evalapp.gates.models import Gate, GateEvaluation

NOT_SIGNED = "This decision signs no gate evaluation, so it has no dossier."


def seal_of(decision: Decision) -> str:
    """The hash at the end of the decision's dossier."""
    seal = ""
    for record in _records(decision):
        seal = record["hash"]
    return seal


def dossier_lines(decision: Decision) -> Iterator[str]:
    """The dossier's lines. Raises ConflictError for a decision without a gate."""
    if decision.evaluation_id is None:
        raise ConflictError(NOT_SIGNED)
    return (canonical(record) + "\n" for record in _records(decision))


def _records(decision: Decision) -> Iterator[dict[str, Any]]:
    return chained(_bodies(decision))


def _bodies(decision: Decision) -> Iterator[tuple[str, dict[str, Any]]]:
    """Without names of people, who may leave while sealed content stays. The decision's page has them."""
    evaluation = decision.evaluation
    assert evaluation is not None
    gate = evaluation.campaign_gate.gate
    yield GATE, _gate_body(gate, evaluation)
    for dataset in evaluation.record["datasets"]:
        yield DATASET, dataset
    for candidate in evaluation.record["candidates"]:
        yield CANDIDATE, candidate
    for line in evaluation.reviews.split("\n"):
        yield REVIEW, json.loads(line)
    yield EVALUATION, {"hash": evaluation.body_hash, "evaluation": evaluation.record}
    yield (
        DECISION,
        {
            "id": decision.pk,
            "campaign": decision.campaign_id,
            "candidate": decision.candidate_id,
            "verdict": decision.verdict,
            "note": decision.note,
            "decided_at": decision.created_at.isoformat(),
            "evaluation": evaluation.body_hash,
        },
    )


def _gate_body(gate: Gate, evaluation: GateEvaluation) -> dict[str, Any]:
    campaign_gate = evaluation.campaign_gate
    body = body_of(
        name=gate.name,
        version=gate.version,
        alpha=gate.alpha,
        planned_reviews=gate.planned_reviews,
        challengers=gate.challengers,
        population=gate.population,
        conditions=gate.parsed_conditions,
    )
    frozen = gate.frozen_at.isoformat() if gate.frozen_at else None
    return {
        "gate": body,
        "hash": gate.body_hash,
        "frozen_at": frozen,
        "campaign": campaign_gate.campaign_id,
        "applied_at": campaign_gate.created_at.isoformat(),
        "is_exploratory": campaign_gate.is_exploratory,
        "champion": campaign_gate.champion_id,
    }
