"""Assigns rows to splits: by a field of the row, or by shares over groups. Pure."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from evalapp.datasets.models import Split
from evalapp.imports.problems import FieldProblem, RowProblemError

DEFAULT_SEED = 42
DEFAULT_SHARES: Mapping[str, float] = {Split.TRAIN: 85, Split.VALIDATION: 5, Split.TEST: 5, Split.FEEDBACK: 5}

# Common names of the splits in files.
SPLIT_NAMES: Mapping[str, str] = {
    "train": Split.TRAIN,
    "training": Split.TRAIN,
    "validation": Split.VALIDATION,
    "valid": Split.VALIDATION,
    "val": Split.VALIDATION,
    "dev": Split.VALIDATION,
    "test": Split.TEST,
    "eval": Split.TEST,
    "feedback": Split.FEEDBACK,
}


@dataclass(frozen=True, slots=True)
class ByField:
    """The row's field ``name`` says which split it belongs to."""

    name: str = "split"

    def split_of(self, given: Any, key: str) -> str:
        """``given`` is the field's value, or None. Raises RowProblemError."""
        if given is None or given == "":
            raise RowProblemError(
                FieldProblem(
                    self.name,
                    "The row has no split.",
                    f"Write one of {', '.join(Split.values)}, or choose to split by shares.",
                )
            )
        split = SPLIT_NAMES.get(given.strip().lower()) if isinstance(given, str) else None
        if split is None:
            raise RowProblemError(
                FieldProblem(
                    self.name,
                    f"“{str(given)[:40].encode('ascii', 'backslashreplace').decode()}” is not a split.",
                    f"Use one of {', '.join(Split.values)}.",
                )
            )
        return split


@dataclass(frozen=True, slots=True)
class ByShares:
    """Splits by shares over groups; all rows of a group share a split.

    A group's place is the SHA-256 of seed and group, so the same group falls in the same split in every file,
    for any order of rows, on every machine. ``shares`` are weights; the actual sizes differ from them by
    chance, as in any random split.
    """

    shares: Mapping[str, float] = field(default_factory=lambda: dict(DEFAULT_SHARES))
    seed: int = DEFAULT_SEED

    def __post_init__(self) -> None:
        unknown = set(self.shares) - set(Split.values)
        total = sum(self.shares.values())
        if unknown or any(share < 0 for share in self.shares.values()) or not 0 < total < float("inf"):
            raise ValueError("Shares are numbers from 0 by split, and one of them is above 0.")

    def split_of(self, given: Any, key: str) -> str:
        """``key`` is the row's group; the row's ``given`` split is ignored."""
        digest = hashlib.sha256(f"{self.seed}\x00{key}".encode()).digest()
        place = int.from_bytes(digest[:8], "big") / 2**64 * sum(self.shares.values())
        reached = 0.0
        last = ""
        for split in Split.values:
            share = self.shares.get(split, 0)
            if share <= 0:
                continue
            reached += share
            last = split
            if place < reached:
                return split
        return last


SplitRule = ByField | ByShares
