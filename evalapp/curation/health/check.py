"""The health check job: reads a version once, and stores all findings at the end, or none."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from django.db import transaction
from django.utils import timezone

from evalapp.core.errors import MissingError
from evalapp.curation.health.broken_answers import BrokenAnswerDetector
from evalapp.curation.health.coverage import coverage
from evalapp.curation.health.duplicates import DuplicateDetector
from evalapp.curation.health.label_issues import FEWEST_ROWS, LabelIssueDetector
from evalapp.curation.health.leakage import leakage
from evalapp.curation.health.personal_data import PersonalDataDetector
from evalapp.curation.health.reviewed_low import reviewed_low
from evalapp.curation.health.rows import Detector, Found, HealthRow, batches_of, row_of
from evalapp.curation.kinds import FindingKind
from evalapp.curation.models import Finding, HealthCheck
from evalapp.datasets.models import DatasetVersion, Example, Split
from evalapp.datasets.search import index_rows
from evalapp.datasets.vault import rules_of
from evalapp.jobs.work import Work

COLUMNS = (
    "row_number", "split", "messages", "references", "label", "context", "metadata", "pairs", "rated",
    "conversation",
)  # fmt: skip
_CHUNK = 1_000
_STORED_AT_ONCE = 5_000
_ROWS_BETWEEN_REPORTS = 2_000

# Kinds read by database queries, in addition to the rows.
_READ_FROM_TABLES: tuple[tuple[FindingKind, Callable[[DatasetVersion], Iterator[Found]]], ...] = (
    (FindingKind.REVIEWED_LOW, reviewed_low),
    (FindingKind.COVERAGE, coverage),
)


def check_health(work: Work) -> dict[str, Any]:
    """Run a health check job. Repeating it replaces the earlier findings.

    Raises MissingError where the version was deleted meanwhile.
    """
    check = HealthCheck.objects.select_related("version__dataset__project").filter(job=work.job).first()
    if check is None:
        raise MissingError(
            "The dataset version, or its health check, was deleted. There is nothing to check."
        )
    version = check.version
    total = sum(version.counts.values())
    answers = BrokenAnswerDetector()
    found = list(_row_findings(version, answers, work, total))
    learnt = version.counts.get(Split.TRAIN, 0)
    found += leakage(version, tell=lambda rows: work.progress(rows, learnt, "Looking for leakage"))
    for kind, read in _READ_FROM_TABLES:
        work.progress(total, total, f"Looking for {kind.label.lower()}")
        found += read(version)
    work.progress(total, total, "Writing the findings")
    counts = _store(check, _merged(found), work, _unchecked(version, answers))
    work.enter("Indexing rows for search")
    index_rows(version)
    return {"dataset_version": version.pk, "findings": sum(counts.values())}


def _row_findings(
    version: DatasetVersion, answers: BrokenAnswerDetector, work: Work, total: int
) -> Iterator[Found]:
    detectors: Sequence[Detector] = (
        DuplicateDetector(), PersonalDataDetector(rules_of(version.dataset.project)), answers,
        LabelIssueDetector(),
    )  # fmt: skip
    rows = Example.objects.filter(version=version).order_by("row_number").values(*COLUMNS)
    for read, fields in enumerate(rows.iterator(chunk_size=_CHUNK), start=1):
        row = row_of(fields["row_number"], fields)
        for detector in detectors:
            detector.read(row)
        if read % _ROWS_BETWEEN_REPORTS == 0:
            work.progress(read, total, "Reading rows")

    def fetch(numbers: Sequence[int]) -> Mapping[int, HealthRow]:
        work.raise_if_cancelled()
        return rows_by_number(version, numbers)

    for detector in detectors:
        work.progress(total, total, "Comparing rows")
        yield from detector.found(fetch)


def rows_by_number(version: DatasetVersion, numbers: Sequence[int]) -> dict[int, HealthRow]:
    """The version's rows of these numbers."""
    rows = Example.objects.filter(version=version, row_number__in=list(numbers)).values(*COLUMNS)
    return {fields["row_number"]: row_of(fields["row_number"], fields) for fields in rows}


def _merged(found: Iterable[Found]) -> list[Found]:
    """One finding for each kind and row, with the evidence of all."""
    first: dict[tuple[str, int | str], Found] = {}
    for each in found:
        key = (each.kind, each.evidence if each.row is None else each.row)
        known = first.get(key)
        first[key] = each if known is None else _merge_two(known, each)
    return list(first.values())


def _merge_two(first: Found, second: Found) -> Found:
    proposal = first.proposal if first.changes or not second.changes else second.proposal
    return replace(
        first,
        evidence=f"{first.evidence} {second.evidence}",
        proposal=proposal,
        others=[*first.others, *second.others],
        spans=[*first.spans, *second.spans],
        changes={**second.changes, **first.changes},
    )


def _unchecked(version: DatasetVersion, answers: BrokenAnswerDetector) -> dict[str, str]:
    found: dict[str, str] = {}
    if answers.unchecked:
        found[FindingKind.BROKEN_ANSWER] = answers.unchecked
    labels = Example.objects.filter(version=version).exclude(label="")
    if labels[:FEWEST_ROWS].count() < FEWEST_ROWS:
        found[FindingKind.LABEL_ISSUE] = f"not checked, because fewer than {FEWEST_ROWS} rows have a label."
    elif labels.values("label").distinct()[:2].count() < 2:
        found[FindingKind.LABEL_ISSUE] = "not checked, because all rows have the same label."
    return found


@transaction.atomic
def _store(check: HealthCheck, found: list[Found], work: Work, unchecked: dict[str, str]) -> dict[str, int]:
    """Replace the findings; rows that somebody kept stay kept while their content is the same."""
    kept = _kept_contents(check.version)
    Finding.objects.filter(health_check=check).delete()
    for batch in batches_of(found, _STORED_AT_ONCE):
        numbers = [each.row for each in batch if each.row is not None]
        rows = Example.objects.filter(version=check.version, row_number__in=numbers)
        examples = {
            number: (pk, content)
            for number, pk, content in rows.values_list("row_number", "pk", "content_hash")
        }
        Finding.objects.bulk_create(_finding(check, each, examples, kept) for each in batch)
    counts = dict(Counter(each.kind.value for each in found))
    HealthCheck.objects.filter(pk=check.pk).update(
        counts=counts, unchecked=unchecked, checked_at=timezone.now()
    )
    work.fence()
    return counts


def _finding(
    check: HealthCheck,
    found: Found,
    examples: Mapping[int, tuple[int, str]],
    kept: Mapping[tuple[str, str], int | None],
) -> Finding:
    pk, content = examples[found.row] if found.row is not None else (None, "")
    key = (found.kind.value, content)
    return Finding(
        health_check=check,
        kind=found.kind,
        example_id=pk,
        other_rows=list(dict.fromkeys(found.others)),
        score=found.score,
        spans=list(found.spans),
        evidence=found.evidence,
        proposal=found.proposal,
        changes=dict(found.changes),
        is_kept=bool(content) and key in kept,
        kept_by_id=kept.get(key),
    )


def _kept_contents(version: DatasetVersion) -> dict[tuple[str, str], int | None]:
    """Kind and content of the rows that somebody kept, in any version of the dataset."""
    findings = Finding.objects.filter(
        health_check__version__dataset=version.dataset_id, is_kept=True, example__isnull=False
    )
    return {
        (kind, content): by
        for kind, content, by in findings.values_list("kind", "example__content_hash", "kept_by_id")
    }
