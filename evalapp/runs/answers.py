"""Imported outputs: read from a file, matched to examples, every bad row told."""

import csv
import hashlib
import io
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, NamedTuple

from evalapp.core.errors import MOST_PROBLEMS, InvalidError
from evalapp.datasets.files import HEAD_BYTES, JSONL, recognise, require_lines
from evalapp.datasets.formats import FileProblemError
from evalapp.datasets.models import DatasetVersion
from evalapp.datasets.queries import examples_of
from evalapp.datasets.row_ids import row_ids_of
from evalapp.runs.batch_files import answer_of_line
from run_directory.reasoning import parted
from run_directory.records import RecordError, parse_json

MOST_ROWS = 100_000
MOST_BYTES = 200 * 2**20
LONGEST_ANSWER = 200_000
LONGEST_REASONING = 1_000_000
LONGEST_LINE = 4 * 2**20
TEXT_FIELDS = ("text", "output", "answer")
ROW_FIELDS = ("row", "row_number")
ITEM_FIELDS = ("item", "item_id")
REASONING_FIELDS = ("reasoning", "reasoning_content")
REFUSED = "refused"


class ImportedAnswer(NamedTuple):
    """One answer. Its row is named by ``item`` (the row's id, see `row_ids_of`), ``prompt`` or
    ``example_row``, its number in the dataset version; where several are given they must name the same row.

    ``place`` says where it stands in the file ("line 3"), for messages.
    """

    text: str
    example_row: int | None = None
    prompt: str | None = None
    item: str = ""
    is_row_certain: bool = False
    """Whether the product itself wrote ``example_row``; otherwise it names a row only where
    rows have no ids.
    """
    sample: int = 0
    place: str = ""
    finish_reason: str = ""
    """"refused": imported, but without an output, for the reason in ``refusal``."""
    refusal: str = ""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    reasoning: str = ""
    """What the model thought before its answer, where the file has it apart; a `<think>` part of the text is
    taken off it when the answer is matched.
    """
    problem: str = ""
    """Why the row of the file holds no answer; the other fields then say nothing."""


class MatchedAnswer(NamedTuple):
    example_id: int
    split: str
    sample: int
    text: str
    finish_reason: str = ""
    refusal: str = ""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    reasoning: str = ""


Place = tuple[int, str]
"""An example's id, and its split."""


class AnswersError(InvalidError):
    """Nothing was imported; ``problems`` has one sentence for each bad row, and where it stands."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        first = problems[0]
        more = f" {len(problems) - 1:,} more rows have problems." if len(problems) > 1 else ""
        super().__init__(f"Nothing was imported. {first}{more}", fields={"file": problems[:MOST_PROBLEMS]})


def read_answers(file: BinaryIO, name: str, *, id_field: str = "") -> Iterator[ImportedAnswer]:
    """Answers of a .jsonl or .csv file that can be read twice. Raises AnswersError for what cannot be used.

    Fields: ``item`` (the row's id; also called as ``id_field`` is), ``row`` (row number in the dataset
    version) or ``prompt`` (the whole text of the last user turn); ``text``, ``output`` or ``answer``;
    ``sample`` (from 0) where a row has several answers;
    ``reasoning``, which a ``<think>`` part before the answer becomes, too.
    Lines with a ``custom_id`` are those of an OpenAI batch's output.
    """
    head = file.read(HEAD_BYTES)
    file.seek(0)
    try:
        file_format = recognise(name, head)
        if file_format == JSONL:
            require_lines(head)
    except FileProblemError as error:
        raise AnswersError([str(error)]) from error
    items = (*ITEM_FIELDS, id_field.lower()) if id_field else ITEM_FIELDS
    if file_format == JSONL:
        return _read_jsonl(file, items)
    return _read_csv(file, "\t" if name.lower().endswith(".tsv") else ",", items)


def matched(answers: Iterable[ImportedAnswer], version: DatasetVersion) -> list[MatchedAnswer]:
    """The answers with their examples. Raises AnswersError with every row that cannot be used."""
    rows = _Rows(version)
    found: list[MatchedAnswer] = []
    problems: list[str] = []
    seen: dict[tuple[int, int], str] = {}
    for number, answer in enumerate(answers, start=1):
        place = answer.place or f"Answer {number}"
        try:
            answer = _with_reasoning_apart(answer)  # noqa: PLW2901 - the same answer, in its parts
            example_id, split = rows.place_of(answer)
            _check_text(answer)
            _check_first(seen.get((example_id, answer.sample)))
        except ValueError as error:
            problems.append(f"{place}: {error}.")
            continue
        seen[example_id, answer.sample] = place
        found.append(
            MatchedAnswer(
                *(example_id, split, answer.sample, answer.text, answer.finish_reason, answer.refusal),
                *(answer.prompt_tokens, answer.completion_tokens, answer.reasoning),
            )
        )
        if len(found) > MOST_ROWS:
            raise AnswersError([f"The file has more than {MOST_ROWS:,} answers. Split it."])
    if problems:
        raise AnswersError(problems)
    if not found:
        raise AnswersError(["The file holds no answers. Each needs “item”, “prompt” or “row”, and “text”."])
    return found


def _with_reasoning_apart(answer: ImportedAnswer) -> ImportedAnswer:
    if answer.reasoning or answer.finish_reason == REFUSED:
        return answer
    said = parted(answer.text)
    if not said.reasoning:
        return answer._replace(text=said.answer)
    # Without a closing it was cut while it thought.
    finish = answer.finish_reason or ("length" if not said.answer else "")
    return answer._replace(text=said.answer, reasoning=said.reasoning, finish_reason=finish)


class _Rows:
    """The rows of a version by what may name them: number, id and prompt."""

    def __init__(self, version: DatasetVersion) -> None:
        examples = examples_of(version)
        self._version = version
        self._ids = row_ids_of(examples)
        self._by_row: dict[int, Place] = {}
        self._by_item: dict[str, list[Place]] = {}
        self._by_prompt: dict[bytes, list[Place]] = {}
        fields = ("row_number", "split", "messages", "metadata")
        for example in examples.only(*fields).iterator(chunk_size=2000):
            place = (example.pk, str(example.split))
            self._by_row[example.row_number] = place
            self._by_prompt.setdefault(_prompt_key(example.prompt_text), []).append(place)
            if (item := example.metadata.get(self._ids.field)) is not None:
                self._by_item.setdefault(str(item), []).append(place)

    def place_of(self, answer: ImportedAnswer) -> Place:
        """The row that an answer is to. Raises ValueError where it is not certain which."""
        if answer.problem:
            raise ValueError(answer.problem)
        if answer.item or answer.prompt:
            named = [self._of_item(answer.item)] if answer.item else []
            named += [self._of_prompt(answer.prompt)] if answer.prompt else []
        elif answer.example_row is None:
            raise ValueError(f"has neither “{self._ids.field or 'row'}” nor “prompt”, so its row is unknown")
        elif self._ids.is_unique and not answer.is_row_certain:
            raise ValueError(self._by_number_alone())
        else:
            named = []
        if answer.example_row is not None:
            named.append([self._of_number(answer.example_row)])
        places = [place for place in named[0] if all(place in others for others in named)]
        if not places:
            raise ValueError(
                f"what it says of its row ({self._said(answer)}) is of different rows of {self._version}"
            )
        if len(places) > 1:
            other = "row" if answer.item or not self._ids.field else self._ids.field
            raise ValueError(
                f"its {self._said(answer)} stands in {len(places)} rows of {self._version}; give “{other}” as"
                " well"
            )
        return places[0]

    def _said(self, answer: ImportedAnswer) -> str:
        said = {
            f"{self._ids.field} {answer.item[:60]!r}": answer.item,
            "prompt": answer.prompt,
            f"row {answer.example_row}": answer.example_row is not None,
        }
        return " and ".join(name for name, is_given in said.items() if is_given)

    def _of_number(self, row: int) -> Place:
        if row not in self._by_row:
            raise ValueError(f"{self._version} has no row {row}; its rows go from 1 to {len(self._by_row)}")
        return self._by_row[row]

    def _of_item(self, item: str) -> list[Place]:
        if not self._ids.field:
            raise ValueError(
                f"names an item, but the rows of {self._version} have no ids in their metadata; give “prompt”"
                " or “row”"
            )
        if item not in self._by_item:
            raise ValueError(f"no row of {self._version} has {item[:60]!r} as its {self._ids.field}")
        return self._by_item[item]

    def _of_prompt(self, prompt: str) -> list[Place]:
        places = self._by_prompt.get(_prompt_key(prompt), [])
        if not places:
            raise ValueError(
                f"its prompt stands in no row of {self._version}; compare the whole text of the last user"
                " turn"
            )
        return places

    def _by_number_alone(self) -> str:
        return (
            f"names its row by number alone, but the rows of {self._version} have ids, in"
            f" “{self._ids.field}”; add “item” with each row's {self._ids.field}, or “prompt”, and the number"
            " is checked against it"
        )


def _check_first(earlier: str | None) -> None:
    if earlier:
        raise ValueError(f"answers the same example as {earlier}; keep one, or number them by “sample”")


def _check_text(answer: ImportedAnswer) -> None:
    if answer.finish_reason == REFUSED:
        return
    if not answer.text.strip() and not answer.reasoning:
        raise ValueError("the answer is empty")
    if "\x00" in answer.text or "\x00" in answer.reasoning:
        raise ValueError("the answer holds a NUL character; remove it")
    if len(answer.text) > LONGEST_ANSWER:
        raise ValueError(f"the answer has {len(answer.text):,} characters; the limit is {LONGEST_ANSWER:,}")
    if len(answer.reasoning) > LONGEST_REASONING:
        raise ValueError(
            f"the reasoning has {len(answer.reasoning):,} characters; the limit is {LONGEST_REASONING:,}"
        )
    if not 0 <= answer.sample < 32768:
        raise ValueError("“sample” is not between 0 and 32767")


def _prompt_key(text: str) -> bytes:
    """Names a prompt; line ends differ between systems and spreadsheets, nothing else may."""
    return hashlib.sha256(text.replace("\r\n", "\n").strip().encode()).digest()


def _read_jsonl(file: BinaryIO, items: tuple[str, ...]) -> Iterator[ImportedAnswer]:
    number = 0
    while line := file.readline(LONGEST_LINE + 1):
        number += 1
        place = f"Line {number}"
        if len(line) > LONGEST_LINE:
            raise AnswersError(
                [f"{place} is longer than {LONGEST_LINE:,} bytes. Look for a missing line break."]
            )
        content = line.removeprefix(b"\xef\xbb\xbf").strip() if number == 1 else line.strip()
        if not content:
            continue
        try:
            value = parse_json(content, where="the line")
        except RecordError as error:
            yield ImportedAnswer(
                text="", place=place, problem=f"{error}; each line must be one JSON object in UTF-8"
            )
            continue
        yield _answer(value, place, items)


def _read_csv(file: BinaryIO, delimiter: str, items: tuple[str, ...]) -> Iterator[ImportedAnswer]:
    # The module's own limit (131,072 characters) is lower than an answer may be long.
    csv.field_size_limit(LONGEST_LINE)
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    reader = csv.DictReader(text, delimiter=delimiter, strict=True)
    try:
        for row in reader:
            place = f"Line {reader.line_num}"
            if None in row or None in row.values():
                problem = "has another number of columns than the header; check its quotes"
                yield ImportedAnswer(text="", place=place, problem=problem)
                continue
            fields = {name.strip().lower(): value for name, value in row.items() if value}
            yield _answer(fields, place, items)
    except UnicodeDecodeError as error:
        message = f"After line {reader.line_num}: the file is not UTF-8. Save it as UTF-8."
        raise AnswersError([message]) from error
    except csv.Error as error:
        raise AnswersError([f"After line {reader.line_num}: the file is no whole CSV ({error})."]) from error
    finally:
        # The file belongs to the caller; closing the wrapper would close it.
        text.detach()


def _answer(fields: object, place: str, items: tuple[str, ...]) -> ImportedAnswer:
    try:
        return _checked_answer(fields, place, items)
    except ValueError as error:
        return ImportedAnswer(text="", place=place, problem=str(error))


def _checked_answer(fields: object, place: str, items: tuple[str, ...]) -> ImportedAnswer:
    if not isinstance(fields, dict):
        raise ValueError('is no JSON object; write {"row": 1, "text": "…"}')  # noqa: TRY004 - a row's problem
    if "custom_id" in fields:
        said = answer_of_line(fields)
        return ImportedAnswer(
            text=said.text,
            example_row=said.row,
            is_row_certain=True,
            sample=said.sample,
            place=place,
            finish_reason=said.finish_reason,
            refusal=said.refusal,
            prompt_tokens=said.prompt_tokens,
            completion_tokens=said.completion_tokens,
            reasoning=said.reasoning,
        )
    text = next((fields[name] for name in TEXT_FIELDS if name in fields), "")
    prompt = fields.get("prompt")
    reasoning = next((fields[name] for name in REASONING_FIELDS if name in fields), None)
    for name, value in (("answer", text), ("prompt", prompt), ("reasoning", reasoning)):
        if value is not None and not isinstance(value, str):
            raise ValueError(f"the {name} is no text; put it in double quotes")
        if value and not _is_unicode(value):
            raise ValueError(f"the {name} holds half of a surrogate pair, which is no character; remove it")
    row = next((fields[name] for name in ROW_FIELDS if name in fields), None)
    item = next((value for name, value in fields.items() if name.lower() in items), None)
    if isinstance(item, dict | list | bool):
        raise ValueError("the item is neither text nor a number")  # noqa: TRY004 - a row's problem
    return ImportedAnswer(
        text=text or "",
        example_row=None if row is None else _whole(row, "row"),
        prompt=prompt,
        item="" if item is None else str(item),
        sample=_whole(fields.get("sample", 0), "sample"),
        place=place,
        reasoning=reasoning or "",
    )


def _whole(value: Any, name: str) -> int:
    text = str(value).strip()
    if isinstance(value, bool) or not text.isascii() or not text.isdecimal() or len(text) > 9:
        raise ValueError(f"“{name}” is {text[:20]!r}, not a whole number")
    return int(text)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
