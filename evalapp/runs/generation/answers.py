"""Imported outputs: read from a file and matched to examples, with every invalid row reported."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, BinaryIO, NamedTuple

from evalapp.datasets.models import DatasetVersion
from evalapp.datasets.queries import examples_of
from evalapp.datasets.row_ids import row_ids_of
from evalapp.imports.mapping import Mapper
from evalapp.imports.problems import FileProblemError, ImportProblemsError, ProblemList, text_problems
from evalapp.imports.source_rows import SourceRow, sniff_source, source_rows
from evalapp.runs.generation.batch_files import answer_of_line
from run_directory.reasoning import split_reasoning

MOST_ROWS = 100_000
MOST_BYTES = 200 * 2**20
LONGEST_ANSWER = 200_000
LONGEST_REASONING = 1_000_000
_MOST_NAMED = 8
OUTPUTS = Mapper(
    names={
        **dict.fromkeys(("text", "output", "answer"), "text"),
        **dict.fromkeys(("row", "row_number"), "row"),
        **dict.fromkeys(("item", "item_id"), "item"),
        **dict.fromkeys(("reasoning", "reasoning_content"), "reasoning"),
        "prompt": "prompt",
        "sample": "sample",
    },
    many=("",),
    rest="",
)
REFUSED = "refused"


class ImportedAnswer(NamedTuple):
    """One answer. Its row is given by ``item`` (the row's id, see `row_ids_of`), ``prompt`` or
    ``example_row`` (its number in the dataset version); if several are given, they must identify the same
    row.

    ``place`` is the location in the file ("line 3"), for messages.
    """

    text: str
    example_row: int | None = None
    prompt: str | None = None
    item: str = ""
    is_row_certain: bool = False
    """Whether the product itself wrote ``example_row``. Otherwise a number alone is valid only if the rows
    have no ids.
    """
    sample: int = 0
    place: str = ""
    finish_reason: str = ""
    """"refused": imported without an output, for the reason in ``refusal``."""
    refusal: str = ""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    reasoning: str = ""
    """The model's reasoning, if the file has it separately. When the answer is matched, a leading `<think>`
    part of the text is moved here.
    """
    problem: str = ""
    """Why the file's row is not a valid answer; the other fields are then meaningless."""


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
"""Id and split of an example."""


def read_answers(
    file: BinaryIO, name: str, *, id_field: str = "", candidate: str = ""
) -> Iterator[ImportedAnswer]:
    """Read the answers of a file, which must be seekable. Raises ImportProblemsError for an unusable file.

    Fields: ``item`` (the row's id; also under the name ``id_field``), ``row`` (row number in the dataset
    version) or ``prompt`` (the whole text of the last user turn); ``text``, ``output`` or ``answer``, or the
    label of ``candidate`` in a file with a column for each candidate; ``sample`` (from 0) if a row has
    several answers; ``reasoning``, which may also be a ``<think>`` part before the answer. Lines with a
    ``custom_id`` are read as the output of an OpenAI batch.
    """
    try:
        source = sniff_source(name, file)
        mapper = OUTPUTS.with_names({id_field: "item", candidate: "text"})
        for row in source_rows(file, source, example='{"row": 1, "text": "…"}'):
            yield _answer(row, f"{source.place} {row.number}", mapper)
    except FileProblemError as error:
        raise ImportProblemsError([str(error)]) from error


def match_answers(
    answers: Iterable[ImportedAnswer], version: DatasetVersion, *, item_field: str = ""
) -> list[MatchedAnswer]:
    """Match the answers to their examples; ``item_field`` is from ``item_field_of``, or "" for the rows' ids.
    Raises ImportProblemsError with every row that cannot be used.
    """
    rows = _Rows(version, item_field)
    found: list[MatchedAnswer] = []
    problems = ProblemList()
    seen: dict[tuple[int, int], str] = {}
    for number, answer in enumerate(answers, start=1):
        place = answer.place or f"Answer {number}"
        try:
            answer = _with_reasoning_apart(answer)  # noqa: PLW2901 - the same answer, split into its parts
            example_id, split = rows.place_of(answer)
            _check_text(answer)
            _check_first(seen.get((example_id, answer.sample)))
        except ValueError as error:
            problems.add(place, f"{str(error).rstrip('.')}.")
            continue
        seen[example_id, answer.sample] = place
        found.append(
            MatchedAnswer(
                *(example_id, split, answer.sample, answer.text, answer.finish_reason, answer.refusal),
                *(answer.prompt_tokens, answer.completion_tokens, answer.reasoning),
            )
        )
        if len(found) > MOST_ROWS:
            raise ImportProblemsError([f"The file has more than {MOST_ROWS:,} answers. Split it."])
    if problems:
        raise problems.error()
    if not found:
        raise ImportProblemsError(
            ["The file has no answers. Each needs “item”, “prompt” or “row”, and “text”."]
        )
    return found


def _with_reasoning_apart(answer: ImportedAnswer) -> ImportedAnswer:
    if answer.reasoning or answer.finish_reason == REFUSED:
        return answer
    said = split_reasoning(answer.text)
    if not said.reasoning:
        return answer._replace(text=said.answer)
    # Without a closing tag, the output was cut off during reasoning.
    finish = answer.finish_reason or ("length" if not said.answer else "")
    return answer._replace(text=said.answer, reasoning=said.reasoning, finish_reason=finish)


class _Rows:
    """The rows of a version, indexed by number, id and prompt."""

    def __init__(self, version: DatasetVersion, item_field: str) -> None:
        examples = examples_of(version)
        self._version = version
        ids = row_ids_of(examples)
        self._id_field = ids.field if ids.is_unique else ""
        self._item_field = item_field or ids.field
        self._by_row: dict[int, Place] = {}
        self._by_item: dict[str, list[Place]] = {}
        self._by_prompt: dict[bytes, list[Place]] = {}
        fields = ("row_number", "split", "messages", "metadata")
        for example in examples.only(*fields).iterator(chunk_size=2000):
            place = (example.pk, str(example.split))
            self._by_row[example.row_number] = place
            self._by_prompt.setdefault(_prompt_key(example.prompt_text), []).append(place)
            if (item := example.metadata.get(self._item_field)) is not None:
                self._by_item.setdefault(str(item), []).append(place)

    def place_of(self, answer: ImportedAnswer) -> Place:
        """The row that an answer belongs to. Raises ValueError if it is not certain."""
        if answer.problem:
            raise ValueError(answer.problem)
        if answer.item or answer.prompt:
            named = [self._of_item(answer.item)] if answer.item else []
            named += [self._of_prompt(answer.prompt)] if answer.prompt else []
        elif answer.example_row is None:
            raise ValueError(f"has neither “{self._item_field or 'row'}” nor “prompt”, so its row is unknown")
        elif self._id_field and not answer.is_row_certain:
            raise ValueError(self._by_number_alone())
        else:
            named = []
        if answer.example_row is not None:
            named.append([self._of_number(answer.example_row)])
        places = [place for place in named[0] if all(place in others for others in named)]
        if not places:
            raise ValueError(f"its {self._said(answer)} name different rows of {self._version}")
        if len(places) > 1:
            other = "row" if answer.item or not self._item_field else self._item_field
            raise ValueError(
                f"its {self._said(answer)} is in {len(places)} rows of {self._version};"
                f" give “{other}” as well"
            )
        return places[0]

    def _said(self, answer: ImportedAnswer) -> str:
        said = {
            f"{self._item_field} {answer.item[:60]!r}": answer.item,
            "prompt": answer.prompt,
            f"row {answer.example_row}": answer.example_row is not None,
        }
        return " and ".join(name for name, is_given in said.items() if is_given)

    def _of_number(self, row: int) -> Place:
        if row not in self._by_row:
            raise ValueError(f"{self._version} has no row {row}; its rows go from 1 to {len(self._by_row)}")
        return self._by_row[row]

    def _of_item(self, item: str) -> list[Place]:
        if not self._item_field:
            raise ValueError(
                f"names an item, but the rows of {self._version} have no ids in their metadata; give “prompt”"
                " or “row”"
            )
        if item not in self._by_item:
            raise ValueError(f"no row of {self._version} has {item[:60]!r} as its {self._item_field}")
        return self._by_item[item]

    def _of_prompt(self, prompt: str) -> list[Place]:
        places = self._by_prompt.get(_prompt_key(prompt), [])
        if not places:
            raise ValueError(
                f"its prompt is in no row of {self._version}; compare the whole text of the last user turn"
            )
        return places

    def _by_number_alone(self) -> str:
        return (
            f"gives only a row number, but the rows of {self._version} have ids, in “{self._id_field}”;"
            f" add “item” with each row's {self._id_field}, or “prompt”, and the number is checked against it"
        )


def _check_first(earlier: str | None) -> None:
    if earlier:
        raise ValueError(f"answers the same example as {earlier}; keep one, or number them by “sample”")


def _check_text(answer: ImportedAnswer) -> None:
    if answer.finish_reason == REFUSED:
        return
    if not answer.text.strip() and not answer.reasoning:
        raise ValueError("the answer is empty")
    texts = (("answer", answer.text, LONGEST_ANSWER), ("reasoning", answer.reasoning, LONGEST_REASONING))
    for name, text, longest in texts:
        if problems := text_problems(name, text, longest):
            raise ValueError(str(problems[0]))
    if not 0 <= answer.sample < 32768:
        raise ValueError("“sample” is not between 0 and 32767")


def _prompt_key(text: str) -> bytes:
    """Hash of a prompt, ignoring only line-end differences and surrounding space."""
    return hashlib.sha256(text.replace("\r\n", "\n").strip().encode("utf-8", "surrogatepass")).digest()


def _answer(row: SourceRow, place: str, mapper: Mapper) -> ImportedAnswer:
    if row.problem:
        return ImportedAnswer(text="", place=place, problem=str(row.problem))
    try:
        return _checked_answer(row.fields, place, mapper)
    except ValueError as error:
        return ImportedAnswer(text="", place=place, problem=str(error))


def _checked_answer(given: Mapping[str, Any], place: str, mapper: Mapper) -> ImportedAnswer:
    if "custom_id" in given:
        said = answer_of_line(dict(given))
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
    fields = mapper.fields(given)
    if not {"text", "reasoning"} & fields.keys():
        columns = ", ".join(f"“{name}”" for name in list(given)[:_MOST_NAMED])
        raise ValueError(
            f"it has no “text” and no column called like the candidate, but {columns or 'nothing'}"
        )
    for name in ("text", "prompt", "reasoning"):
        value = fields.get(name)
        if value is not None and not isinstance(value, str):
            raise ValueError(f"the {name} is not text; put it in double quotes")
    item = fields.get("item")
    if isinstance(item, dict | list | bool):
        raise ValueError("the item is neither text nor a number")  # noqa: TRY004 - a row problem
    row = fields.get("row")
    return ImportedAnswer(
        text=fields.get("text") or "",
        example_row=None if row is None else _whole(row, "row"),
        prompt=fields.get("prompt"),
        item="" if item is None else str(item),
        sample=_whole(fields.get("sample", 0), "sample"),
        place=place,
        reasoning=fields.get("reasoning") or "",
    )


def _whole(value: Any, name: str) -> int:
    text = str(value).strip()
    if isinstance(value, bool) or not text.isascii() or not text.isdecimal() or len(text) > 9:
        raise ValueError(f"“{name}” is {text[:20]!r}, not a whole number")
    return int(text)
