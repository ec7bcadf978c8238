"""Matches given scores to outputs: by the output's id, by an id of its row, or by the row's number."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from django.db.models import F, QuerySet, TextField, Value
from django.db.models.fields.json import KeyTextTransform

from evalapp.core.errors import InvalidError
from evalapp.datasets.models import Example
from evalapp.datasets.row_ids import item_field_of, row_ids_of
from evalapp.imports.problems import ImportProblemsError, ProblemList
from evalapp.runs.models import Output, Run
from evalapp.scoring.external_rows import LARGEST_VALUE, MOST_SCORES, GivenScore

SHOWN_LINES = 5
OUTPUT_ID, ROW_NUMBER = "output id", "row number"
_LOOKUP_CHUNK = 5_000


class JoinedLine(NamedTuple):
    """A line and the output that it scores."""

    place: str
    output: int
    value: float


class ScoreJoin(NamedTuple):
    """Scores matched to outputs.

    ``values``: by output id. ``joined_by``: number of lines by "output id", a metadata field (its name) or
    "row number". ``without_score``: outputs of the run without a line; None without a run. ``problems``:
    lines that cannot be used. ``first``: the first lines that can.
    """

    values: dict[int, float]
    joined_by: dict[str, int]
    without_score: int | None
    problems: ProblemList
    first: list[JoinedLine]


def examples_of(run: Run) -> QuerySet[Example]:
    """Rows that the run may have outputs for."""
    rows = Example.objects.filter(version=run.dataset_version_id)
    return rows.filter(split__in=run.splits) if run.splits else rows


def labels_of(run: Run | None) -> set[str]:
    """Labels of the run's candidates: the column names of a file with one column per candidate."""
    return set(run.candidates.values_list("model_version__label", flat=True)) if run is not None else set()


def item_field_of_run(run: Run | None, wanted: str = "") -> str:
    """The metadata field that ``item`` refers to; see ``item_field_of``. Raises InvalidError (``item_field``)
    if a field is given without a run.
    """
    if run is not None:
        return item_field_of(examples_of(run), wanted, of=f"“{run.name}”")
    if wanted.strip():
        raise InvalidError("Choose the run whose rows have this metadata field.", field="item_field")
    return ""


def join_scores(
    scores: Iterable[GivenScore],
    *,
    outputs_of_project: Any,
    run: Run | None,
    item_field: str,
    refusal_of: Callable[[float], str],
    field: str = "file",
) -> ScoreJoin:
    """Find the output of each score. ``refusal_of`` returns what is wrong with a value, or "".

    ``run``: the run that ``item``, ``row`` and ``candidate`` refer to; ``item_field``: from
    `item_field_of_run`. Raises ImportProblemsError if there are no scores, and for more scores than are
    accepted at once.
    """
    given = list(_with_most_scores_checked(scores, field))
    index = RunOutputs.of(run, item_field) if run is not None else None
    known = _known_ids(given, outputs_of_project, run)
    values: dict[int, float] = {}
    places: dict[int, str] = {}
    joined_by: Counter[str] = Counter()
    problems = ProblemList()
    first: list[JoinedLine] = []
    if index is not None and index.id_field and (line := _first_by_order(given)):
        problems.add(line.place, _only_row_number_problem(index))
        given = [each for each in given if not _is_by_order(each)]
    for each in given:
        try:
            output, how = _output_of(each, known, index)
            _require_not_scored_before(places.get(output))
            _require_usable(each.value, refusal_of)
        except ValueError as error:
            problems.add(each.place, f"{str(error).rstrip('.')}.")
            continue
        places[output] = each.place
        values[output] = each.value
        joined_by[how] += 1
        if len(first) < SHOWN_LINES:
            first.append(JoinedLine(each.place, output, each.value))
    if not values and not problems:
        raise ImportProblemsError(
            ["There are no scores. Each needs “value”, and “output”, “item” or “row”."], field=field
        )
    without = len(index.facts.keys() - values.keys()) if index is not None else None
    return ScoreJoin(values, dict(joined_by), without, problems, first)


def _is_by_order(each: GivenScore) -> bool:
    return not each.problem and each.row is not None and each.output is None and not each.item


def _first_by_order(given: list[GivenScore]) -> GivenScore | None:
    return next(filter(_is_by_order, given), None)


def _only_row_number_problem(index: "RunOutputs") -> str:
    name = index.id_field
    return (
        f"gives only a row number, but the rows of “{index.run.name}” have ids, in “{name}”; in a file of"
        " another order, numbers would score the wrong outputs. Add a column “item” with each row's "
        f"{name}; “row” is then checked against it."
    )


class OutputFacts(NamedTuple):
    row: int
    label: str
    sample: int
    item: str | None


@dataclass
class RunOutputs:
    """Outputs of a run by what lines call them. A label shared by two candidates identifies neither."""

    run: Run
    item_field: str
    id_field: str
    facts: dict[int, OutputFacts] = field(default_factory=dict)
    labels: set[str] = field(default_factory=set)
    by_row: dict[tuple[int, str, int], int] = field(default_factory=dict)
    by_item: dict[tuple[str, str, int], list[int]] = field(default_factory=dict)

    @classmethod
    def of(cls, run: Run, item_field: str) -> "RunOutputs":
        item = KeyTextTransform(item_field, "example__metadata") if item_field else Value(None, TextField())
        rows = Output.objects.filter(run=run).annotate(item=item)
        ids = row_ids_of(examples_of(run))
        found = cls(run, item_field, ids.field if ids.is_unique else "")
        shared = set()
        names = rows.values_list("pk", "example__row_number", F("candidate__label"), "sample_index", "item")
        for pk, row, label, sample, name in names.iterator(chunk_size=5_000):
            found.facts[pk] = OutputFacts(row, label, sample, name)
            if (row, label, sample) in found.by_row:
                shared.add(label)
            found.by_row[row, label, sample] = pk
            if name is not None:
                found.by_item.setdefault((name, label, sample), []).append(pk)
        found.labels = {each.label for each in found.facts.values()} - shared
        return found

    def label_of(self, each: GivenScore) -> str:
        label = each.candidate or (next(iter(self.labels)) if len(self.labels) == 1 else "")
        if not label:
            raise ValueError(f"names no candidate; the run “{self.run.name}” has {len(self.labels)}")
        if label not in self.labels:
            raise ValueError(
                f"the run “{self.run.name}” has no candidate {label[:60]!r} that its label names alone; "
                f"known: {', '.join(sorted(self.labels))[:200] or 'none'}"
            )
        return label

    def names_at_most_one_row(self, each: GivenScore, label: str) -> bool:
        """Whether at most one row has the item of a line."""
        return len(self.by_item.get((each.item, label, each.sample), ())) < 2

    def output_of_item(self, each: GivenScore, label: str) -> int:
        if not self.item_field:
            raise ValueError(
                f"names an item, but the rows of “{self.run.name}” have no ids; choose the metadata field"
                " that identifies them"
            )
        found = self.by_item.get((each.item, label, each.sample), ())
        if not found:
            raise ValueError(
                f"{label} has no output of sample {each.sample} for a row whose {self.item_field} is "
                f"{each.item[:60]!r} in “{self.run.name}”"
            )
        if len(found) > 1:
            raise ValueError(
                f"{len(found):,} rows have the {self.item_field} {each.item[:60]!r}, so it is ambiguous;"
                " give “row” as well, or choose a metadata field that differs in every row"
            )
        return found[0]

    def output_of_row(self, each: GivenScore, label: str) -> int:
        pk = self.by_row.get((each.row or 0, label, each.sample))
        if pk is None:
            raise ValueError(
                f"{label} has no output of sample {each.sample} for row {each.row} in “{self.run.name}”"
            )
        return pk


def _with_most_scores_checked(scores: Iterable[GivenScore], field: str) -> Iterable[GivenScore]:
    for number, each in enumerate(scores, start=1):
        if number > MOST_SCORES:
            message = f"There are more than {MOST_SCORES:,} scores. Split them: what is stored stays."
            raise ImportProblemsError([message], field=field)
        yield each


def _known_ids(given: list[GivenScore], outputs_of_project: Any, run: Run | None) -> set[int]:
    wanted = [each.output for each in given if each.output is not None]
    outputs = outputs_of_project if run is None else outputs_of_project.filter(run=run)
    known: set[int] = set()
    for start in range(0, len(wanted), _LOOKUP_CHUNK):
        chunk = wanted[start : start + _LOOKUP_CHUNK]
        known.update(outputs.filter(pk__in=chunk).values_list("pk", flat=True))
    return known


def _require_not_scored_before(earlier: str | None) -> None:
    if earlier:
        raise ValueError(f"scores the same output as {earlier.lower()}; keep one")


def _require_usable(value: float, refusal_of: Callable[[float], str]) -> None:
    if not math.isfinite(value) or abs(value) > LARGEST_VALUE:
        raise ValueError(f"the value {value:g} is outside of ±{LARGEST_VALUE:g}")
    if refusal := refusal_of(value):
        raise ValueError(refusal)


def _output_of(each: GivenScore, known: set[int], index: RunOutputs | None) -> tuple[int, str]:
    """The output of a line, and how it was found."""
    if each.problem:
        raise ValueError(each.problem)
    if each.output is not None:
        if each.output not in known:
            where = f"the run “{index.run.name}”" if index is not None else "this project"
            raise ValueError(f"{where} has no output {each.output}")
        _require_consistent(each, index.facts.get(each.output) if index is not None else None, index)
        return each.output, OUTPUT_ID
    if not each.item and each.row is None:
        raise ValueError("has neither “output” nor “item” nor “row”, so its output is unknown")
    if index is None:
        raise ValueError(
            f"names {'an item' if each.item else 'a row'}, but no run is chosen; choose it, or name the"
            " output by its id"
        )
    label = index.label_of(each)
    if each.item and (each.row is None or index.names_at_most_one_row(each, label)):
        pk = index.output_of_item(each, label)
        _require_consistent(each, index.facts[pk], index)
        return pk, index.item_field
    pk = index.output_of_row(each, label)
    _require_consistent(each, index.facts[pk], index)
    return pk, ROW_NUMBER


def _require_consistent(each: GivenScore, facts: OutputFacts | None, index: RunOutputs | None) -> None:
    """Raises ValueError if anything else that a line says about its output is wrong."""
    if facts is None or index is None:
        return
    stated: Mapping[str, tuple[Any, Any]] = {
        "row": (each.row, facts.row),
        index.item_field or "item": (each.item or None, facts.item if index.item_field else each.item),
        "candidate": (each.candidate or None, facts.label),
    }
    for name, (given, stored) in stated.items():
        if given is not None and given != stored:
            raise ValueError(
                f"says {name} {str(given)[:60]!r}, but the {name} of its output is {str(stored)[:60]!r}; "
                "correct the line, or leave the wrong column out"
            )
