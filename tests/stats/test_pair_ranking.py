import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalapp.stats.pair_ranking import pairwise_accuracy

scores = st.integers(1, 5).map(float)
rows = st.lists(st.tuples(st.integers(0, 4), scores, st.integers(-3, 3).map(float)), min_size=1, max_size=20)


def best_share(found: list[tuple[int, float, float]]) -> float | None:
    """Every margin tried, pair by pair."""
    pairs = [
        (a[1] - b[1], a[2] - b[2])
        for place, a in enumerate(found)
        for b in found[place + 1 :]
        if a[0] == b[0]
    ]
    if not pairs:
        return None
    margins = {0.0, *(abs(metric) for _, metric in pairs)}
    return max(
        np.mean(
            [(0 if abs(metric) <= margin else np.sign(metric)) == np.sign(human) for human, metric in pairs]
        )
        for margin in margins
    )


@settings(max_examples=200)
@given(rows)
def test_it_is_the_best_share_that_any_margin_gives(found: list[tuple[int, float, float]]) -> None:
    items, human, metric = (list(column) for column in zip(*found, strict=True))
    measure = pairwise_accuracy(items, human, metric, replicates=5)
    expected = best_share(found)
    if expected is None:
        assert measure.reason == "no item has two outputs with both scores"
    else:
        assert measure.value == pytest.approx(expected)


def test_a_metric_that_ranks_as_people_do_is_always_right_and_its_opposite_only_where_they_see_none() -> None:
    items = [item for item in range(10) for _ in range(3)]
    human = [1.0, 2.0, 2.0] * 10
    assert pairwise_accuracy(items, human, [5 * each for each in human]).value == 1
    opposite = pairwise_accuracy(items, human, [-each for each in human])
    assert opposite.value == pytest.approx(1 / 3) and opposite.n == 30
    assert "a random metric: 33%" in opposite.note


@pytest.mark.parametrize(("levels", "reached"), [(5, 0.4), (2, 0.5), (1, 1)])
def test_random_numbers_reach_what_the_note_says_of_them(levels: int, reached: float) -> None:
    generator = np.random.default_rng(levels)
    items = np.repeat(np.arange(4000), 2).tolist()
    human = generator.integers(0, levels, len(items)).astype(float).tolist()
    found = pairwise_accuracy(items, human, generator.normal(size=len(items)).tolist(), replicates=2)
    told = int(found.note.removeprefix("a random metric: ").partition("%")[0]) / 100
    assert told == pytest.approx(reached, abs=0.02)
    assert found.value == pytest.approx(reached, abs=0.02)


def test_small_differences_of_the_metric_count_as_none_where_people_see_none() -> None:
    items = [item for item in range(40) for _ in range(2)]
    noise = np.random.default_rng(0).normal(0, 0.01, 80)
    human = [3.0, 3.0] * 20 + [2.0, 4.0] * 20
    measure = pairwise_accuracy(items, human, (np.array([0, 0] * 20 + [0, 1] * 20) + noise).tolist())
    assert measure.value == 1


def test_the_interval_covers_the_share_of_new_items() -> None:
    def drawn(items: int, seed: int) -> tuple[list[int], list[float], list[float]]:
        generator = np.random.default_rng(seed)
        quality = generator.normal(0, 1, 3 * items)
        human = np.round(quality + generator.normal(0, 0.7, quality.size))
        metric = quality + generator.normal(0, 1, quality.size)
        return np.repeat(np.arange(items), 3).tolist(), human.tolist(), metric.tolist()

    truth = pairwise_accuracy(*drawn(40_000, 0), replicates=2).value
    held = 0
    for seed in range(1, 201):
        found = pairwise_accuracy(*drawn(60, seed), replicates=300)
        held += found.low <= truth <= found.high
    assert held >= 180


def test_what_lacks_a_score_is_left_out() -> None:
    found = pairwise_accuracy([1, 1, 1, 2], [1.0, None, 2.0, 4.0], [0.1, 0.5, 0.3, None])
    assert (found.value, found.n) == (1.0, 1)
    assert "no interval: one item" in found.note
