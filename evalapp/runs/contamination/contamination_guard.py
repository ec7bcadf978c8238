"""Refuses training on evaluation rows: in the form if the check is quick, and always when the job starts.

A training continues only under an owner's recorded decision, which covers exactly the rows that it names.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

from django.db.models import Case, QuerySet, When

from evalapp.core.errors import ConflictError
from evalapp.datasets.contamination import ContaminationReport, contamination
from evalapp.datasets.models import DatasetVersion, Example, Split
from evalapp.datasets.queries import TRAINING_SPLITS, evaluation_examples, examples_of
from evalapp.registry.models import ModelKind, ModelVersion
from evalapp.runs.models import ContaminationDecision, Run

ROWS_WHILE_SOMEBODY_WAITS = 5_000
_FIELDS = ("version", "row_number", "prompt_hash", "messages", "references", "pairs", "rated")
_CHUNK = 1_000
Pair = dict[str, Any]
Content = tuple[str, str]
"""Prompt hash and references of a row."""


class AllowedTraining(NamedTuple):
    """A training that may proceed: the ``report`` of the comparison, and the ``decision`` that allows it if
    the report alone would refuse.
    """

    report: ContaminationReport
    decision: ContaminationDecision | None


class ContaminatedError(ConflictError):
    """Training rows are also in an evaluation split; ``report`` has every pair."""

    code = "contaminated"

    def __init__(self, version: DatasetVersion, report: ContaminationReport) -> None:
        self.report = report
        super().__init__(
            f"Training on {version} was refused, because a score would then measure memorisation:"
            f" {' '.join(report.refusal_sentences())} Create a version without these training rows, or let"
            " an owner of the project decide on them on the version's page, “Contamination check”."
        )


def refuse_contamination(version: DatasetVersion) -> AllowedTraining:
    """Compare the version with the evaluation rows. Raises ContaminatedError for matches that no decision
    covers.
    """
    report = compared_with_evaluation(version)
    if not report.is_refused:
        return AllowedTraining(report, None)
    decision = covering_decision(version, pairs_of(version, report))
    if decision is None:
        raise ContaminatedError(version, report)
    return AllowedTraining(report, decision)


def compared_with_evaluation(
    version: DatasetVersion, *, tell: Callable[[int], object] | None = None
) -> ContaminationReport:
    """Compare the version's training rows with all evaluation rows and with its own validation rows.

    Validation rows are not trained on, so several versions may share them. ``tell`` is called now and then
    with the number of training rows read so far. Text of the project's prompt candidates is ignored, since
    sharing it proves nothing.
    """
    templates = ModelVersion.objects.filter(project=version.dataset.project_id, kind=ModelKind.PROMPT)
    words = [
        text for pair in templates.values_list("system_prompt", "prompt_template") for text in pair if text
    ]
    # Of a row in several versions, report this version's own, else the oldest.
    own_first = Case(When(version=version, then=0), default=1)
    evaluation = evaluation_examples(version).only(*_FIELDS).order_by(own_first, "pk")
    learnt = examples_of(version, [Split.TRAIN])
    seen: set[Content] = set()
    report = contamination(_read(learnt, tell), _distinct(evaluation, seen), templates=words)
    if version.counts.get(Split.VALIDATION):
        held_out = examples_of(version, [Split.VALIDATION]).only(*_FIELDS)
        own: set[Content] = set()
        beside = contamination(_read(learnt, tell), _distinct(held_out, own), templates=words)
        report = report.with_held_out(beside, repeated=len(own & seen))
    return replace(report, names=_evaluation_version_names(report))


def _distinct(rows: Iterable[Example], seen: set[Content]) -> Iterator[Example]:
    """Yield each row content once, since versions of a dataset repeat rows; ``seen`` collects the
    contents.
    """
    for row in rows:
        content = (row.prompt_hash, json.dumps(row.references))
        if content not in seen:
            seen.add(content)
            yield row


def _evaluation_version_names(report: ContaminationReport) -> dict[int | None, str]:
    matches = (*report.refused, *report.shared)
    met = {each.evaluation_version for each in matches if each.evaluation_version is not None}
    return {
        each.pk: str(each) for each in DatasetVersion.objects.filter(pk__in=met).select_related("dataset")
    }


def pairs_of(version: DatasetVersion, report: ContaminationReport) -> list[Pair]:
    """Every match that refuses a training, with row numbers for people and content hashes for permanent
    identification.
    """
    rows = examples_of(version, [Split.TRAIN]).filter(row_number__in=report.refused_rows)
    hashes = dict(rows.values_list("row_number", "content_hash"))
    kinds = (("exact", report.exact), ("near", report.near), ("contained", report.contained))
    return [
        {
            "kind": kind,
            "share": round(match.share, 4),
            "training_row": match.training_row,
            "training_hash": hashes[match.training_row],
            "evaluation_row": match.evaluation_row,
            "evaluation_version": match.evaluation_version,
            "evaluation_hash": match.evaluation_hash,
        }
        for kind, matches in kinds
        for match in sorted(matches)
    ]


def covering_decision(version: DatasetVersion, pairs: list[Pair]) -> ContaminationDecision | None:
    """The version's newest decision that names each of these pairs; None without one or without pairs."""
    wanted = _hashes(pairs)
    if not wanted:
        return None
    decisions = version.contamination_decisions.select_related("decided_by").order_by("-pk")
    return next((each for each in decisions if wanted <= _hashes(each.rows)), None)


def _hashes(pairs: list[Pair]) -> set[tuple[str, str]]:
    return {(pair["training_hash"], pair["evaluation_hash"]) for pair in pairs}


def leaks_of(version: DatasetVersion, report: ContaminationReport) -> dict[str, Any]:
    """The comparison in the form stored in a run's result."""
    return {
        "is_refused": report.is_refused,
        "sentences": report.sentences(),
        "refusal_sentences": report.refusal_sentences(),
        "rows": report.refused_rows,
        "pairs": pairs_of(version, report),
        "training_rows": report.training_rows,
        "evaluation_rows": report.evaluation_rows,
    }


class KnownLeaks(NamedTuple):
    """Known contamination: ``leaks`` as from `leaks_of`, and the ``run`` that found them, None if just
    computed.
    """

    leaks: dict[str, Any]
    run: Run | None


def known_leaks(version: DatasetVersion) -> KnownLeaks | None:
    """Leaks available without a long wait: computed now if that is quick, else from the version's latest dry
    run or refused training. None if there is neither.
    """
    if is_quick(version):
        return KnownLeaks(leaks_of(version, compared_with_evaluation(version)), None)
    runs = Run.objects.filter(dataset_version=version, result__leaks__has_key="pairs").order_by("-pk")
    run = runs.select_related("job").first()
    return KnownLeaks(run.result["leaks"], run) if run is not None else None


def is_quick(version: DatasetVersion) -> bool:
    """Whether the comparison is fast enough to run during a page request."""
    rows = sum(int(version.counts.get(split, 0)) for split in TRAINING_SPLITS)
    return rows <= ROWS_WHILE_SOMEBODY_WAITS


def _read(rows: QuerySet[Example], tell: Callable[[int], object] | None) -> Iterator[Example]:
    for number, row in enumerate(rows.only(*_FIELDS).iterator(chunk_size=_CHUNK), start=1):
        if tell is not None and number % _CHUNK == 0:
            tell(number)
        yield row
