"""Selects the outputs of a week to review: a seeded random sample, simple, stratified by a field, or by risk.
Pure.
"""

import random
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from typing import NamedTuple

from evalapp.campaigns.choice import MOST_STRATA, shares_by_stratum
from evalapp.stats.sample_allocation import Scheme, allocate


class Candidate(NamedTuple):
    """An output that can be sampled; ``external_id`` makes the sample the same in every database."""

    id: int
    external_id: str
    stratum: str


class RandomSample(NamedTuple):
    """``probabilities``: output's id → inclusion probability, above 0, at most 1. ``note``: differences from
    the plan.
    """

    probabilities: dict[int, float]
    note: str = ""


def draw_sample(
    population: Sequence[Candidate],
    wanted: int,
    *,
    seed: int,
    week: int,
    risk: Mapping[str, float] | None = None,
) -> RandomSample:
    """Draw ``wanted`` outputs (all, if there are fewer), with equal probabilities within a stratum.

    With one stratum it is a simple random sample. Each stratum gives at least one output; with more strata
    than ``wanted``, or than a field should have, the sample is simple, and its note says so. ``risk`` by
    stratum: outputs of riskier strata are likelier, those of the riskiest three times as likely as of the
    least risky (`evalapp.stats.sample_allocation`).
    """
    ordered = sorted(population, key=lambda each: each.external_id)
    if len(ordered) <= wanted:
        return RandomSample({each.id: 1.0 for each in ordered})
    strata: dict[str, list[Candidate]] = defaultdict(list)
    for each in ordered:
        strata[each.stratum].append(each)
    note = ""
    if len(strata) > min(wanted, MOST_STRATA):
        note = f"Not stratified: the field has {len(strata):,} values, too many for {wanted:,} outputs."
        strata = {"": ordered}
    sizes = {name: len(members) for name, members in strata.items()}
    if risk and not note:
        allocation = allocate(
            dict[Hashable, int](sizes.items()),
            wanted,
            scheme=Scheme.RISK,
            risk=dict[Hashable, float](risk.items()),
        )
        shares = {str(name): count for name, count in allocation.counts(seed=seed + week).items()}
        likely = {str(name): probability for name, probability in allocation.probability.items()}
    else:
        shares = shares_by_stratum(sizes, wanted)
        likely = {name: shares[name] / size for name, size in sizes.items()}
    found: dict[int, float] = {}
    for name, members in sorted(strata.items()):
        generator = random.Random(f"{seed}:{week}:{name}")
        chosen = generator.sample(members, shares[name])
        found |= {each.id: likely[name] for each in chosen}
    return RandomSample(found, note)
