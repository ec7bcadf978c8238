"""The conditions of a gate, in words and as the frozen text. Pure."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from evalapp.core.errors import InvalidError
from evalapp.dossier import digest

TOTAL = "total"
"""Stands for the weighted total of all scales, on 1–5, where a criterion's key stands else."""

MOST_CHALLENGERS = 20
MOST_CONDITIONS = 100
LARGEST_COUNT = 1_000_000


class ConditionKind(StrEnum):
    FLOOR = "floor"
    LOW_SHARE = "low_share"
    NON_INFERIORITY = "non_inferiority"
    SUPERIORITY = "superiority"
    COUNTERFACTUAL = "counterfactual"
    VETO = "veto"
    CONTAMINATION = "contamination"
    ITEMS = "items"
    REVIEWERS = "reviewers"


OF_A_CRITERION = (
    ConditionKind.FLOOR,
    ConditionKind.LOW_SHARE,
    ConditionKind.NON_INFERIORITY,
    ConditionKind.SUPERIORITY,
    ConditionKind.COUNTERFACTUAL,
    ConditionKind.VETO,
)
AGAINST_CHAMPION = (ConditionKind.NON_INFERIORITY, ConditionKind.SUPERIORITY)
COUNTS = (ConditionKind.ITEMS, ConditionKind.REVIEWERS)


@dataclass(frozen=True)
class Condition:
    """``threshold``: a mean, a share from 0 to 1, a margin in points, or a count; None for a clean
    contamination check. ``at_most``: the highest level that counts as a low score.
    """

    kind: ConditionKind
    criterion: str = ""
    name: str = ""
    threshold: float | None = None
    at_most: int | None = None

    def as_dict(self) -> dict[str, Any]:
        return {
            "kind": self.kind.value,
            "criterion": self.criterion,
            "name": self.name,
            "threshold": self.threshold,
            "at_most": self.at_most,
        }

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> "Condition":
        return cls(**{**stored, "kind": ConditionKind(stored["kind"])})

    @property
    def is_on_scores(self) -> bool:
        """Whether it is a claim about scores, which is tested at a level; the others are facts."""
        return self.kind in OF_A_CRITERION

    @property
    def words(self) -> str:
        """The condition in words."""
        limit = self.threshold or 0
        filled = {
            "name": self.name or self.criterion,
            "limit": f"{limit:g}",
            "percent": f"{limit * 100:g}%",
            "count": f"{limit:,.0f}",
            "low": self.at_most,
            "more": f" by more than {limit:g}" if limit else "",
        }
        return _WORDS[self.kind].format(**filled)


_WORDS = {
    ConditionKind.FLOOR: "{name}: lower bound of the mean at least {limit}",
    ConditionKind.LOW_SHARE: "{name}: upper bound of the share of scores ≤ {low} at most {percent}",
    ConditionKind.NON_INFERIORITY: "{name}: not worse than the champion by {limit} or more",
    ConditionKind.SUPERIORITY: "{name}: better than the champion{more}",
    ConditionKind.COUNTERFACTUAL: (
        "{name}: no counterfactual variant worse than its original by {limit} or more"
    ),
    ConditionKind.VETO: "{name}: upper bound of the share of failing answers at most {percent}",
    ConditionKind.ITEMS: "At least {count} items reviewed",
    ConditionKind.REVIEWERS: "At least {count} reviewers",
    ConditionKind.CONTAMINATION: "No test prompt in the training data",
}


def conditions_in(stored: Iterable[Mapping[str, Any]]) -> list[Condition]:
    return [Condition.of(each) for each in stored]


def body_of(
    *,
    name: str,
    version: int,
    alpha: float,
    planned_reviews: int | None,
    challengers: int | None,
    population: str,
    conditions: Iterable[Condition],
) -> dict[str, Any]:
    """The frozen content of a gate, which its hash covers."""
    return {
        "name": name,
        "version": version,
        "alpha": alpha,
        "planned_reviews": planned_reviews,
        "challengers": challengers,
        "population": population,
        "conditions": [each.as_dict() for each in conditions],
    }


def body_hash(body: Mapping[str, Any]) -> str:
    return digest(body)


def require_sound(
    *, alpha: float, planned_reviews: int | None, challengers: int | None, conditions: list[Condition]
) -> None:
    """Raises InvalidError naming every invalid field."""
    wrong: dict[str, list[str]] = {}
    if not (math.isfinite(alpha) and 0.0001 <= alpha <= 0.2):
        wrong["alpha"] = ["Give a budget between 0.01% and 20%; 5% is usual."]
    if planned_reviews is not None and not 1 <= planned_reviews <= LARGEST_COUNT:
        wrong["planned_reviews"] = [f"Plan 1 to {LARGEST_COUNT:,} reviews of each candidate."]
    if challengers is not None and not 1 <= challengers <= MOST_CHALLENGERS:
        wrong["challengers"] = [f"Plan 1 to {MOST_CHALLENGERS} candidates on one test version."]
    if not any(each.is_on_scores for each in conditions):
        wrong["conditions"] = [
            "Add a condition on at least one criterion; a gate without one passes anything."
        ]
    elif len(conditions) > MOST_CONDITIONS:
        wrong["conditions"] = [f"A gate has at most {MOST_CONDITIONS} conditions."]
    else:
        problems = [problem for each in conditions if (problem := _problem(each))]
        evidence = [(each.kind, each.criterion) for each in conditions]
        if len(set(evidence)) < len(evidence):
            problems.append("A condition is given twice.")
        if problems:
            wrong["conditions"] = problems
    if wrong:
        first = next(iter(wrong.values()))[0]
        raise InvalidError(first, fields=wrong)


def _problem(condition: Condition) -> str:
    """Why a condition is invalid; empty if it is valid."""
    kind, name, limit = condition.kind, condition.name or condition.criterion, condition.threshold
    if kind == ConditionKind.CONTAMINATION:
        return "" if limit is None else "A contamination check takes no threshold."
    if limit is None or not math.isfinite(limit):
        return f"{name or kind.value}: give a number."
    is_share = kind in (ConditionKind.LOW_SHARE, ConditionKind.VETO)
    is_count = kind in COUNTS
    problems = (
        (kind in OF_A_CRITERION and not condition.criterion, "Choose the criterion."),
        (
            is_share and not 0 < limit < 1,
            f"{name}: give a ceiling above 0% and under 100%; no sample shows a rate of 0.",
        ),
        (
            kind == ConditionKind.LOW_SHARE and condition.at_most is None,
            f"{name}: give the highest score that counts as low.",
        ),
        (is_share and condition.criterion == TOTAL, f"{name}: only a criterion has such a share."),
        (
            kind == ConditionKind.NON_INFERIORITY and limit <= 0,
            f"{name}: give a margin above 0; with 0 ask for “better” instead.",
        ),
        (
            kind == ConditionKind.COUNTERFACTUAL and limit <= 0,
            f"{name}: give a margin above 0; no sample shows that there is no difference at all.",
        ),
        (kind == ConditionKind.SUPERIORITY and limit < 0, f"{name}: a margin cannot be negative."),
        (
            is_count and not (limit == int(limit) and 1 <= limit <= LARGEST_COUNT),
            f"Give a whole number of {kind.value} from 1 to {LARGEST_COUNT:,}.",
        ),
    )
    return next((words for is_wrong, words in problems if is_wrong), "")
