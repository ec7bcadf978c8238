"""Files into rows: JSONL and CSV, read as a stream, each bad row told with its fields. Pure.

A reader yields one ``Reading`` per row of the file. Whatever a file holds, a reader raises nothing but
FileProblemError (the file as a whole is not usable), and never holds more than one row in memory.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO, NamedTuple, NoReturn

from evalapp.datasets.external_formats import ExternalFormatError, put_into_own_fields
from evalapp.datasets.json_lists import BrokenListError, list_members, starts_list
from evalapp.datasets.rows import (
    LARGEST_ROW_BYTES,
    ExampleRow,
    FieldProblem,
    prompt_hash,
    row_problems,
)
from evalapp.datasets.splits import ByField, SplitProblemError, SplitRule

# The greatest number of digits that every reader of JSON keeps exactly.
MOST_DIGITS = 18
MOST_FIELDS = 500
"""Columns of a table, and fields of one JSON object: pages show what each is for."""
_HEAD_BYTES = 4096
_OFFERED = ("tools", "functions")


class FileProblemError(Exception):
    """The file as a whole cannot be read; the message says why and what to do."""


class Reading(NamedTuple):
    """A row of the file: ``number`` is its line (JSONL) or its spreadsheet row (CSV; the header is 1).

    ``row`` is None exactly where there are ``problems``.
    """

    number: int
    row: ExampleRow | None
    problems: list[FieldProblem]


EXAMPLE = '{"prompt": "…", "completion": "…"}'


@dataclass(frozen=True, slots=True)
class Layout:
    """How fields of a file become a row: the split rule, the field that names the group, and a row as it is
    shown to who wrote another. ``takes_tools``: rows that offer tools are taken, and these kept as metadata,
    because the answer was given already.
    """

    split_rule: SplitRule = field(default_factory=ByField)
    group_field: str = "group"
    example: str = EXAMPLE
    takes_tools: bool = False


class _RowError(Exception):
    def __init__(self, name: str, problem: str, mend: str) -> None:
        super().__init__(problem)
        self.problem = FieldProblem(name, problem, mend)


def read_jsonl(
    stream: BinaryIO, layout: Layout, *, read: Callable[[int], None] | None = None
) -> Iterator[Reading]:
    """Rows of a JSONL file, or of one JSON list, whose members are counted from 1; empty lines are passed
    over. ``read`` gets the bytes of each line. The stream is one that can be sought in.
    """
    begin = stream.tell()
    is_list = starts_list(stream.read(_HEAD_BYTES))
    stream.seek(begin)
    if is_list:
        yield from _read_list(stream, layout, read)
        return
    number = 0
    while line := stream.readline(LARGEST_ROW_BYTES + 1):
        number += 1
        size = len(line)
        if size > LARGEST_ROW_BYTES:
            size += _pass_over_line(stream, line)
            yield Reading(number, None, [_row_too_large()])
        elif content := line.strip():
            if number == 1:
                content = content.removeprefix(b"\xef\xbb\xbf")
            yield _read_line(number, content, layout, is_cut=not line.endswith(b"\n"))
        if read is not None:
            read(size)


def _read_list(stream: BinaryIO, layout: Layout, read: Callable[[int], None] | None) -> Iterator[Reading]:
    try:
        for number, content in enumerate(list_members(stream, read), start=1):
            if len(content) > LARGEST_ROW_BYTES:
                yield Reading(number, None, [_row_too_large()])
            else:
                yield _read_line(number, content, layout, is_cut=False)
    except BrokenListError as error:
        raise FileProblemError(str(error)) from error


def build_row(fields: dict[str, Any], layout: Layout) -> ExampleRow:
    """A row from the fields of a JSON object; takes the dictionary apart. Raises _RowError.

    ``messages`` (a closing assistant turn becomes the first reference), or ``prompt`` (text or messages)
    with ``completion``; ``references``, ``label``, ``context``, ``metadata``, ``pairs``, ``rated`` as in
    ``ExampleRow``; or what ``external_formats`` knows. Fields that are not known are kept in the metadata,
    but for ``tools``, which would have to reach the model.
    """
    rule = layout.split_rule
    try:
        put_into_own_fields(fields)
    except ExternalFormatError as error:
        raise _RowError(*error.problem) from error
    if not layout.takes_tools:
        _refuse_tools(fields)
    preferences = {name: _preferences(fields.pop(name, None), name) for name in ("pairs", "rated")}
    messages, references = _prompt(fields)
    label = _short(fields.pop("label", None), "label")
    context = fields.pop("context", None)
    metadata = fields.pop("metadata", None)
    if metadata is None:
        metadata = {}
    elif not isinstance(metadata, dict):
        raise _RowError("metadata", "This must be an object of fields.", 'Write {"field": "value"}.')
    provenance = fields.pop("provenance", None)
    given_split = fields.pop(rule.name, metadata.get(rule.name)) if isinstance(rule, ByField) else None
    group = _short(fields.pop(layout.group_field, metadata.get(layout.group_field)), layout.group_field)
    for name, value in fields.items():
        if name in metadata:
            raise _RowError(
                name, "This field is in the row and in its metadata as well.", "Keep one of the two."
            )
        metadata[name] = value
    row = ExampleRow(
        split="train",
        messages=messages,
        references=references,
        label=label,
        context="" if context is None else context,
        metadata=metadata,
        group_key=group,
        # What a file says about its past is kept as a claim, apart from what this product knows.
        provenance={"imported": provenance} if provenance else {},
        **preferences,
    )
    problems = row_problems(row)
    if problems:
        raise _RowProblemsError(problems)
    split = rule.split_of(given_split, group or prompt_hash(messages))
    return replace(row, split=split)


def _refuse_tools(fields: dict[str, Any]) -> None:
    """What a row offers to be called would change its answer, and neither a training nor a generation passes
    it on.
    """
    for name in _OFFERED:
        offered = fields.get(name)
        if isinstance(offered, str):
            offered = offered.strip().strip("[]{}").strip()
        if offered:
            raise _RowError(
                name,
                "The row offers tools, which are not passed to the model in training or generation, so its"
                " answer would be another one.",
                "Leave the row out, or remove the field; to keep it for people to read, put it into the row's"
                " metadata.",
            )
        fields.pop(name, None)


class _RowProblemsError(Exception):
    def __init__(self, problems: list[FieldProblem]) -> None:
        super().__init__()
        self.problems = problems


def reading_of(
    number: int,
    make_fields: Callable[[], dict[str, Any]],
    layout: Layout,
    *,
    file_name_of: Callable[[str], str] = str,
) -> Reading:
    """One row: parsed, built and checked; every way in which that can fail becomes problems.

    ``file_name_of`` turns the name of a JSON object's field into what the file calls it.
    """
    try:
        return Reading(number, build_row(make_fields(), layout), [])
    except _RowProblemsError as error:
        # Read once more, because building a row takes its fields apart; bad rows are few.
        names = _names_in_object(make_fields(), layout)
        problems = [problem._replace(field=names(problem.field)) for problem in error.problems]
    except (_RowError, SplitProblemError) as error:
        problems = [error.problem]
    return Reading(
        number, None, [problem._replace(field=file_name_of(problem.field)) for problem in problems]
    )


def _names_in_object(fields: dict[str, Any], layout: Layout) -> Callable[[str], str]:
    """From the fields of a row to those of the object that it was made from."""
    in_file = put_into_own_fields(fields)
    own = {"group": layout.group_field}
    has_system = fields.get("system") not in (None, "")
    turns = fields.get("messages", fields.get("prompt"))
    source = "messages" if "messages" in fields else "prompt"
    count = len(turns) if isinstance(turns, list) else 1
    if has_system:
        own["messages[1].content"] = "system"
    for number in range(1, count + 1):
        for part in ("content", "role"):
            own[f"messages[{number + has_system}].{part}"] = (
                f"{source}[{number}].{part}" if isinstance(turns, list) else source
            )
    answers = []
    if isinstance(turns, list) and turns and turns[-1].get("role") == "assistant":
        answers.append(f"{source}[{count}].content")
    if fields.get("completion") not in (None, ""):
        answers.append("completion")
    answers += [f"references[{number}]" for number in range(1, len(fields.get("references") or ()) + 1)]
    own |= {f"references[{number}]": name for number, name in enumerate(answers, start=1)}
    # What is not known is kept in the metadata, but stood beside it.
    beside = [name for name in fields if name not in (fields.get("metadata") or {})]

    def name_in_object(name: str) -> str:
        rest = name.removeprefix("metadata.")
        if rest != name and any(rest == each or rest.startswith((f"{each}.", f"{each}[")) for each in beside):
            return rest
        return in_file(own.get(name, name))

    return name_in_object


def _read_line(number: int, content: bytes, layout: Layout, *, is_cut: bool) -> Reading:
    return reading_of(number, lambda: _parse(content, is_cut=is_cut, example=layout.example), layout)


def object_of(content: bytes, *, is_cut: bool = False) -> dict[str, Any] | FieldProblem:
    """A line's JSON object, or what keeps it from being one. ``is_cut``: no line break ends the line."""
    try:
        return _parse(content, is_cut=is_cut, example=EXAMPLE)
    except _RowError as error:
        return error.problem


def _parse(content: bytes, *, is_cut: bool, example: str) -> dict[str, Any]:
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise _RowError(
            "row",
            f"Byte {error.start + 1:,} of the line (0x{content[error.start]:02X}) is not UTF-8.",
            "Save the file as UTF-8 (it may be Windows-1252 or Latin-1).",
        ) from error
    try:
        value = _decoder.decode(text)
    except json.JSONDecodeError as error:
        mend = "Each line must be one whole JSON object."
        if is_cut and (error.pos >= len(text) - 1 or "Unterminated" in error.msg):
            mend = "The file may have been cut off here: save and upload it again, whole."
        elif "Unterminated" in error.msg or "control character" in error.msg:
            mend = 'A line break inside a text is written \\n, and a quote \\".'
        said = error.msg.removesuffix(" at")
        raise _RowError("row", f"Not JSON: {said} at column {error.colno:,}.", mend) from error
    except RecursionError as error:
        raise _RowError("row", "The row is nested too deeply to be read.", "Flatten it.") from error
    if not isinstance(value, dict):
        raise _RowError("row", "The line is JSON, but no object.", f"Write {example}.")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(pairs) > MOST_FIELDS:
        problem = f"An object in the row has {len(pairs):,} fields; {MOST_FIELDS} is the limit."
        raise _RowError("row", problem, "Leave out those that nobody needs.")
    fields = dict(pairs)
    if len(fields) != len(pairs):
        names = [name for name, _ in pairs]
        # Counted in one pass: to count each name anew would keep a worker busy for hours with one line.
        twice = next(name for name, count in Counter(names).items() if count > 1)
        raise _RowError(
            _printable(twice), "This field is there twice in the same object.", "Keep the right one."
        )
    return fields


def _integer(text: str) -> int:
    if len(text.lstrip("-")) > MOST_DIGITS:
        raise _RowError(
            "row",
            f"The number {text[:12]}… has {len(text.lstrip('-')):,} digits; {MOST_DIGITS} is the limit.",
            "Write it as text, in quotes.",
        )
    return int(text)


def _float(text: str) -> float:
    value = float(text)
    if not abs(value) < 10**MOST_DIGITS:
        raise _RowError(
            "row", f"The number {text[:24]} is too large to be kept.", "Write it as text, in quotes."
        )
    # Adding zero turns -0.0, which the database does not keep, into 0.0.
    return value + 0.0


def _constant(text: str) -> NoReturn:
    raise _RowError("row", f"{text} is no JSON value.", "Leave the field out, or write null.")


_decoder = json.JSONDecoder(
    object_pairs_hook=_unique, parse_int=_integer, parse_float=_float, parse_constant=_constant
)


def _prompt(fields: dict[str, Any]) -> tuple[list[dict[str, str]], list[str]]:
    if "messages" in fields and "prompt" in fields:
        raise _RowError("prompt", "The row has both messages and prompt.", "Keep one of the two.")
    if "messages" in fields:
        messages = _messages(fields.pop("messages"), "messages")
    elif "prompt" in fields:
        prompt = fields.pop("prompt")
        if isinstance(prompt, list):
            messages = _messages(prompt, "prompt")
        else:
            messages = [{"role": "user", "content": prompt}]
    else:
        found = ", ".join(_printable(name) for name in list(fields)[:6]) or "none"
        raise _RowError(
            "messages", f"There is neither messages nor prompt (fields found: {found}).", "Rename the field."
        )
    if (system := fields.pop("system", None)) not in (None, ""):
        if messages and messages[0].get("role") == "system":
            raise _RowError("system", "The messages have a system message already.", "Keep one of the two.")
        messages.insert(0, {"role": "system", "content": system})
    references = []
    if messages and messages[-1].get("role") == "assistant":
        references.append(messages.pop()["content"])
    references.extend(_references(fields))
    return messages, references


def _messages(value: Any, name: str) -> list[dict[str, str]]:
    if not isinstance(value, list):
        raise _RowError(name, "This must be a list of messages.", 'Write [{"role": "user", "content": "…"}].')
    messages = []
    for number, message in enumerate(value, start=1):
        if not isinstance(message, dict) or "role" not in message or "content" not in message:
            raise _RowError(
                f"{name}[{number}]", "This is no message.", 'Write {"role": "user", "content": "…"}.'
            )
        if len(message) > 2:
            extra = next(key for key in message if key not in ("role", "content"))
            raise _RowError(
                f"{name}[{number}].{_printable(extra)}",
                "This field of a message would be lost.",
                "Only role and content are kept: remove it, or leave the row out.",
            )
        content = message["content"]
        if isinstance(content, list):
            content = _joined_parts(content, f"{name}[{number}].content")
        messages.append({"role": message["role"], "content": content})
    return messages


def _joined_parts(parts: list[Any], name: str) -> str:
    texts = []
    for part in parts:
        if not isinstance(part, dict) or part.get("type") != "text" or not isinstance(part.get("text"), str):
            raise _RowError(name, "A part of the content is not text.", "Only text can be reviewed.")
        texts.append(part["text"])
    return "".join(texts)


def _references(fields: dict[str, Any]) -> Iterator[Any]:
    completion = fields.pop("completion", None)
    if isinstance(completion, list):
        turns = _messages(completion, "completion")
        if len(turns) != 1 or turns[0]["role"] != "assistant":
            raise _RowError(
                "completion", "The completion must be one message of the assistant.", "Write its text."
            )
        yield turns[0]["content"]
    elif completion not in (None, ""):
        yield completion
    references = fields.pop("references", None)
    if references is None:
        return
    if not isinstance(references, list):
        raise _RowError("references", "This must be a list of texts.", 'Write ["first", "second"].')
    yield from references


def _preferences(value: Any, name: str) -> Sequence[Any]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise _RowError(name, "This must be a list.", "Leave the field out where there is none.")
    return value


def _short(value: Any, name: str) -> str:
    """Labels and groups may be numbers in files; they are kept as text."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, dict | list):
        raise _RowError(name, "This must be a text or a number.", "Write one value.")
    return json.dumps(value)


def _pass_over_line(stream: BinaryIO, line: bytes) -> int:
    passed = 0
    while line and not line.endswith(b"\n"):
        line = stream.readline(2**20)
        passed += len(line)
    return passed


def _row_too_large() -> FieldProblem:
    return FieldProblem(
        "row",
        f"The row is larger than {LARGEST_ROW_BYTES / 2**20:.0f} MiB.",
        "Shorten it, or look for a missing line break or closing quote.",
    )


def _printable(name: Any) -> str:
    shown = str(name).encode("ascii", "backslashreplace").decode().replace("\x00", "\\x00")
    return shown if len(shown) <= 40 else f"{shown[:39]}…"


def example_as_object(example: Any) -> Mapping[str, Any]:
    """An example (or ExampleRow) as the JSON object that ``read_jsonl`` reads back to the same row."""
    optional = {
        "references": list(example.references),
        "label": example.label,
        "context": example.context,
        "metadata": dict(example.metadata),
        "group": example.group_key,
        "provenance": dict(example.provenance),
        "pairs": list(example.pairs),
        "rated": list(example.rated),
    }
    # Metadata may hold a field named group; an empty group must not be filled from it.
    kept = {name: value for name, value in optional.items() if value or name in example.metadata}
    return {"split": example.split, "messages": list(example.messages), **kept}
