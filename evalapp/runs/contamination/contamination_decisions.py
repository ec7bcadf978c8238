"""An owner's recorded decision to train on rows that are also used for evaluation."""

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from django.db import transaction

from evalapp.accounts.models import User
from evalapp.audit.services import record
from evalapp.core.errors import ConflictError, InvalidError
from evalapp.datasets.models import DatasetVersion
from evalapp.registry.models import ModelVersion
from evalapp.runs.contamination.contamination_guard import KnownLeaks, covering_decision, known_leaks
from evalapp.runs.models import ContaminationDecision, Run

SHORTEST_REASON = 10
LONGEST_REASON = 2_000


def allow_contamination(
    *, version: DatasetVersion, reason: str, rows_hash: str, by: User
) -> ContaminationDecision:
    """Record an owner's decision that trainings on the version may use its known contaminated rows.

    ``rows_hash`` identifies the rows that the person saw (`rows_hash_of`). The caller checks permission.
    Raises InvalidError for a reason that is too short or too long, and ConflictError when no row would be
    refused, other rows were found since, or these are already decided on.
    """
    reason = reason.strip()
    if not SHORTEST_REASON <= len(reason) <= LONGEST_REASON or "\x00" in reason:
        raise InvalidError(
            f"Say in {SHORTEST_REASON} to {LONGEST_REASON:,} characters why training on these rows is right:"
            " the reason is shown with every score of the trained model.",
            field="reason",
        )
    found = known_leaks(version)
    if found is None or not found.leaks["pairs"]:
        raise ConflictError(
            f"No training row of {version} is known to be used for evaluation, so there is nothing to decide."
        )
    if rows_hash != rows_hash_of(found.leaks["pairs"]):
        raise ConflictError(
            "More rows have been found since you opened the page, and a decision covers exactly the rows "
            "that you saw. Read them and decide again."
        )
    with transaction.atomic():
        # Prevents two owners from recording the decision twice.
        DatasetVersion.objects.select_for_update(no_key=True).get(pk=version.pk)
        if covering_decision(version, found.leaks["pairs"]) is not None:
            raise ConflictError("These rows already have a decision.")
        decision = ContaminationDecision.objects.create(
            project=version.dataset.project,
            dataset_version=version,
            reason=reason,
            rows=found.leaks["pairs"],
            rows_hash=rows_hash,
            decided_by=by,
        )
        record(
            "contamination.allowed",
            by=by,
            obj=decision,
            project=decision.project,
            data={
                "dataset_version": version.pk,
                "rows": len(decision.training_rows),
                "pairs": len(decision.rows),
                "rows_hash": rows_hash,
                "reason": reason,
            },
        )
    return decision


def rows_hash_of(pairs: Iterable[dict[str, Any]]) -> str:
    """SHA-256 of the canonical JSON of the pairs, which identifies what a decision covers."""
    text = json.dumps(list(pairs), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def standing_decision(version: DatasetVersion, found: KnownLeaks | None) -> ContaminationDecision | None:
    """The decision that covers all known matches that would refuse a training, or None."""
    return covering_decision(version, found.leaks["pairs"]) if found is not None else None


def decisions_behind(version: ModelVersion) -> list[ContaminationDecision]:
    """Decisions under which the version, the version it continued, or its base was trained; newest first."""
    found: list[ContaminationDecision] = []
    current: ModelVersion | None = version
    while current is not None:
        run = (
            Run.objects.filter(produced=current)
            .select_related("contamination_decision__decided_by")
            .select_related("contamination_decision__dataset_version__dataset")
            .first()
        )
        decision = run.contamination_decision if run is not None else None
        if decision is not None and decision not in found:
            found.append(decision)
        current = current.parent or current.base
    return found
