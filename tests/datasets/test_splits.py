from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalapp.datasets.splits import ByField, ByShares
from evalapp.imports.problems import RowProblemError

SHARES = {"train": 80, "validation": 5, "test": 5, "feedback": 10}


def test_a_group_keeps_its_split_for_ever() -> None:
    rule = ByShares(SHARES, seed=42)

    # Known answers: a change of the rule would move rows between held-out and training splits.
    assert [rule.split_of(None, f"client {number}") for number in range(12)] == EXPECTED


EXPECTED = ["train"] * 5 + ["test"] + ["train"] * 6


@given(st.lists(st.text(), min_size=1, max_size=20), st.integers(0, 10))
def test_neither_order_nor_company_matters(keys: list[str], seed: int) -> None:
    rule = ByShares(SHARES, seed)
    alone = {key: ByShares(SHARES, seed).split_of(None, key) for key in keys}

    assert [rule.split_of(None, key) for key in reversed(keys)] == [alone[key] for key in reversed(keys)]


def test_sizes_come_near_the_shares() -> None:
    rule = ByShares(SHARES, seed=1)
    counts = Counter(rule.split_of(None, str(number)) for number in range(20_000))

    for split, share in SHARES.items():
        # Five standard deviations of a binomial count.
        expected, spread = 200 * share, (20_000 * share / 100 * (1 - share / 100)) ** 0.5
        assert abs(counts[split] - expected) < 5 * spread


def test_another_seed_is_another_split() -> None:
    keys = [str(number) for number in range(200)]

    assert [ByShares(SHARES, 1).split_of(None, key) for key in keys] != [
        ByShares(SHARES, 2).split_of(None, key) for key in keys
    ]


def test_a_split_without_share_gets_nothing() -> None:
    rule = ByShares({"train": 0, "test": 1, "feedback": 0})

    assert {rule.split_of(None, str(number)) for number in range(50)} == {"test"}


@pytest.mark.parametrize("shares", [{}, {"train": 0}, {"train": -1, "test": 2}, {"exam": 1}])
def test_shares_that_are_none_are_refused(shares: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="Shares are numbers"):
        ByShares(shares)


@pytest.mark.parametrize("given_value", [None, "", "exam", 3, ["train"]])
def test_a_row_that_names_no_split_is_told(given_value: object) -> None:
    with pytest.raises(RowProblemError, match=r"^split: .* train, validation, test, feedback"):
        ByField().split_of(given_value, "")
