"""Turns rows of data.jsonl into each candidate's tokenised prompts."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inference.spec import PROMPT_PLACE, Candidate, GenerationRow, GenerationSpec
from run_directory.bases import Base, known_end_tokens
from run_directory.files import data_lines
from run_directory.program import Refusal
from run_directory.protocol import DATA_FILE, Message
from run_directory.reasoning import OPENING
from run_directory.records import require


@dataclass(frozen=True)
class Prompt:
    """A row with one candidate's wording, tokenised."""

    row: GenerationRow
    tokens: list[int]
    opens_reasoning: bool = False
    """Whether it ends with `<think>`, so that the answer begins inside the reasoning."""


def read_rows(folder: Path, spec: GenerationSpec) -> list[GenerationRow]:
    """Read all rows of a run directory's data.jsonl. Raises RecordError naming the line and the field."""
    rows = []
    seen: set[tuple[str, int]] = set()
    for where, line in data_lines(
        folder / DATA_FILE, expected_rows=spec.rows, expected_sha256=spec.data_sha256
    ):
        row = GenerationRow.from_json(line, where=where)
        key = (row.example, row.sample)
        require(key not in seen, where, f"sample {row.sample} of example {row.example!r} is given twice")
        seen.add(key)
        rows.append(row)
    return rows


def conversation(candidate: Candidate, messages: Sequence[Message]) -> list[dict[str, Any]]:
    """The turns as the candidate is asked them: its system prompt first, then its examples, then the
    conversation with its template around the last turn.
    """
    turns = [turn.to_dict() for turn in messages]
    if candidate.system_prompt is not None:
        turns = [{"role": "system", "content": candidate.system_prompt}] + [
            turn for turn in turns if turn["role"] != "system"
        ]
    if candidate.template is not None:
        turns[-1]["content"] = candidate.template.replace(PROMPT_PLACE, turns[-1]["content"])
    if candidate.examples:
        opening = [turn for turn in turns if turn["role"] == "system"]
        shown = [turn.to_dict() for turn in candidate.examples]
        turns = [*opening, *shown, *(turn for turn in turns if turn["role"] != "system")]
    return turns


def encode(rows: Sequence[GenerationRow], candidate: Candidate, tokenizer: Any) -> list[Prompt]:
    """Tokenise each prompt with the chat template's opening of an answer, as in training.

    Raises Refusal when the template does not accept the conversation, for example a system turn.
    """
    from jinja2 import TemplateError

    texts = []
    for row in rows:
        try:
            texts.append(
                tokenizer.apply_chat_template(
                    conversation(candidate, row.messages), tokenize=False, add_generation_prompt=True
                )
            )
        except TemplateError as error:
            raise Refusal(
                f"{DATA_FILE} example {row.example!r}, candidate {candidate.key!r}: the base's chat template"
                f" refuses the conversation: {error}"
            ) from error
    tokens = tokenizer(texts, add_special_tokens=False)["input_ids"]
    return [
        Prompt(row, ids, opens_reasoning=text.rstrip().endswith(OPENING))
        for row, ids, text in zip(rows, tokens, texts, strict=True)
    ]


def row_seed(seed: int, example: str, sample: int) -> int:
    """Seed of one row, the same in every attempt and for every candidate."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{sample}:{example}".encode()).digest()[:4]) >> 1


def end_tokens(base: Base, tokenizer: Any) -> list[int]:
    """Tokens that end an answer. Raises Refusal when there are none."""
    found = known_end_tokens(base, tokenizer)
    if not found:
        raise Refusal(
            f"{base.folder} names no end-of-sequence token, so answers would never end; fix its tokenizer"
        )
    return found
