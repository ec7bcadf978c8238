"""Outputs to which given reviewers gave given levels: "2:4,3:5" is Reviewer 2's 4 and Reviewer 3's 5."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from evalapp.analysis.scores.campaign_scores import CampaignScores
from evalapp.core.errors import MissingError
from evalapp.rubrics.models import Criterion

MOST_GIVEN = 10
_PART = re.compile(r"(\d{1,9}):(-?\d{1,6})", re.ASCII)


class GivenLevel(NamedTuple):
    """``reviewer_id`` gave ``level``; ``name``: the displayed name."""

    reviewer_id: int
    name: str
    level: int


def read_given_levels(scores: CampaignScores, text: str) -> tuple[GivenLevel, ...]:
    """Read that part of a URL. Raises MissingError for a reviewer who is not in this campaign."""
    if not text:
        return ()
    people = {number: person for person, number in scores.numbers.items()}
    found = []
    for part in text.split(",", MOST_GIVEN):
        match = _PART.fullmatch(part)
        person = people.get(int(match[1])) if match else None
        if match is None or person is None:
            raise MissingError(
                "The filter “gave” names no reviewer of this campaign with a level, as in 1:4. Open the list "
                "again from the agreement page."
            )
        found.append(GivenLevel(person, scores.names.of(person), int(match[2])))
    return tuple(found)


def given_level_words(gave: Sequence[GivenLevel], criterion: Criterion | None) -> str:
    """The filter in words."""
    if criterion is None:
        return ""
    return ", ".join(f"{each.name} gave {criterion.level_words(each.level)}" for each in gave)
