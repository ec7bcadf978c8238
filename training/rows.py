"""The lines of a training's data.jsonl: one class for each kind of row. Standard library only."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from run_directory.protocol import Message
from run_directory.records import Record, require

SequenceName = Literal["conversation", "chosen", "rejected", "good", "bad"]
"""The part of a row that the model reads as one sequence: a conversation, an answer of a pair, or a judged
answer.
"""


@dataclass(frozen=True, kw_only=True)
class DataRow(Record):
    """The fields common to all lines of data.jsonl."""

    noun: ClassVar[str]
    """Name shown to people for what is learned from a row."""
    plural: ClassVar[str]

    id: str
    prompt: tuple[Message, ...]
    """The conversation so far, ending in a user turn."""
    group: str | None = None
    """Rows from one source share a group, and all are in training or all in validation."""
    split: Literal["train", "validation"] | None = None
    """Set for all rows or for none."""

    def check(self, where: str) -> None:
        require(self.id, where, "id is empty")
        require(self.prompt and self.prompt[-1].role == "user", where, "the prompt must end with a user turn")


@dataclass(frozen=True, kw_only=True)
class TrainingRow(DataRow):
    """A conversation and the answer to learn."""

    noun = "answer to learn"
    plural = "answers to learn"

    completion: tuple[Message, ...]
    """One assistant turn. The loss counts its tokens only, or those of every assistant turn."""

    def check(self, where: str) -> None:
        super().check(where)
        _require_answer(self.completion, where, "completion")


@dataclass(frozen=True, kw_only=True)
class PreferenceRow(DataRow):
    """A conversation with two answers, the better one first."""

    noun = "pair of a better and a worse answer"
    plural = "pairs of a better and a worse answer"

    chosen: tuple[Message, ...]
    rejected: tuple[Message, ...]

    def check(self, where: str) -> None:
        super().check(where)
        _require_answer(self.chosen, where, "chosen answer")
        _require_answer(self.rejected, where, "rejected answer")


@dataclass(frozen=True, kw_only=True)
class JudgedRow(DataRow):
    """A conversation with an answer that is good or bad."""

    noun = "answer that is rated good or bad"
    plural = "answers that are rated good or bad"

    completion: tuple[Message, ...]
    label: bool
    """Whether the answer is good."""

    def check(self, where: str) -> None:
        super().check(where)
        _require_answer(self.completion, where, "completion")


def _require_answer(turns: tuple[Message, ...], where: str, name: str) -> None:
    require(len(turns) == 1 and turns[0].role == "assistant", where, f"the {name} must be one assistant turn")
