"""Few-shot examples of a prompt, which may come from a training split only."""

import re
from collections.abc import Sequence
from typing import NoReturn

from evalapp.core.errors import InvalidError
from evalapp.datasets.models import DatasetVersion, Example, Split
from evalapp.registry.services import FewShot

MOST_EXAMPLES = 32
FIELD = "example_rows"


def row_numbers_in(text: str) -> list[int]:
    """Parse row numbers such as "3, 17 42", keeping their order. Raises InvalidError for anything else."""
    words = [word for word in re.split(r"[\s,;]+", text) if word]
    bad = next((word for word in words if not (word.isascii() and word.isdecimal() and len(word) < 10)), None)
    if bad is not None:
        _refuse(f"“{bad[:20]}” is not a row number. Write numbers with commas, for instance 3, 17, 42.")
    return [int(word) for word in words]


def few_shot(version: DatasetVersion, rows: Sequence[int]) -> FewShot:
    """The rows as user and assistant turns, in the given order.

    Raises InvalidError for a row that does not exist, is not in the training split, has several turns or no
    reference; for a repeated row; and for too many.
    """
    if len(rows) > MOST_EXAMPLES:
        _refuse(f"At most {MOST_EXAMPLES} examples.")
    if len(set(rows)) < len(rows):
        _refuse("A row is given twice.")
    found = {each.row_number: each for each in Example.objects.filter(version=version, row_number__in=rows)}
    turns: list[dict[str, str]] = []
    for row in rows:
        turns += _turns(version, row, found.get(row))
    return FewShot(version.pk, str(version), tuple(rows), tuple(turns))


def _turns(version: DatasetVersion, row: int, example: Example | None) -> list[dict[str, str]]:
    if example is None:
        _refuse(f"{version} has no row {row}.")
    if example.split != Split.TRAIN:
        _refuse(
            f"Row {row} of {version} is in its {example.split} split. A prompt may show only training rows,"
            " or its score would measure memorisation."
        )
    asked = [turn for turn in example.messages if turn["role"] != "system"]
    if len(asked) != 1 or not example.references:
        _refuse(f"Row {row} of {version} is not a single question with a reference, so it cannot be shown.")
    return [
        {"role": "user", "content": str(asked[0]["content"])},
        {"role": "assistant", "content": str(example.references[0])},
    ]


def _refuse(message: str) -> NoReturn:
    raise InvalidError(message, field=FIELD)
