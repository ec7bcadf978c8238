"""Encodes rows as tokens and marks the tokens that the loss counts.

A prompt is encoded separately from its answer, with the template's opening of an answer, exactly as in
generation: encoded together, a token could span the border. Template text after the end of a turn is not
counted, since no model generates it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any, Literal, Protocol

from run_directory.program import Refusal
from run_directory.protocol import DATA_FILE, Message
from training.rows import DataRow, JudgedRow, PreferenceRow, SequenceName, TrainingRow

IGNORED = -100
"""The label of a token that the loss does not count."""

Useless = Literal["prompt_too_long", "same_answers"]


class EncodedRow(Protocol):
    """A row as tokens, encoded by an objective."""

    @property
    def row(self) -> DataRow: ...

    @property
    def is_empty(self) -> bool:
        """Whether an answer is empty."""

    @property
    def length(self) -> int:
        """Number of tokens of the whole row."""

    @property
    def ends_turns(self) -> bool:
        """Whether every answer ends with the end-of-sequence token."""

    def why_useless(self, max_length: int) -> Useless | None:
        """Why nothing can be learned from the row after truncation to this length, or None."""

    def cut(self, max_length: int) -> dict[str, Any]:
        """The row as its trainer reads it, truncated at the end to ``max_length`` tokens."""

    @property
    def sequences(self) -> list["MaskedTokens"]:
        """The uncut token sequences that the model reads: one per answer."""


@dataclass(frozen=True)
class MaskedTokens:
    """A token sequence as the model reads it, with a mask of the tokens that the loss counts."""

    name: SequenceName
    tokens: list[int]
    counted: list[bool]

    @classmethod
    def answering(cls, name: SequenceName, prompt: list[int], answer: list[int]) -> "MaskedTokens":
        return cls(name, prompt + answer, [False] * len(prompt) + [True] * len(answer))


@dataclass(frozen=True)
class EncodedAnswers:
    """A conversation with a label for each token."""

    row: TrainingRow
    tokens: list[int]
    labels: list[int]
    ends_turns: bool

    @property
    def is_empty(self) -> bool:
        return _is_blank(self.row.completion)

    @property
    def prompt(self) -> list[int]:
        """The tokens before the first one that the loss counts."""
        return self.tokens[: next((n for n, label in enumerate(self.labels) if label != IGNORED), 0)]

    @property
    def length(self) -> int:
        return len(self.tokens)

    def why_useless(self, max_length: int) -> Useless | None:
        return _useless_prompt(self.prompt, max_length)

    def cut(self, max_length: int) -> dict[str, Any]:
        return {"input_ids": self.tokens[:max_length], "labels": self.labels[:max_length]}

    @property
    def sequences(self) -> list[MaskedTokens]:
        return [MaskedTokens("conversation", self.tokens, [label != IGNORED for label in self.labels])]


@dataclass(frozen=True)
class EncodedPair:
    """A prompt with a preferred and a rejected answer."""

    row: PreferenceRow
    prompt: list[int]
    chosen: list[int]
    rejected: list[int]
    ends_turns: bool

    @property
    def is_empty(self) -> bool:
        return _is_blank(self.row.chosen) or _is_blank(self.row.rejected)

    @property
    def length(self) -> int:
        return len(self.prompt) + max(len(self.chosen), len(self.rejected))

    def cut(self, max_length: int) -> dict[str, Any]:
        left = max_length - len(self.prompt)
        return {
            "prompt_ids": self.prompt,
            "chosen_ids": self.chosen[:left],
            "rejected_ids": self.rejected[:left],
        }

    @property
    def sequences(self) -> list[MaskedTokens]:
        return [
            MaskedTokens.answering("chosen", self.prompt, self.chosen),
            MaskedTokens.answering("rejected", self.prompt, self.rejected),
        ]

    def why_useless(self, max_length: int) -> Useless | None:
        left = max_length - len(self.prompt)
        is_same = self.chosen[:left] == self.rejected[:left]
        return _useless_prompt(self.prompt, max_length) or ("same_answers" if is_same else None)


@dataclass(frozen=True)
class EncodedJudgement:
    """A prompt with an answer, and whether the answer is good."""

    row: JudgedRow
    prompt: list[int]
    completion: list[int]
    ends_turns: bool

    @property
    def is_empty(self) -> bool:
        return _is_blank(self.row.completion)

    @property
    def length(self) -> int:
        return len(self.prompt) + len(self.completion)

    def why_useless(self, max_length: int) -> Useless | None:
        return _useless_prompt(self.prompt, max_length)

    def cut(self, max_length: int) -> dict[str, Any]:
        return {
            "prompt_ids": self.prompt,
            "completion_ids": self.completion[: max_length - len(self.prompt)],
            "label": self.row.label,
        }

    @property
    def sequences(self) -> list[MaskedTokens]:
        name: SequenceName = "good" if self.row.label else "bad"
        return [MaskedTokens.answering(name, self.prompt, self.completion)]


def encode_answers(
    rows: Sequence[TrainingRow], tokenizer: Any, loss_on: Literal["completion", "assistant"]
) -> list[EncodedAnswers]:
    """Encode conversations; the loss counts the closing answer or every assistant turn."""
    parts = [_parts(row.id, (*row.prompt, *row.completion), tokenizer, loss_on) for row in rows]
    encoded = _tokens((text for row_parts in parts for text, _ in row_parts), tokenizer)
    found = []
    bounds = pairwise(accumulate((len(row_parts) for row_parts in parts), initial=0))
    for row, row_parts, (first, last) in zip(rows, parts, bounds, strict=True):
        tokens: list[int] = []
        labels: list[int] = []
        for (_, is_counted), ids in zip(row_parts, encoded[first:last], strict=True):
            tokens += ids
            labels += ids if is_counted else [IGNORED] * len(ids)
        ends = all(_ends(ids, tokenizer) for ids in encoded[first + 1 : last : 2])
        found.append(EncodedAnswers(row, tokens, labels, ends))
    return found


def encode_pairs(rows: Sequence[PreferenceRow], tokenizer: Any) -> list[EncodedPair]:
    texts: list[str] = []
    for row in rows:
        (prompt, _), (chosen, _) = _parts(row.id, (*row.prompt, *row.chosen), tokenizer, "completion")
        _, (rejected, _) = _parts(row.id, (*row.prompt, *row.rejected), tokenizer, "completion")
        texts += [prompt, chosen, rejected]
    encoded = _tokens(texts, tokenizer)
    return [
        EncodedPair(row, prompt, chosen, rejected, _ends(chosen, tokenizer) and _ends(rejected, tokenizer))
        for row, prompt, chosen, rejected in zip(
            rows, encoded[::3], encoded[1::3], encoded[2::3], strict=True
        )
    ]


def encode_judgements(rows: Sequence[JudgedRow], tokenizer: Any) -> list[EncodedJudgement]:
    texts: list[str] = []
    for row in rows:
        texts += [text for text, _ in _parts(row.id, (*row.prompt, *row.completion), tokenizer, "completion")]
    encoded = _tokens(texts, tokenizer)
    return [
        EncodedJudgement(row, prompt, completion, _ends(completion, tokenizer))
        for row, prompt, completion in zip(rows, encoded[::2], encoded[1::2], strict=True)
    ]


def encode_prompts(rows: Sequence[DataRow], tokenizer: Any) -> list[list[int]]:
    """Encode the prompts alone, ending in the template's opening of an answer."""
    texts = [
        _written(row.id, [turn.to_dict() for turn in row.prompt], tokenizer, add_generation_prompt=True)
        for row in rows
    ]
    return _tokens(texts, tokenizer)


def _parts(
    row_id: str, turns: Sequence[Message], tokenizer: Any, loss_on: Literal["completion", "assistant"]
) -> list[tuple[str, bool]]:
    """Split the conversation's text into alternating pieces: text before an answer (not counted), then the
    answer (counted).

    Raises Refusal when the template renders the beginning of a conversation differently from that beginning
    alone, since the answer's tokens could not be identified.
    """
    spoken = [turn.to_dict() for turn in turns]
    last = len(spoken) - 1
    counted = [
        number
        for number, turn in enumerate(spoken)
        if number == last or (loss_on == "assistant" and turn["role"] == "assistant")
    ]
    parts: list[tuple[str, bool]] = []
    written = ""
    for number in counted:
        before = _written(row_id, spoken[:number], tokenizer, add_generation_prompt=True)
        after = _written(row_id, spoken[: number + 1], tokenizer)
        if not before.startswith(written):
            raise Refusal(
                f"{DATA_FILE} row {row_id!r}: the base's chat template writes an earlier answer differently"
                " when the conversation continues, so the model would learn text that it never writes;"
                " set loss_on"
                ' to "completion", or fix the template'
            )
        if not after.startswith(before):
            raise Refusal(
                f"{DATA_FILE} row {row_id!r}: the base's chat template writes the prompt differently once the"
                " answer follows, so the answer's tokens cannot be found; fix the template"
            )
        answer = _up_to_end(after[len(before) :], tokenizer.eos_token)
        parts += [(before[len(written) :], False), (answer, True)]
        written = before + answer
    return parts


def _written(row_id: str, turns: list[dict[str, Any]], tokenizer: Any, **settings: bool) -> str:
    from jinja2 import TemplateError

    try:
        return str(tokenizer.apply_chat_template(turns, tokenize=False, **settings))
    except TemplateError as error:
        raise Refusal(
            f"{DATA_FILE} row {row_id!r}: the base's chat template refuses the conversation: {error}"
        ) from error


def _tokens(texts: Iterable[str], tokenizer: Any) -> list[list[int]]:
    found: list[list[int]] = tokenizer(list(texts), add_special_tokens=False)["input_ids"]
    return found


def _up_to_end(answer: str, end: str | None) -> str:
    if not end or end not in answer:
        return answer
    return answer[: answer.rindex(end) + len(end)]


def _ends(tokens: list[int], tokenizer: Any) -> bool:
    return tokenizer.eos_token_id in tokens


def _useless_prompt(prompt: list[int], max_length: int) -> Useless | None:
    return "prompt_too_long" if len(prompt) >= max_length else None


def _is_blank(turns: tuple[Message, ...]) -> bool:
    return not turns[0].content.strip()
