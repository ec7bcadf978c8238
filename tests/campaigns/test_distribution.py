"""The arithmetic of choice and assignment, for any sizes."""

from collections import Counter

from hypothesis import assume, given
from hypothesis import strategies as st

from evalapp.campaigns.choice import items_with_larger_overlap, number_of_assignments, shares_by_stratum
from evalapp.campaigns.distribution import distribute, level_targets

people_and_needs = st.integers(1, 8).flatmap(
    lambda people: st.tuples(st.just(people), st.lists(st.integers(1, people), min_size=1, max_size=40))
)
seeds = st.integers(0, 2**31 - 1).map(str)


def shared_out(
    people: int, needs: list[int], seed: str, quotas: list[int] | None = None
) -> list[list[int | None]]:
    rooms = [min(len(needs), quota) for quota in quotas or [len(needs)] * people]
    targets = level_targets([0] * people, rooms, sum(needs), seed=seed)
    return distribute(needs, targets, seed=seed)


@given(people_and_needs, seeds)
def test_everybody_gets_as_many_and_nobody_an_item_twice(case: tuple[int, list[int]], seed: str) -> None:
    people, needs = case
    chosen = shared_out(people, needs, seed)
    assert [len(each) for each in chosen] == needs
    assert all(None not in each and len(set(each)) == len(each) for each in chosen)
    loads = Counter(person for each in chosen for person in each)
    assert max(loads.values()) - min(loads[person] for person in range(people)) <= 1


@given(people_and_needs, seeds)
def test_a_seed_gives_the_same_again(case: tuple[int, list[int]], seed: str) -> None:
    people, needs = case
    assert shared_out(people, needs, seed) == shared_out(people, needs, seed)


@given(people_and_needs, st.lists(st.integers(1, 40), min_size=8, max_size=8), seeds)
def test_quotas_are_kept_and_used_before_anything_stays_undone(
    case: tuple[int, list[int]], quotas: list[int], seed: str
) -> None:
    people, needs = case
    quotas = quotas[:people]
    chosen = shared_out(people, needs, seed, quotas)
    loads = Counter(person for each in chosen for person in each if person is not None)
    assert all(loads[person] <= quota for person, quota in enumerate(quotas))
    assert all(len(each) == need for each, need in zip(chosen, needs, strict=True))
    assert all(len({*each} - {None}) == len([p for p in each if p is not None]) for each in chosen)
    # Gale and Ryser: everything can be shared out just where each number of items has people for it.
    rooms = [min(quota, len(needs)) for quota in quotas]
    can = all(
        sum(sorted(needs, reverse=True)[:size]) <= sum(min(room, size) for room in rooms)
        for size in range(1, len(needs) + 1)
    )
    assume(can)
    assert None not in [person for each in chosen for person in each]


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=8),
    st.integers(0, 200),
    seeds,
)
def test_loads_end_as_level_as_the_limits_allow(
    people: list[tuple[int, int]], wanted: int, seed: str
) -> None:
    loads, rooms = [load for load, _ in people], [room for _, room in people]
    targets = level_targets(loads, rooms, wanted, seed=seed)
    assert sum(targets) == min(wanted, sum(rooms))
    assert all(0 <= target <= room for target, room in zip(targets, rooms, strict=True))
    ends = [load + target for load, target in zip(loads, targets, strict=True)]
    # Whoever ends two above another has got nothing, or the other could take no more.
    for one, high in enumerate(ends):
        for other, low in enumerate(ends):
            assert high - low < 2 or targets[one] == 0 or targets[other] == rooms[other]


@given(st.data(), people_and_needs, seeds)
def test_who_has_an_item_gets_no_more_of_it(
    data: st.DataObject, case: tuple[int, list[int]], seed: str
) -> None:
    people, needs = case
    taken = [set(data.draw(st.lists(st.integers(0, people - 1), max_size=3))) for _ in needs]
    targets = level_targets([0] * people, [len(needs)] * people, sum(needs), seed=seed)
    for each, barred in zip(distribute(needs, targets, seed=seed, taken=taken), taken, strict=True):
        given_to = [person for person in each if person is not None]
        assert not barred & set(given_to) and len(set(given_to)) == len(given_to)


def test_people_meet_one_another() -> None:
    """Not the same three together throughout, or severities could not be compared."""
    chosen = shared_out(6, [3] * 40, "7")
    assert len({frozenset(each) for each in chosen}) > 10


@given(st.dictionaries(st.text(max_size=3), st.integers(1, 500), min_size=1, max_size=20), st.data())
def test_strata_give_in_proportion_and_at_least_one(sizes: dict[str, int], data: st.DataObject) -> None:
    total = sum(sizes.values())
    wanted = data.draw(st.integers(len(sizes), total))
    shares = shares_by_stratum(sizes, wanted)
    assert sum(shares.values()) == wanted
    assert all(1 <= shares[name] <= size for name, size in sizes.items())
    assert shares == shares_by_stratum(dict(reversed(sizes.items())), wanted)
    if all(size * wanted >= total for size in sizes.values()):
        assert all(abs(shares[name] - size * wanted / total) < 1 for name, size in sizes.items())


@given(st.integers(0, 10_000), st.integers(0, 99))
def test_the_share_with_more_reviewers_is_rounded_half_up(items: int, share: int) -> None:
    count = items_with_larger_overlap(items, share)
    if share and items:
        assert 1 <= count <= items and (count == 1 or abs(count - items * share / 100) <= 0.5)
    else:
        assert count == 0
    assert number_of_assignments(items, overlap=1, share=share, more=3) == items + 2 * count
