"""A dataset's label parser, and the labels that it reads from a run's outputs."""

from collections.abc import Sequence

from django.db import transaction

from evalapp.accounts.models import User
from evalapp.audit.services import record
from evalapp.core.errors import InvalidError, MissingError
from evalapp.datasets.models import Dataset, Example
from evalapp.metrics import labels as parsing
from evalapp.metrics.labels import LabelError
from evalapp.runs.models import Output, Run
from evalapp.scoring.models import LabelParser, MetricResult, ParserKind

LABEL = "label"
"""Metric name under which an output's label is stored."""
NO_TRUE_LABEL = "the example has no label"
LONGEST_PATTERN = 500
LONGEST_FIELD = 100


@transaction.atomic
def save_label_parser(
    *,
    dataset: Dataset,
    kind: str,
    by: User | None,
    pattern: str = "",
    field: str = "",
    ignore_case: bool = True,
    labels: Sequence[str] = (),
) -> LabelParser:
    """Set how labels are read; stored labels change when a run is scored again.

    Parts that the kind does not use are dropped. Raises InvalidError with the part that is wrong.
    """
    pattern = pattern if kind == ParserKind.PATTERN else ""
    field = field.strip() if kind == ParserKind.JSON_FIELD else ""
    for name, text, longest in (("pattern", pattern, LONGEST_PATTERN), ("field", field, LONGEST_FIELD)):
        if len(text) > longest or "\x00" in text:
            raise InvalidError(f"At most {longest} characters, none of them NUL.", field=name)
    declared = [" ".join(label.split()) for label in labels]
    try:
        parsing.LabelParser(
            kind, declared or ["label"], pattern=pattern, field=field, ignore_case=ignore_case
        )
    except LabelError as error:
        raise InvalidError(str(error), field=error.field) from error
    parser, _ = LabelParser.objects.update_or_create(
        dataset=dataset,
        defaults={
            "kind": kind,
            "pattern": pattern,
            "field": field,
            "ignore_case": ignore_case,
            "labels": declared,
        },
        create_defaults={
            "kind": kind,
            "pattern": pattern,
            "field": field,
            "ignore_case": ignore_case,
            "labels": declared,
            "created_by": by,
        },
    )
    record(
        "label_parser.saved",
        by=by,
        obj=parser,
        project=dataset.project,
        data={"kind": kind, "labels": declared},
    )
    return parser


@transaction.atomic
def delete_label_parser(*, dataset: Dataset, by: User | None) -> None:
    """Delete the parser and all labels that it has read."""
    parser = LabelParser.objects.select_for_update().filter(dataset=dataset).first()
    if parser is None:
        raise MissingError(f"“{dataset.name}” has no label parser.")
    results = MetricResult.objects.filter(metric=LABEL, output__example__version__dataset=dataset)
    deleted, _ = results.delete()
    record("label_parser.deleted", by=by, obj=parser, project=dataset.project, data={"labels_read": deleted})
    parser.delete()


class LabelReader:
    """Reads the labels of a run's outputs."""

    def __init__(self, stored: LabelParser, labels: Sequence[str]) -> None:
        self.signature = stored.signature
        self._parser = parsing.LabelParser(
            stored.kind,
            labels,
            pattern=stored.pattern,
            field=stored.field,
            ignore_case=stored.ignore_case,
        )

    def result(self, output: Output) -> MetricResult:
        """Label of one output, as a result; ``output.example`` must be loaded.

        A true label outside of the set is kept as it is; no output is ever predicted to have it.
        """
        true = output.example.label
        truth = self._parser.known(true) or true
        predicted = self._parser.parse(output.text)
        return MetricResult(
            output=output,
            metric=LABEL,
            signature=self.signature,
            value=float(predicted == truth) if true else None,
            reason="" if true else NO_TRUE_LABEL,
            detail={"true": truth, "predicted": predicted} if true else {},
        )


def reader_for(run: Run) -> LabelReader | None:
    """Label reader of the run's dataset; None without a parser, and if there are no labels to choose from."""
    stored = LabelParser.objects.filter(dataset__versions=run.dataset_version_id).first()
    if stored is None:
        return None
    labels = stored.labels or _labels_of(run, stored)
    return LabelReader(stored, labels) if labels else None


def _labels_of(run: Run, stored: LabelParser) -> list[str]:
    """Distinct labels of the examples, compared as the parser compares them, at most as many as it
    accepts.
    """
    found = (
        Example.objects.filter(version=run.dataset_version_id)
        .exclude(label="")
        .order_by("label")
        .values_list("label", flat=True)
        .distinct()[: 10 * parsing.MOST_LABELS]
    )
    by_folded: dict[str, str] = {}
    for label in found:
        text = " ".join(label.split())
        by_folded.setdefault(text.casefold() if stored.ignore_case else text, text)
    return [label for folded, label in by_folded.items() if folded][: parsing.MOST_LABELS]
