"""How many examples a campaign reviews, and by how many people: pure arithmetic.

The draw itself is in `opening`; these numbers are shared with the preview, so that it equals the launch.
"""

from collections.abc import Mapping

# With more strata, each would have only one or two items.
MOST_STRATA = 200


def shares_by_stratum(sizes: Mapping[str, int], wanted: int) -> dict[str, int]:
    """The number of ``wanted`` items from each stratum: at least one each, the rest in proportion to size by
    largest remainder; never more than it has. Equal remainders are ordered by name.

    ``wanted`` must lie between the number of strata and the sum of sizes.
    """
    total = sum(sizes.values())
    if not len(sizes) <= wanted <= total:
        raise ValueError(f"{wanted} items cannot be drawn from {len(sizes)} strata of {total} items")
    # Integer arithmetic, so that no rounding differs between machines.
    shares = {name: max(1, size * wanted // total) for name, size in sizes.items()}
    missing = wanted - sum(shares.values())
    # A stratum that got one for a fraction below one has no remainder.
    fractions = [name for name, size in sizes.items() if size * wanted >= total]
    fractions.sort(key=lambda name: (-(sizes[name] * wanted % total), name))
    for name in fractions[: max(0, missing)]:
        shares[name] += 1
    # The excess of small strata is taken from the largest.
    for _ in range(-missing):
        largest = max(sorted(shares), key=lambda name: shares[name])
        shares[largest] -= 1
    return shares


def items_with_larger_overlap(items: int, share: int) -> int:
    """The number of items with the larger overlap: ``share`` percent, rounded half up, at least one."""
    if not share or not items:
        return 0
    return max(1, (items * share * 2 + 100) // 200)


def number_of_assignments(items: int, *, overlap: int, share: int, more: int | None) -> int:
    """The number of assignments of a campaign with that many items."""
    return items * overlap + items_with_larger_overlap(items, share) * ((more or overlap) - overlap)
