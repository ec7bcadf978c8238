"""Answers made elsewhere: read from a file, matched to examples, every bad row told."""

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
REASONING_FIELDS = ("reasoning", "reasoning_content")
REFUSED = "refused"


class ImportedAnswer(NamedTuple):
    """One answer. ``example_row`` is the row's number in the dataset version; without it ``prompt`` decides.

    ``place`` says where it stands in the file ("line 3"), for messages.
    """

    text: str
    example_row: int | None = None
    prompt: str | None = None
    sample: int = 0
    place: str = ""
    finish_reason: str = ""
    """"refused": made elsewhere, but without an answer, for the reason in ``refusal``."""
    refusal: str = ""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    reasoning: str = ""
    """What the model thought before its answer, where the file has it apart; a `<think>` part of the text is taken
    off it when the answer is matched."""
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


def read_answers(file: BinaryIO, name: str) -> Iterator[ImportedAnswer]:
    """Answers of a .jsonl or .csv file that can be read twice. Raises AnswersError for what cannot be used.

    Fields: ``row`` (row number in the dataset version) or ``prompt`` (the whole text of the last user
    turn); ``text``, ``output`` or ``answer``; ``sample`` (from 0) where a row has several answers;
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
    if file_format == JSONL:
        return _read_jsonl(file)
    return _read_csv(file, "\t" if name.lower().endswith(".tsv") else ",")


def matched(answers: Iterable[ImportedAnswer], version: DatasetVersion) -> list[MatchedAnswer]:
    """The answers with their examples. Raises AnswersError with every row that cannot be used."""
    by_row, by_prompt = _examples(version)
    found: list[MatchedAnswer] = []
    problems: list[str] = []
    seen: dict[tuple[int, int], str] = {}
    for number, answer in enumerate(answers, start=1):
        place = answer.place or f"Answer {number}"
        try:
            answer = _with_reasoning_apart(answer)  # noqa: PLW2901 - the same answer, in its parts
            example_id, split = _example_for(answer, by_row, by_prompt, version)
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
        raise AnswersError(["The file holds no answers. Each needs “row” or “prompt”, and “text”."])
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


def _examples(
    version: DatasetVersion,
) -> tuple[dict[int, Place], dict[bytes, list[Place]]]:
    by_row: dict[int, Place] = {}
    by_prompt: dict[bytes, list[Place]] = {}
    for example in examples_of(version).only("row_number", "split", "messages").iterator(chunk_size=2000):
        entry = (example.pk, str(example.split))
        by_row[example.row_number] = entry
        by_prompt.setdefault(_prompt_key(example.prompt_text), []).append(entry)
    return by_row, by_prompt


def _example_for(
    answer: ImportedAnswer,
    by_row: dict[int, Place],
    by_prompt: dict[bytes, list[Place]],
    version: DatasetVersion,
) -> Place:
    if answer.problem:
        raise ValueError(answer.problem)
    if answer.example_row is not None:
        if answer.example_row not in by_row:
            raise ValueError(
                f"{version} has no row {answer.example_row}; its rows go from 1 to {len(by_row)}"
            )
        return by_row[answer.example_row]
    if not answer.prompt:
        raise ValueError("has neither “row” nor “prompt”, so its example is unknown")
    entries = by_prompt.get(_prompt_key(answer.prompt), [])
    if not entries:
        raise ValueError(
            f"its prompt stands in no row of {version}; compare the whole text of the last user turn"
        )
    if len(entries) > 1:
        raise ValueError(f"its prompt stands in {len(entries)} rows of {version}; name the row by “row”")
    return entries[0]


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


def _read_jsonl(file: BinaryIO) -> Iterator[ImportedAnswer]:
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
        yield _answer(value, place)


def _read_csv(file: BinaryIO, delimiter: str) -> Iterator[ImportedAnswer]:
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
            yield _answer({name.strip().lower(): value for name, value in row.items() if value}, place)
    except UnicodeDecodeError as error:
        message = f"After line {reader.line_num}: the file is not UTF-8. Save it as UTF-8."
        raise AnswersError([message]) from error
    except csv.Error as error:
        raise AnswersError([f"After line {reader.line_num}: the file is no whole CSV ({error})."]) from error
    finally:
        # The file belongs to the caller; closing the wrapper would close it.
        text.detach()


def _answer(fields: object, place: str) -> ImportedAnswer:
    try:
        return _checked_answer(fields, place)
    except ValueError as error:
        return ImportedAnswer(text="", place=place, problem=str(error))


def _checked_answer(fields: object, place: str) -> ImportedAnswer:
    if not isinstance(fields, dict):
        raise ValueError('is no JSON object; write {"row": 1, "text": "…"}')  # noqa: TRY004 - a row's problem
    if "custom_id" in fields:
        said = answer_of_line(fields)
        return ImportedAnswer(
            text=said.text,
            example_row=said.row,
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
    return ImportedAnswer(
        text=text or "",
        example_row=None if row is None else _whole(row, "row"),
        prompt=prompt,
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
