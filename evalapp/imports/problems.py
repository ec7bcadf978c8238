"""Problems of an upload: what is wrong, where, and how to fix it; reported together, with repeats combined.
Pure.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from evalapp.core.errors import MOST_PROBLEMS, InvalidError
from evalapp.core.names import has_visible
from evalapp.core.strict_json import bad_character

LEAST_FOLDED = 3
"""The number of rows from which the same problem is reported once."""
_SHOWN_PLACES = 3
_VARYING_PARTS = re.compile(r"“[^”]*”|'[^']*'|\"[^\"]*\"|\d[\d,.]*")


class FieldProblem(NamedTuple):
    """A problem with one field of a row, and how to fix it; both are whole sentences."""

    field: str
    problem: str
    fix: str = ""

    def __str__(self) -> str:
        where = f"{self.field}: " if self.field not in ("", "row") else ""
        return f"{where}{self.problem} {self.fix}".strip()


class FileProblemError(Exception):
    """The file cannot be read as a whole; the message says why and what to do."""


class RowProblemError(Exception):
    """A row cannot be read, for one or more problems."""

    def __init__(self, *problems: FieldProblem) -> None:
        super().__init__(str(problems[0]))
        self.problems = problems


def bad_field(field: str, problem: str, fix: str) -> RowProblemError:
    return RowProblemError(FieldProblem(field, problem, fix))


class RowProblem(NamedTuple):
    """``place``: "Line 3", "Row 3", or the row number. ``is_refusal``: the row is not imported; otherwise it
    is, and the problem says how it differs from the file.
    """

    place: str | int
    problem: FieldProblem
    is_refusal: bool = True

    def __str__(self) -> str:
        return f"{self.place}: {self.problem}"


class FoldedProblem(NamedTuple):
    """A problem with its places. ``is_same``: identical wording, including quoted values."""

    first: RowProblem
    places: Sequence[str | int]
    is_same: bool = True
    problems: int = 1

    @property
    def rows(self) -> int:
        return len(self.places)

    @property
    def shown_places(self) -> str:
        """For instance "3, 4, 5 and 57 more"."""
        shown = ", ".join(
            f"{place:,}" if isinstance(place, int) else place for place in self.places[:_SHOWN_PLACES]
        )
        more = self.rows - _SHOWN_PLACES
        return f"{shown} and {more:,} more" if more > 0 else shown

    def __str__(self) -> str:
        if self.rows == 1:
            return str(self.first)
        like_this = "" if self.is_same else " like this"
        return f"{self.rows:,} rows{like_this}: {self.first.problem} ({self.shown_places})"


def fold_problems(problems: Iterable[RowProblem]) -> list[FoldedProblem]:
    """The problems in order; those that differ only in quoted values and occur in three or more rows are
    combined.
    """
    groups: dict[tuple[str, bool], list[RowProblem]] = {}
    for each in problems:
        groups.setdefault((_VARYING_PARTS.sub("", str(each.problem)), each.is_refusal), []).append(each)
    repeats: list[FoldedProblem] = []
    for group in groups.values():
        places = list(dict.fromkeys(each.place for each in group))
        if len(places) < LEAST_FOLDED:
            repeats += [FoldedProblem(each, [each.place]) for each in group]
        else:
            is_same = len({each.problem for each in group}) == 1
            repeats.append(FoldedProblem(group[0], places, is_same, len(group)))
    return repeats


class ImportProblemsError(InvalidError):
    """Nothing was imported; ``problems``: one sentence each, with its place."""

    def __init__(self, problems: Sequence[str], *, messages: Sequence[str] = (), field: str = "file") -> None:
        self.problems = list(problems)
        messages = messages or self.problems
        count = len(problems) - 1
        more = (
            f" There {'is' if count == 1 else 'are'} {count:,} more problem{'s' * (count != 1)}."
            if count
            else ""
        )
        super().__init__(f"Nothing was imported. {problems[0]}{more}", fields={field: messages})


@dataclass
class ProblemList:
    """All problems of an upload: counted completely, stored up to ``most``, reported combined, up to
    MOST_PROBLEMS.
    """

    most: int = 100_000
    found: int = 0
    refusals: int = 0
    kept: list[RowProblem] = field(default_factory=list)

    def add(self, place: str | int, problem: FieldProblem | str, *, is_refusal: bool = True) -> None:
        self.found += 1
        self.refusals += is_refusal
        if len(self.kept) < self.most:
            problem = FieldProblem("", problem) if isinstance(problem, str) else problem
            self.kept.append(RowProblem(place, problem, is_refusal))

    def __bool__(self) -> bool:
        return self.found > 0

    def messages(self) -> list[str]:
        """The problems as messages: repeats combined, at most MOST_PROBLEMS, and the number of the rest."""
        repeats = fold_problems(self.kept)
        if len(repeats) <= MOST_PROBLEMS:
            return [str(each) for each in repeats]
        shown = repeats[: MOST_PROBLEMS - 1]
        rest = self.found - sum(each.problems for each in shown)
        return [*map(str, shown), f"There are {rest:,} more problems; fix these first."]

    def error(self, *, field: str = "file") -> ImportProblemsError:
        return ImportProblemsError([str(each) for each in self.kept], messages=self.messages(), field=field)


def is_fine(text: object, longest: int) -> bool:
    """The fast check, sufficient for nearly all of a million rows."""
    return type(text) is str and len(text) <= longest and not bad_character(text)


def text_problems(
    name: str, text: object, longest: int, *, needs_words: bool = False
) -> Sequence[FieldProblem]:
    """The reasons why a text of a file cannot be stored; empty if it can."""
    if is_fine(text, longest) and (not needs_words or has_visible(str(text))):
        return ()
    return list(_text_problems_in_detail(name, text, longest, needs_words=needs_words))


def _text_problems_in_detail(
    name: str, text: object, longest: int, *, needs_words: bool
) -> Iterator[FieldProblem]:
    if not isinstance(text, str):
        kind = {dict: "an object", list: "a list", bool: "a truth value", type(None): "empty (null)"}.get(
            type(text), "a number"
        )
        yield FieldProblem(name, f"This is {kind}, not text.", "Put text in double quotes.")
        return
    if len(text) > longest:
        yield FieldProblem(
            name,
            f"The text has {len(text):,} characters; the limit is {longest:,}.",
            "Shorten it, or look for a missing closing quote.",
        )
    if needs_words and is_fine(text, longest) and not has_visible(text):
        yield FieldProblem(name, "The text is empty.", "Write it, or leave the row out.")
    if "\x00" in text:
        yield FieldProblem(name, "The text has a NUL character (U+0000).", "Remove it.")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        yield _not_a_character(name, text, error.start)


def _not_a_character(name: str, text: str, position: int) -> FieldProblem:
    code = ord(text[position])
    # source_rows decodes bytes that are not UTF-8 to U+DC80 to U+DCFF (surrogateescape).
    if 0xDC80 <= code <= 0xDCFF:
        return FieldProblem(
            name,
            f"Character {position + 1:,} is the byte 0x{code - 0xDC00:02X}, which is not UTF-8.",
            "Save the file as UTF-8 (it may be Windows-1252 or Latin-1).",
        )
    return FieldProblem(
        name,
        f"Character {position + 1:,} is half of a surrogate pair (U+{code:04X}), no character.",
        "Remove it, or write both halves.",
    )


def shown(text: object) -> str:
    """A value for use in a message: shortened and printable."""
    text = printable(str(text))
    return text if len(text) <= 40 else f"{text[:39]}…"


def printable(text: str) -> str:
    """The text with NUL and lone surrogates escaped, for messages that quote a file."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\x00", "\\x00")
