"""Renders tokenised rows as text, marking the tokens that the loss counts."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, Literal

from training.dry_run_report import ShownRow, ShownSequence, TokenSpan
from training.encoding import EncodedRow, MaskedTokens

WRITTEN_AT_BEGINNING = 200
WRITTEN_AT_END = 100
_UNREADABLE = "\N{REPLACEMENT CHARACTER}"
_MOST_TOKENS_OF_A_CHARACTER = 4


def shown_rows(rows: Sequence[EncodedRow], max_length: int, tokenizer: Any) -> tuple[ShownRow, ...]:
    """The first, middle and longest row; a row that is two of these is shown once."""
    longest = max(range(len(rows)), key=lambda position: rows[position].length)
    chosen: dict[int, Literal["first", "middle", "longest"]] = {0: "first", len(rows) // 2: "middle"}
    chosen[longest] = "longest"
    return tuple(
        ShownRow(
            id=rows[position].row.id,
            why=why,
            length=rows[position].length,
            sequences=tuple(
                ShownSequence(name=each.name, spans=tuple(_spans(each, max_length, tokenizer)))
                for each in rows[position].sequences
            ),
        )
        for position, why in sorted(chosen.items())
    )


def _spans(sequence: MaskedTokens, max_length: int, tokenizer: Any) -> Iterator[TokenSpan]:
    parts: list[Literal["read", "trained", "cut"]] = [
        "cut" if position >= max_length else "trained" if is_counted else "read"
        for position, is_counted in enumerate(sequence.counted)
    ]
    start = 0
    for part, run in groupby(parts):
        end = start + len(list(run))
        tokens = sequence.tokens[start:end]
        is_short = len(tokens) <= WRITTEN_AT_BEGINNING + WRITTEN_AT_END
        beginning = tokens if is_short else tokens[:WRITTEN_AT_BEGINNING]
        last = [] if is_short else tokens[-WRITTEN_AT_END:]
        yield TokenSpan(
            part=part,
            tokens=len(tokens),
            beginning=tuple(pieces(beginning, tokenizer)),
            left_out=len(tokens) - len(beginning) - len(last),
            end=tuple(pieces(last, tokenizer)),
        )
        start = end


def pieces(tokens: Sequence[int], tokenizer: Any) -> Iterator[str]:
    """Text of each token, including a leading space; tokens that form one character are one piece."""
    waiting: list[int] = []
    before: list[int] = []
    for token in tokens:
        waiting.append(token)
        # Some tokenizers drop the space before a text's first token, so each token is decoded after its
        # predecessor.
        text = _decoded(before + waiting, tokenizer)[len(_decoded(before, tokenizer)) :]
        if _UNREADABLE in text and len(waiting) < _MOST_TOKENS_OF_A_CHARACTER:
            continue
        yield text.replace("\x00", _UNREADABLE)
        before, waiting = [token], []
    if waiting:
        yield _decoded(waiting, tokenizer).replace("\x00", _UNREADABLE)


def _decoded(tokens: list[int], tokenizer: Any) -> str:
    text: str = tokenizer.decode(tokens, skip_special_tokens=False, clean_up_tokenization_spaces=False)
    return text
