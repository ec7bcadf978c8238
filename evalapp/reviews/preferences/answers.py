"""A reviewer's preference: read from JSON or a form, and checked against the method."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from evalapp.core.errors import InvalidError
from evalapp.core.strict_json import bad_character
from evalapp.reviews.answers import LONGEST_COMMENT
from evalapp.reviews.preferences.models import Choice

FIELDS = ("choice", "ranks", "comment")
_OPPOSITE = {Choice.A: Choice.B, Choice.B: Choice.A}


@dataclass(frozen=True)
class PreferenceAnswers:
    """``choice``: for a pair, "" if not chosen yet; ``ranks``: for more outputs, in the order shown, None for
    outputs without a rank yet.
    """

    choice: str = ""
    ranks: Sequence[int | None] | None = None
    comment: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The preference as plain JSON, equal for equal preferences."""
        ranks = None if self.ranks is None else list(self.ranks)
        return {"choice": str(self.choice), "ranks": ranks, "comment": self.comment}

    def fingerprint(self) -> str:
        """SHA-256 of the preference; distinguishes a replay from another review of the same comparison."""
        text = json.dumps(self.as_dict(), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def turned(self, was: Sequence[int], now: Sequence[int]) -> "PreferenceAnswers":
        """The same preference for outputs that were shown in the order ``was`` and are now in the order
        ``now``.
        """
        if list(was) == list(now) or set(was) != set(now):
            return self
        if self.ranks is not None and len(self.ranks) == len(was):
            by_output = dict(zip(was, self.ranks, strict=True))
            return replace(self, ranks=[by_output[output] for output in now])
        return replace(self, choice=_OPPOSITE.get(Choice(self.choice), self.choice) if self.choice else "")


def check_preference(preference: PreferenceAnswers, *, outputs: int) -> PreferenceAnswers:
    """The preference as stored. Raises InvalidError with all invalid fields.

    ``outputs``: the number of compared outputs; two need a choice, more need ranks.
    """
    problems: dict[str, list[str]] = {}
    if outputs == 2:
        _check_choice(preference, problems)
    else:
        _check_ranks(preference, outputs, problems)
    if len(preference.comment) > LONGEST_COMMENT:
        _add(
            problems,
            "comment",
            f"the comment has {len(preference.comment):,} characters; the limit is "
            f"{LONGEST_COMMENT:,}. Shorten it.",
        )
    if bad := bad_character(preference.comment):
        _add(problems, "comment", f"the comment has {bad}. Remove it.")
    _raise_if_any(problems)
    ranks = None if preference.ranks is None else list(preference.ranks)
    return PreferenceAnswers(preference.choice, ranks, preference.comment.strip())


def _check_choice(preference: PreferenceAnswers, problems: dict[str, list[str]]) -> None:
    if preference.ranks is not None:
        _add(problems, "ranks", "two answers are not ranked: give the better one in choice.")
    if not preference.choice:
        _add(problems, "choice", "choose the better answer, “equally good” or “both bad”.")
    elif preference.choice not in Choice.values:
        _add(problems, "choice", f"a choice is one of {', '.join(Choice.values)}.")


def _check_ranks(preference: PreferenceAnswers, outputs: int, problems: dict[str, list[str]]) -> None:
    if preference.choice:
        _add(problems, "choice", f"{outputs} answers are ranked: leave the choice out.")
    given = list(preference.ranks or ())
    if len(given) != outputs or None in given:
        _add(problems, "ranks", f"give each of the {outputs} answers a rank, 1 for the best.")
    elif sorted(rank for rank in given if rank is not None) != list(range(1, outputs + 1)):
        _add(problems, "ranks", f"each rank from 1 to {outputs} must be given once, without ties.")


def _raise_if_any(problems: dict[str, list[str]]) -> None:
    if problems:
        first = next(iter(problems.values()))[0]
        raise InvalidError(f"Nothing was stored: {first}", fields=problems)


def _add(problems: dict[str, list[str]], name: str, message: str) -> None:
    problems.setdefault(name, []).append(message)


def read_preference(raw: object) -> PreferenceAnswers:
    """A preference from decoded JSON. Raises InvalidError for a wrong structure and unknown fields.

    ``{"choice": str, "ranks": [rank | null] | null, "comment": str}``.
    """
    problems: dict[str, list[str]] = {}
    if not isinstance(raw, dict):
        message = "answers must be an object."
        raise InvalidError(f"Nothing was stored: {message}", fields={"answers": [message]})
    for name in raw:
        if name not in FIELDS:
            shown = str(name)[:40].encode("ascii", "replace").decode()
            _add(problems, f"answers.{shown}", f"unknown field “{shown}”.")
    choice, ranks, comment = (raw.get(name) for name in FIELDS)
    if choice is not None and not isinstance(choice, str):
        _add(problems, "choice", "the choice must be text.")
    elif choice and choice not in Choice.values:
        _add(problems, "choice", f"a choice is one of {', '.join(Choice.values)}.")
    if ranks is not None and not (isinstance(ranks, list) and len(ranks) <= 5 and all(map(_is_rank, ranks))):
        _add(problems, "ranks", "ranks must be a list of up to five whole numbers, 1 for the best.")
    if comment is not None and not isinstance(comment, str):
        _add(problems, "comment", "the comment must be text.")
    _raise_if_any(problems)
    return PreferenceAnswers(choice or "", ranks, comment or "")


def _is_rank(value: object) -> bool:
    return value is None or (isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 5)
