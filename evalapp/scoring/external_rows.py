"""Scores computed elsewhere: read from a file, matched to outputs, every bad line told. Reads no file twice."""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, BinaryIO, NamedTuple

from evalapp.core.errors import InvalidError
from evalapp.datasets.csv_files import read_cells, read_header
from evalapp.datasets.files import CSV, HEAD_BYTES, recognise, require_lines
from evalapp.datasets.formats import FileProblemError, object_of
from evalapp.datasets.rows import FieldProblem
from evalapp.runs.models import Output, Run

MOST_SCORES = 50_000
MOST_BYTES = 20 * 2**20
LONGEST_LINE = 64 * 2**10
SHOWN_PROBLEMS = 100
# Sums of many values of this size are still numbers, and no score needs more.
LARGEST_VALUE = 1e12
FIELDS = ("output", "row", "candidate", "sample", "value")
USUAL_NAMES = {"output_id": "output", "score": "value", "row_number": "row", "example": "row"}
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,3})?", re.ASCII)
_LOOKED_UP_AT_ONCE = 5_000
LONGEST_ID = 18


class GivenScore(NamedTuple):
    """One line: ``output`` by its id, or ``row`` (its number in the run's dataset version) with the
    ``candidate``'s label and the ``sample``. ``problem``: why it holds no score.
    """

    place: str
    value: float = 0.0
    output: int | None = None
    row: int | None = None
    candidate: str = ""
    sample: int = 0
    problem: str = ""


class ScoresError(InvalidError):
    """Nothing was stored; ``problems`` has one sentence for each bad line, and where it stands."""

    def __init__(self, problems: list[str], *, field: str = "file") -> None:
        self.problems = problems
        more = f" {len(problems) - 1:,} more lines have problems." if len(problems) > 1 else ""
        shown = problems[:SHOWN_PROBLEMS]
        if len(problems) > SHOWN_PROBLEMS:
            shown.append(f"{len(problems) - SHOWN_PROBLEMS:,} more lines have problems; mend these first.")
        super().__init__(f"Nothing was stored. {problems[0]}{more}", fields={field: shown})


def read_scores(file: BinaryIO, name: str) -> Iterator[GivenScore]:
    """Scores of a .jsonl or .csv file with ``value`` and ``output``, or ``row`` and ``candidate``.

    Raises ScoresError for a file that cannot be used as a whole.
    """
    head = file.read(HEAD_BYTES)
    file.seek(0)
    try:
        if recognise(name, head) != CSV:
            require_lines(head)
            return _read_jsonl(file)
        header = read_header(file)
        file.seek(0)
        return _read_csv(file, header.delimiter, _known_columns(header.columns))
    except FileProblemError as error:
        raise ScoresError([str(error)]) from error


def _known_columns(columns: list[str]) -> list[str]:
    known = [_field(column) for column in columns]
    for field in FIELDS:
        if known.count(field) > 1:
            twice = " and ".join(f"“{column}”" for column in columns if _field(column) == field)
            raise ScoresError([f"{twice} both name the {field}. Keep one of the columns."])
    if "value" not in known:
        raise ScoresError([f"No column is named “value” (found: {', '.join(columns)[:200]}). Rename yours."])
    return known


def _field(name: str) -> str:
    name = name.strip().lower()
    return USUAL_NAMES.get(name, name)


def _read_csv(file: BinaryIO, delimiter: str, fields: list[str]) -> Iterator[GivenScore]:
    for number, cells, problem in read_cells(file, delimiter):
        place = f"Row {number}"
        if problem is not None:
            yield GivenScore(place, problem=f"{problem.problem} {problem.mend}")
            continue
        given = {
            field: cell.strip() for field, cell in zip(fields, cells, strict=True) if field in FIELDS and cell
        }
        yield given_score(given, place)


def _read_jsonl(file: BinaryIO) -> Iterator[GivenScore]:
    number = 0
    while line := file.readline(LONGEST_LINE + 1):
        number += 1
        place = f"Line {number}"
        if len(line) > LONGEST_LINE:
            raise ScoresError([f"{place} is longer than {LONGEST_LINE:,} bytes. Write one score a line."])
        content = line.removeprefix(b"\xef\xbb\xbf").strip() if number == 1 else line.strip()
        if not content:
            continue
        found = object_of(content, is_cut=not line.endswith(b"\n"))
        if isinstance(found, FieldProblem):
            yield GivenScore(place, problem=str(found))
        else:
            yield given_score({_field(name): value for name, value in found.items()}, place)


def given_score(fields: Mapping[str, Any], place: str) -> GivenScore:
    """One score from the fields of a line; numbers may be text, as they are in a CSV file."""
    try:
        return GivenScore(
            place=place,
            value=_value(fields.get("value")),
            output=_whole(fields, "output"),
            row=_whole(fields, "row"),
            candidate=_label(fields.get("candidate")),
            sample=_whole(fields, "sample") or 0,
        )
    except ValueError as error:
        return GivenScore(place, problem=f"{error}.")


def _label(given: Any) -> str:
    if given is not None and not isinstance(given, str):
        raise ValueError("“candidate” is no text; write the candidate's label")
    return given or ""


def _value(given: Any) -> float:
    if given is None or given == "":
        raise ValueError("there is no value; leave lines without a score out")
    if isinstance(given, str) and _NUMBER.fullmatch(given):
        given = float(given)
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise ValueError(f"the value {str(given)[:30]!r} is no number; write one such as 0.83")  # noqa: TRY004 - likewise
    # Adding zero turns -0.0 into 0.0.
    return float(given) + 0.0


def _whole(fields: Mapping[str, Any], name: str) -> int | None:
    given = fields.get(name)
    if given is None or given == "":
        return None
    text = str(given)
    if isinstance(given, bool) or not text.isascii() or not text.isdecimal() or len(text) > LONGEST_ID:
        raise ValueError(f"“{name}” is {text[:20]!r}, not a whole number")
    return int(text)


def matched(
    scores: Iterable[GivenScore],
    *,
    outputs_of_project: Any,
    run: Run | None,
    refusal_of: Callable[[float], str],
    field: str = "file",
) -> dict[int, float]:
    """The values by the ids of their outputs. ``refusal_of`` says what is wrong with a value, or "".

    ``run`` is the one whose outputs ``row`` and ``candidate`` name. Raises ScoresError with every line
    that cannot be used.
    """
    given = list(_limited(scores, field))
    known = _known_ids(given, outputs_of_project, run)
    by_name = _by_name(run) if run is not None and any(each.row is not None for each in given) else {}
    labels = {label for _, label, _ in by_name}
    found: dict[int, float] = {}
    places: dict[int, str] = {}
    problems: list[str] = []
    for each in given:
        try:
            output = _output_of(each, known, by_name, labels, run)
            _require_first(places.get(output))
            _require_usable(each.value, refusal_of)
        except ValueError as error:
            problems.append(f"{each.place}: {str(error).rstrip('.')}.")
            continue
        places[output] = each.place
        found[output] = each.value
    if problems:
        raise ScoresError(problems, field=field)
    if not found:
        raise ScoresError(["There is no score. Each needs “value”, and “output” or “row”."], field=field)
    return found


def _require_first(earlier: str | None) -> None:
    if earlier:
        raise ValueError(f"scores the same output as {earlier.lower()}; keep one")


def _require_usable(value: float, refusal_of: Callable[[float], str]) -> None:
    if not math.isfinite(value) or abs(value) > LARGEST_VALUE:
        raise ValueError(f"the value {value:g} is outside of ±{LARGEST_VALUE:g}")
    if refusal := refusal_of(value):
        raise ValueError(refusal)


def _limited(scores: Iterable[GivenScore], field: str) -> Iterator[GivenScore]:
    for number, each in enumerate(scores, start=1):
        if number > MOST_SCORES:
            message = f"There are more than {MOST_SCORES:,} scores. Split them: what is stored stays."
            raise ScoresError([message], field=field)
        yield each


def _known_ids(given: list[GivenScore], outputs_of_project: Any, run: Run | None) -> set[int]:
    wanted = [each.output for each in given if each.output is not None]
    outputs = outputs_of_project if run is None else outputs_of_project.filter(run=run)
    known: set[int] = set()
    for start in range(0, len(wanted), _LOOKED_UP_AT_ONCE):
        chunk = wanted[start : start + _LOOKED_UP_AT_ONCE]
        known.update(outputs.filter(pk__in=chunk).values_list("pk", flat=True))
    return known


def _by_name(run: Run) -> dict[tuple[int, str, int], int]:
    """The run's outputs by row, candidate's label and sample; a label that two candidates share names none."""
    found: dict[tuple[int, str, int], int] = {}
    shared = set()
    rows = Output.objects.filter(run=run).values_list(
        "pk", "example__row_number", "candidate__label", "sample_index"
    )
    for pk, row, label, sample in rows.iterator(chunk_size=5_000):
        if (row, label, sample) in found:
            shared.add(label)
        found[row, label, sample] = pk
    return {key: pk for key, pk in found.items() if key[1] not in shared}


def _output_of(
    each: GivenScore,
    known: set[int],
    by_name: Mapping[tuple[int, str, int], int],
    labels: set[str],
    run: Run | None,
) -> int:
    if each.problem:
        raise ValueError(each.problem)
    if each.output is not None:
        if each.output not in known:
            where = f"the run “{run.name}”" if run is not None else "this project"
            raise ValueError(f"{where} has no output {each.output}")
        return each.output
    if each.row is None:
        raise ValueError("has neither “output” nor “row”, so its output is unknown")
    if run is None:
        raise ValueError("names a row, but no run is chosen; choose it, or name the output by its id")
    label = each.candidate or (next(iter(labels)) if len(labels) == 1 else "")
    if not label:
        raise ValueError(f"names no candidate; the run “{run.name}” has {len(labels)}")
    if label not in labels:
        raise ValueError(
            f"the run “{run.name}” has no candidate {label[:60]!r} that its label names alone; "
            f"known: {', '.join(sorted(labels))[:200] or 'none'}"
        )
    pk = by_name.get((each.row, label, each.sample))
    if pk is None:
        raise ValueError(f"{label} has no output of sample {each.sample} for row {each.row} in “{run.name}”")
    return pk
