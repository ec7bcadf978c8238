"""Whose scores of new items a mean or a difference speaks of."""

from enum import StrEnum


class Population(StrEnum):
    """Reviewers are fixed, or a sample like the items."""

    #: What these reviewers, each with the same weight, would on average score.
    PANEL = "panel"
    #: What reviewers like these would.
    REVIEWERS = "reviewers"

    @property
    def other(self) -> "Population":
        return Population.REVIEWERS if self is Population.PANEL else Population.PANEL
