"""Weeks of outputs in strata, and samples of them of which some are reviewed."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from evalapp.stats.ratings import Ratings
from evalapp.stats.weighted import Drawn, SampleDesign

Array = np.ndarray


class Week(NamedTuple):
    """Every output's ``stratum`` and ``value``."""

    stratum: Array
    value: Array

    @property
    def sizes(self) -> dict[int, int]:
        return dict(enumerate(np.bincount(self.stratum).tolist()))

    @property
    def mean(self) -> float:
        return float(self.value.mean())


def week_of_scores(
    generator: np.random.Generator, sizes: Sequence[int], levels: Sequence[float], spread: float = 0.9
) -> Week:
    """Scores of 1 to 5 around each stratum's level."""
    stratum = np.repeat(np.arange(len(sizes)), sizes)
    latent = np.asarray(levels)[stratum] + generator.normal(0, spread, stratum.size)
    return Week(stratum, np.clip(np.round(latent), 1, 5))


def week_of_marks(generator: np.random.Generator, sizes: Sequence[int], rates: Sequence[float]) -> Week:
    """Marks of 0 and 1, as near to each stratum's rate as so many outputs can be."""
    stratum = np.repeat(np.arange(len(sizes)), sizes)
    value = np.concatenate(
        [
            generator.permutation(np.arange(size) < round(size * rate))
            for size, rate in zip(sizes, rates, strict=True)
        ]
    )
    return Week(stratum, value.astype(np.float64))


class Sampled(NamedTuple):
    """``design``: what was drawn; ``reviews``: of what was answered, one score for each output."""

    design: SampleDesign
    reviews: Ratings


def sampled(
    generator: np.random.Generator,
    week: Week,
    drawn: Sequence[int],
    *,
    answers: Sequence[float] | None = None,
    by_score: float = 0.0,
) -> Sampled:
    """So many outputs of each stratum at random. ``answers``: the share of each stratum that is reviewed;
    ``by_score``: how much likelier (on the logit, a point of score) higher scores are.
    """
    items: list[int] = []
    found: dict[int, Drawn] = {}
    for stratum, number in enumerate(drawn):
        members = np.flatnonzero(week.stratum == stratum)
        for item in generator.choice(members, number, replace=False).tolist():
            found[item] = Drawn(stratum, number / members.size)
            items.append(item)
    share = np.ones(len(items)) if answers is None else np.asarray(answers)[week.stratum[items]]
    if by_score:
        logit = np.log(share / (1 - share)) + by_score * (week.value[items] - week.mean)
        share = 1 / (1 + np.exp(-logit))
    kept = [
        item for item, is_kept in zip(items, generator.random(len(items)) < share, strict=True) if is_kept
    ]
    scores = [float(week.value[item]) for item in kept]
    reviews = Ratings.from_columns(kept, ["a"] * len(kept), scores)
    return Sampled(SampleDesign(found, week.sizes), reviews)
