"""Scores drawn from a known population, for coverage checks."""

import numpy as np

from evalapp.stats.ratings import Ratings

MEAN = 3.5
ITEM_SD = 0.5
SEVERITY_SD = 0.35
NOISE_SD = 0.6


def drawn_ratings(
    generator: np.random.Generator, items: int, reviewers: int, *, overlap: int | None = None
) -> Ratings:
    """New items scored by new reviewers; with ``overlap`` each item by that many, drawn at random."""
    score = (
        MEAN
        + generator.normal(0, ITEM_SD, (items, 1))
        + generator.normal(0, SEVERITY_SD, (1, reviewers))
        + generator.normal(0, NOISE_SD, (items, reviewers))
    )
    rank = np.argsort(generator.random((items, reviewers)), axis=1)
    item, reviewer = np.nonzero(rank < (overlap or reviewers))
    return Ratings.from_columns(item.tolist(), reviewer.tolist(), score[item, reviewer].tolist())
