"""A row as the health check reads it, and the findings of a detector. Pure."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

from evalapp.conversations.text import other_texts
from evalapp.curation.kinds import FindingKind, Proposal

_WORD = re.compile(r"\w+")
# The characters of a word as `_WORD` has them, in small letters; the others end it.
_WORDS_IN_ASCII = "".join(sign.lower() if _WORD.match(sign) else " " for sign in map(chr, range(128)))
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


@dataclass(frozen=True)
class HealthRow:
    """``number``: its row number in the version. ``answers``: the references, then the answers of pairs, the
    better one first. ``texts``: everything a person wrote in it, by the name of the field: ``messages.0``,
    ``references.1``, ``context``, ``pairs.0.chosen``, ``metadata.region``. ``context`` begins with the system
    message.
    """

    number: int
    split: str
    prompt: str
    context: str
    answers: Sequence[str]
    label: str
    metadata: Mapping[str, Any]
    texts: Mapping[str, str]

    @property
    def answer(self) -> str:
        return self.answers[0] if self.answers else ""

    @cached_property
    def words(self) -> list[str]:
        """The words of the prompt, in lower case."""
        return words_of(self.prompt)

    @cached_property
    def plain_prompt(self) -> str:
        return " ".join(self.words)

    @cached_property
    def plain_answers(self) -> list[str]:
        return [normalised(answer) for answer in self.answers]

    @cached_property
    def plain_context(self) -> str:
        return normalised(self.context)

    @cached_property
    def numbers(self) -> list[str]:
        """The numbers in the prompt."""
        return numbers_of(self.prompt)


@dataclass(frozen=True, slots=True)
class Found:
    """A problem found in one row. ``score`` is 0–1 where the kind has one. ``others``: numbers of the rows
    that it was compared with. ``spans``: positions, [{"field", "start", "end", "type"}], in characters.
    ``changes``: the fields that the proposal would set, by name.
    """

    kind: FindingKind
    row: int | None
    evidence: str
    proposal: Proposal
    score: float | None = None
    others: Sequence[int] = ()
    spans: Sequence[Mapping[str, Any]] = ()
    changes: Mapping[str, Any] = field(default_factory=dict)


# The rows of these numbers, by number.
Fetch = Callable[[Sequence[int]], Mapping[int, HealthRow]]


class Detector(Protocol):
    """Reads every row once, in order, and then reports its findings. Its memory must not grow with the length
    of the texts.
    """

    def read(self, row: HealthRow) -> None: ...

    def found(self, fetch: Fetch) -> Iterator[Found]: ...


def row_of(number: int, fields: Mapping[str, Any]) -> HealthRow:
    """The row of an example's fields by their column names."""
    messages, references, pairs = fields["messages"], fields["references"], fields["pairs"]
    texts = {f"messages.{n}": message["content"] for n, message in enumerate(messages)}
    texts |= {f"references.{n}": text for n, text in enumerate(references)}
    answers = list(references)
    for n, pair in enumerate(pairs):
        texts |= {f"pairs.{n}.chosen": pair["chosen"], f"pairs.{n}.rejected": pair["rejected"]}
        answers += [pair["chosen"], pair["rejected"]]
    texts |= {f"rated.{n}.answer": each["answer"] for n, each in enumerate(fields["rated"])}
    if fields["context"]:
        texts["context"] = fields["context"]
    metadata = fields["metadata"]
    texts |= {f"metadata.{name}": value for name, value in metadata.items() if isinstance(value, str)}
    if fields["conversation"] is not None:
        others = other_texts(fields["conversation"])
        texts |= {f"conversation{pointer}": text for pointer, text in others.items()}
    prompt = "\n".join(message["content"] for message in messages if message["role"] != "system")
    system = [message["content"] for message in messages if message["role"] == "system"]
    context = "\n".join([*system, fields["context"]])
    return HealthRow(number, fields["split"], prompt, context, answers, fields["label"], metadata, texts)


def normalised(text: str) -> str:
    """The words in lower case with one space between them: what is the same but for capitals, punctuation and
    white space has the same.
    """
    return " ".join(words_of(text))


def words_of(text: str) -> list[str]:
    """The words in lower case, of compatible characters (NFKC)."""
    if text.isascii():
        # A third of the time, and most texts are.
        return text.translate(_WORDS_IN_ASCII).split()
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def numbers_of(text: str) -> list[str]:
    """The numbers of a text as they are written, sorted."""
    return sorted(_NUMBER.findall(text))


def batches_of(numbers: Iterable[Any], size: int) -> Iterator[list[Any]]:
    batch: list[Any] = []
    for each in numbers:
        batch.append(each)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
