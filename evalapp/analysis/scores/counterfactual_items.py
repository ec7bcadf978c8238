"""The counterfactual pairs among a campaign's items: an original row, and its variants."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import NamedTuple

from evalapp.analysis.scores.example_fields import values_by_item
from evalapp.campaigns.models import Campaign
from evalapp.datasets.counterfactuals.lists import ORIGINAL
from evalapp.datasets.counterfactuals.variants import PAIR, PERTURBATION, VARIANT
from evalapp.stats.strata import LEAST_ITEMS

LEAST_PAIRS = LEAST_ITEMS
"""Variants with fewer pairs are not tested."""


class VariantName(NamedTuple):
    """A perturbation's value, as in the rows' metadata."""

    perturbation: str
    value: str

    def __str__(self) -> str:
        return f"{self.perturbation}, {self.value.replace('_', ' ')}"


class CounterfactualItems(NamedTuple):
    """``originals``: item → pair. ``variants``: the same for each variant, only for pairs with their
    original. Empty if the rows have no pairs.
    """

    originals: Mapping[Hashable, Hashable]
    variants: Mapping[VariantName, Mapping[Hashable, Hashable]]

    @property
    def tested(self) -> list[VariantName]:
        """Variants with enough pairs, ordered by name."""
        return [name for name, pairs in self.variants.items() if len(pairs) >= LEAST_PAIRS]

    @property
    def left_out(self) -> list[VariantName]:
        return [name for name, pairs in self.variants.items() if len(pairs) < LEAST_PAIRS]


NO_ITEMS = CounterfactualItems({}, {})


def counterfactual_items(campaign: Campaign) -> CounterfactualItems:
    """The pairs among the items for review, in one query."""
    found = values_by_item(campaign, (PAIR, PERTURBATION, VARIANT))
    return pair_items(
        (item, pair, found[PERTURBATION].get(item, ""), found[VARIANT].get(item, ""))
        for item, pair in found[PAIR].items()
    )


def pair_items(rows: Iterable[tuple[Hashable, str, str, str]]) -> CounterfactualItems:
    """Pairs from rows of (item, pair, perturbation, variant)."""
    originals: dict[Hashable, Hashable] = {}
    variants: dict[VariantName, dict[Hashable, Hashable]] = defaultdict(dict)
    for item, pair, perturbation, variant in rows:
        if variant == ORIGINAL:
            originals[item] = pair
        elif variant:
            variants[VariantName(perturbation, variant)][item] = pair
    known = set(originals.values())
    complete = {
        name: {item: pair for item, pair in pairs.items() if pair in known}
        for name, pairs in sorted(variants.items())
    }
    return CounterfactualItems(originals, {name: pairs for name, pairs in complete.items() if pairs})


def in_words(names: Sequence[VariantName]) -> str:
    return "; ".join(map(str, names))
