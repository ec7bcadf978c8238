from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from evalapp.accounts.models import User
from evalapp.analysis.pairwise.pairs import load_preferences
from evalapp.audit.services import record
from evalapp.campaigns.models import Campaign, ItemOutput
from evalapp.core.errors import ConflictError, InvalidError, NotAllowedError
from evalapp.core.names import LONGEST_NAME, checked_name
from evalapp.core.uniqueness import unless_taken
from evalapp.datasets.models import DatasetVersion, Split, VersionState
from evalapp.exports.models import Export, ExportRow, ExportState, RowDecision, RowKind
from evalapp.exports.preferences import preferred_rows
from evalapp.exports.queries import (
    decidable_rows,
    given_corrections,
    open_for_decisions,
    reviewed_outputs,
    row_counts,
)
from evalapp.exports.selection import SelectedRow, SelectionRules, select_rows
from evalapp.jobs.models import Job
from evalapp.jobs.services import create_job

EXPORTABLE_SPLITS = {Split.TRAIN, Split.FEEDBACK}
MAX_TEXT = 100_000
EMPTY_ANSWER = "Write the answer, or reject the row."
AS_GIVEN = "A rated answer cannot be edited: accept or reject it."


@transaction.atomic
def propose_rows(
    *,
    campaign: Campaign,
    by: User,
    name: str,
    rules: SelectionRules | None = None,
    only: Collection[int] | None = None,
    picked_because: str = "",
) -> Export:
    """Propose rows from a campaign's feedback: each row in or out, with its reason. ``only``: restrict to
    these outputs (ids of ItemOutput), for campaigns that rate outputs one by one; ``picked_because`` says how
    they were found.

    Refuses campaigns over a held-out split (test, validation): rows of an evaluation set must never be
    trained on. Simulated feedback is included only in a demonstration project, and marks the export. Raises
    ConflictError where the project has an export of this name.
    """
    if campaign.split not in EXPORTABLE_SPLITS:
        raise InvalidError(
            f"“{campaign.name}” reviewed the {campaign.get_split_display().lower()} split, which is held out:"
            " training on it would invalidate every later evaluation. Review the feedback split instead."
        )
    rules = rules or SelectionRules()
    selected, is_simulated = _feedback_of(campaign, rules, only)
    picked = {} if only is None else {"picked": {"because": picked_because, "outputs": sorted(only)}}
    name = checked_name(name.strip() or f"Feedback of {campaign.name}"[:LONGEST_NAME], of="the export")
    with unless_taken(
        f"This project already has an export named “{name}”. Open it, or choose another name.", field="name"
    ):
        export = Export.objects.create(
            project=campaign.project,
            campaign=campaign,
            name=name,
            settings={"rules": rules.to_json(), **picked},
            is_simulated=is_simulated,
            created_by=by,
        )
    while batch := list(islice(selected, 2000)):
        ExportRow.objects.bulk_create(
            ExportRow(
                export=export,
                kind=row.kind,
                example_id=row.example_id,
                review_id=row.review_id,
                chosen_output_id=row.chosen_output_id,
                rejected_output_id=row.rejected_output_id,
                chosen_text=row.chosen_text,
                is_included=row.is_included,
                is_good=row.is_good,
                reason=row.reason,
            )
            for row in batch
        )
    record("export.opened", by=by, obj=export, project=export.project, data=row_counts(export)._asdict())
    return export


def _feedback_of(
    campaign: Campaign, rules: SelectionRules, only: Collection[int] | None
) -> tuple[Iterator[SelectedRow], bool]:
    """The rows of a campaign's feedback, and whether simulated reviews are in them."""
    admits_simulated = campaign.project.is_demonstration
    if campaign.compares:
        preferences = load_preferences(campaign)
        if not preferences.rows:
            raise InvalidError(f"“{campaign.name}” has no review yet; there is nothing to export.")
        rows = preferred_rows(preferences, admits_simulated=admits_simulated)
        return rows, admits_simulated and preferences.is_simulated
    outputs = reviewed_outputs(campaign)
    if not any(output.reviews for output in outputs):
        raise InvalidError(f"“{campaign.name}” has no submitted review yet; there is nothing to export.")
    corrections = given_corrections(campaign)
    if only is not None:
        chosen = set(ItemOutput.objects.filter(pk__in=only).values_list("output_id", flat=True))
        outputs = [output for output in outputs if output.output_id in chosen]
        corrections = [correction for correction in corrections if correction.output_id in chosen]
    rows = select_rows(outputs, corrections, rules, admits_simulated=admits_simulated)
    return rows, admits_simulated and any(output.is_simulated for output in outputs)


def decide_row(*, row: ExportRow, decision: str, by: User, text: str = "") -> None:
    """Accept, accept with edits, or reject a proposed row. Not by the author of the correction.

    ``text`` is the edited answer; the author's own stays beside it. Deciding again replaces the
    decision, and "pending" takes it back. To edit or reject a training answer does so in its preference
    pairs too, and to reject it also where it stands as one that is rated good. A rated answer is taken as it
    was given, so it is not edited.
    """
    decision = _known_decision(decision)
    if decision == RowDecision.EDITED and row.kind == RowKind.RATED:
        raise InvalidError(AS_GIVEN, field="text")
    if row.review is not None and row.review.reviewer_id == by.pk:
        raise NotAllowedError("You wrote this correction, so somebody else must decide on it.")
    edited = _checked_edit(text) if decision == RowDecision.EDITED else ""
    if decision == RowDecision.EDITED and edited == row.chosen_text.strip():
        decision, edited = RowDecision.ACCEPTED, ""
    decided_at = None if decision == RowDecision.PENDING else timezone.now()
    with transaction.atomic():
        _lock_open(row.export_id)
        decided: dict[str, Any] = {
            "decision": decision,
            "edited_text": edited,
            "decided_by": by if decided_at else None,
            "decided_at": decided_at,
        }
        changed = ExportRow.objects.filter(pk=row.pk, is_included=True).update(**decided)
        if _changes_the_answer(row, decision):
            pairs_of(row).update(**decided)
        if row.kind == RowKind.ANSWER and RowDecision.REJECTED in (decision, row.decision):
            back = decided if decision == RowDecision.REJECTED else _UNDECIDED
            _same_rated_good(row).update(**back)
        if not changed:
            raise ConflictError(f"This row is left out ({row.reason}), so there is nothing to decide.")
        record(
            f"export_row.{decision}",
            by=by,
            obj=row,
            project=row.export.project,
            data={"export": row.export_id},
        )
    row.refresh_from_db()


def _changes_the_answer(row: ExportRow, decision: str) -> bool:
    """Whether an edit or rejection, now or earlier, also applies to the answer's preference pairs."""
    changing = (RowDecision.EDITED, RowDecision.REJECTED)
    return row.kind == RowKind.ANSWER and (decision in changing or row.decision in changing)


def pairs_of(row: ExportRow) -> QuerySet[ExportRow]:
    """The included pairs with the same answer as the preferred one."""
    return ExportRow.objects.filter(
        export=row.export_id,
        kind=RowKind.PREFERENCE,
        is_included=True,
        review=row.review_id,
        example=row.example_id,
        chosen_text=row.chosen_text,
    )


_UNDECIDED: dict[str, Any] = {
    "decision": RowDecision.PENDING,
    "edited_text": "",
    "decided_by": None,
    "decided_at": None,
}


def _same_rated_good(row: ExportRow) -> QuerySet[ExportRow]:
    """The included row that marks the same output as good by its ratings."""
    return ExportRow.objects.filter(
        export=row.export_id,
        kind=RowKind.RATED,
        is_included=True,
        is_good=True,
        chosen_output__isnull=False,
        chosen_output=row.chosen_output_id,
    )


def _checked_edit(text: str) -> str:
    edited = text.strip()
    if not edited:
        raise InvalidError(
            "The edited answer is empty; reject the row instead.", fields={"text": [EMPTY_ANSWER]}
        )
    if len(edited) > MAX_TEXT or "\x00" in edited:
        raise InvalidError(
            "The edited answer is too long or has a NUL character.",
            fields={"text": [f"At most {MAX_TEXT:,} characters, none of them NUL."]},
        )
    return edited


def _lock_open(export_id: int) -> None:
    """Lock the export, so that it cannot be written between a decision and its commit."""
    Export.objects.select_for_update().get(pk=export_id)
    if not Export.objects.filter(open_for_decisions(), pk=export_id).exists():
        raise ConflictError("This export is being written or is done, so its rows cannot change.")


def decide_all(*, export: Export, decision: str, by: User, row_ids: Iterable[int] | None = None) -> int:
    """Decide on all undecided rows (or those given) that the person did not author.

    Returns how many were decided.
    """
    decision = _known_decision(decision)
    if decision not in (RowDecision.ACCEPTED, RowDecision.REJECTED):
        raise InvalidError("Several rows at once can only be accepted or rejected.")
    with transaction.atomic():
        _lock_open(export.pk)
        rows = decidable_rows(export, by)
        if row_ids is not None:
            rows = rows.filter(pk__in=list(row_ids))
        count = rows.update(decision=decision, decided_by=by, decided_at=timezone.now())
        record(f"export.rows_{decision}", by=by, obj=export, project=export.project, data={"rows": count})
    return count


def start_export(
    *,
    export: Export,
    by: User,
    parent_version: DatasetVersion | None = None,
    keeps_training_rows: bool = False,
    note: str = "",
) -> Job:
    """Write the accepted rows into files and a new version of the campaign's dataset.

    ``parent_version`` defaults to the version that was reviewed. ``keeps_training_rows`` puts the
    parent's training rows beside the corrections. Reviewed examples leave the feedback split.
    """
    parent = parent_version or export.campaign.dataset_version
    if parent.dataset_id != export.campaign.dataset_version.dataset_id:
        raise InvalidError("The new version must be of the dataset that was reviewed.")
    if parent.state != VersionState.READY:
        raise InvalidError(f"{parent} is not ready, so nothing can be added to it.")
    with transaction.atomic():
        _lock_open(export.pk)
        if not row_counts(export).accepted:
            raise InvalidError("No row is accepted yet. Accept at least one row, then export.")
        job = create_job(
            project=export.project,
            task="evalapp.exports.tasks.write_export",
            title=f"Export {export.name}",
            by=by,
            params={
                "export": export.pk,
                "parent_version": parent.pk,
                "keeps_training_rows": keeps_training_rows,
                "note": note,
            },
        )
        export.state = ExportState.WRITING
        export.job = job
        export.save(update_fields=["state", "job"])
        record("export.started", by=by, obj=export, project=export.project, data={"job": job.pk})
    return job


def _known_decision(decision: str) -> RowDecision:
    try:
        return RowDecision(decision)
    except ValueError as error:
        raise InvalidError(f"“{decision}” is not a decision; use accepted, edited or rejected.") from error
