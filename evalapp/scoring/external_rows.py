"""Scores computed elsewhere, read from a file line by line; reads no file twice."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, BinaryIO, NamedTuple

from evalapp.core.errors import MOST_PROBLEMS, InvalidError
from evalapp.datasets.csv_files import read_cells, read_header
from evalapp.datasets.files import CSV, HEAD_BYTES, recognise, require_lines
from evalapp.datasets.formats import FileProblemError, object_of
from evalapp.datasets.rows import FieldProblem

MOST_SCORES = 50_000
MOST_BYTES = 20 * 2**20
LONGEST_LINE = 64 * 2**10
# Sums of many values of this size are still numbers, and no score needs more.
LARGEST_VALUE = 1e12
FIELDS = ("output", "item", "row", "candidate", "sample", "value")
DEFAULT_NAMES = {
    "output_id": "output",
    "item_id": "item",
    "score": "value",
    "row_number": "row",
    "example": "row",
}
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,3})?", re.ASCII)
LONGEST_ID = 18
LONGEST_ITEM = 1_000


class GivenScore(NamedTuple):
    """One line: ``output`` by its id, or the row by ``item`` (its value of a metadata field) or ``row`` (its
    number in the run's dataset version), with the ``candidate``'s label and the ``sample``. ``problem``: why
    it holds no score.
    """

    place: str
    value: float = 0.0
    output: int | None = None
    item: str = ""
    row: int | None = None
    candidate: str = ""
    sample: int = 0
    problem: str = ""


def told(problems: list[str]) -> list[str]:
    """The first of them, and how many there are beside these."""
    if len(problems) <= MOST_PROBLEMS:
        return problems
    rest = len(problems) - MOST_PROBLEMS + 1
    return [*problems[: MOST_PROBLEMS - 1], f"{rest:,} more lines have problems; mend these first."]


class ScoresError(InvalidError):
    """Nothing was stored; ``problems`` has one sentence for each bad line, and where it stands."""

    def __init__(self, problems: list[str], *, field: str = "file") -> None:
        self.problems = problems
        more = f" {len(problems) - 1:,} more lines have problems." if len(problems) > 1 else ""
        super().__init__(f"Nothing was stored. {problems[0]}{more}", fields={field: told(problems)})


def read_scores(file: BinaryIO, name: str, *, item_field: str = "") -> Iterator[GivenScore]:
    """Scores of a .jsonl or .csv file with ``value`` and ``output``, or ``item`` or ``row`` and
    ``candidate``.

    A column that is called like ``item_field`` names the item, too.
    Raises ScoresError for a file that cannot be used as a whole.
    """
    head = file.read(HEAD_BYTES)
    file.seek(0)
    try:
        if recognise(name, head) != CSV:
            require_lines(head)
            return _read_jsonl(file, item_field)
        header = read_header(file)
        file.seek(0)
        return _read_csv(file, header.delimiter, _known_columns(header.columns, item_field))
    except FileProblemError as error:
        raise ScoresError([str(error)]) from error


def _known_columns(columns: list[str], item_field: str) -> list[str]:
    known = [_field(column, item_field) for column in columns]
    if twice := _named_twice(columns, item_field):
        raise ScoresError([f"{twice}. Keep one of the columns."])
    if "value" not in known:
        raise ScoresError([f"No column is named “value” (found: {', '.join(columns)[:200]}). Rename yours."])
    return known


def _named_twice(names: Iterable[str], item_field: str) -> str:
    """Which two names mean the same field, or ""."""
    names = list(names)
    counts = Counter(_field(name, item_field) for name in names)
    for field in FIELDS:
        if counts[field] > 1:
            same = " and ".join(f"“{name}”" for name in names if _field(name, item_field) == field)
            return f"{same} both name the {field}"
    return ""


def _field(name: str, item_field: str) -> str:
    bare = name.strip().lower()
    bare = DEFAULT_NAMES.get(bare, bare)
    return "item" if bare not in FIELDS and name.strip() == item_field else bare


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


def _read_jsonl(file: BinaryIO, item_field: str) -> Iterator[GivenScore]:
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
        elif twice := _named_twice(found, item_field):
            yield GivenScore(place, problem=f"{twice}; keep one.")
        else:
            yield given_score({_field(name, item_field): value for name, value in found.items()}, place)


def given_score(fields: Mapping[str, Any], place: str) -> GivenScore:
    """One score from the fields of a line; numbers may be text, as they are in a CSV file."""
    try:
        return GivenScore(
            place=place,
            value=_value(fields.get("value")),
            output=_whole(fields, "output"),
            item=_item(fields.get("item")),
            row=_whole(fields, "row"),
            candidate=_label(fields.get("candidate")),
            sample=_whole(fields, "sample") or 0,
        )
    except ValueError as error:
        return GivenScore(place, problem=f"{error}.")


def _item(given: Any) -> str:
    """As text, because a CSV file knows nothing else."""
    if given is None or given == "":
        return ""
    if isinstance(given, bool) or not isinstance(given, str | int):
        raise ValueError("“item” is neither text nor a whole number; write the row's id as it is stored")  # noqa: TRY004 - likewise
    if len(text := str(given)) > LONGEST_ITEM:
        raise ValueError(f"“item” has more than {LONGEST_ITEM:,} characters")
    return text


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
