"""Whose scores of new items a mean or a difference is about."""

from enum import StrEnum


class Population(StrEnum):
    """Reviewers are fixed, or a sample like the items."""

    #: What these reviewers, equally weighted, would score on average.
    PANEL = "panel"
    #: What reviewers like these would score.
    REVIEWERS = "reviewers"

    @property
    def other(self) -> "Population":
        return Population.REVIEWERS if self is Population.PANEL else Population.PANEL
