from collections.abc import Hashable

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from evalapp.stats import correlation
from evalapp.stats.correlation import METHODS, Method, segment_correlation, segment_gain, system_correlation
from evalapp.stats.pair_ranking import pairwise_accuracy
from evalapp.stats.ranks import concordance
from proofs.simulations import report_share, simulated

ORACLES = {"spearman": stats.spearmanr, "kendall": stats.kendalltau, "pearson": stats.pearsonr}
numbers = st.one_of(
    st.integers(-5, 5).map(float), st.floats(-100, 100, allow_subnormal=False).map(lambda x: round(x, 3))
)
columns = st.lists(st.tuples(numbers, numbers), min_size=3, max_size=25)


def related(outputs: int, per_item: int, seed: int) -> tuple[list[int], list[float], list[float]]:
    """Human scores in thirds and a metric, both with a share that an item's outputs have in common."""
    generator = np.random.default_rng(seed)
    item = np.repeat(np.arange(outputs // per_item), per_item)
    quality = generator.normal(0, 1, item.max() + 1)[item] + generator.normal(0, 1, item.size)
    human = np.round((quality + generator.normal(0, 0.7, item.size)) * 3) / 3
    return item.tolist(), human.tolist(), (quality + generator.normal(0, 1, item.size)).tolist()


@settings(max_examples=150)
@given(columns, st.sampled_from(METHODS))
def test_segment_correlation_equals_scipy(pairs: list[tuple[float, float]], method: str) -> None:
    human, metric = (list(column) for column in zip(*pairs, strict=True))
    assume(np.ptp(human) > 1e-6)
    assume(np.ptp(metric) > 1e-6)
    found = segment_correlation(list(range(len(pairs))), human, metric, method=method, replicates=2)
    assert found.value == pytest.approx(ORACLES[method](human, metric).statistic, abs=1e-7)
    assert found.n == len(pairs)


@settings(max_examples=100)
@given(columns)
def test_concordance_counts_equal_a_full_comparison(pairs: list[tuple[float, float]]) -> None:
    x, y = np.array(pairs).T
    x_sign, y_sign = np.sign(x[:, None] - x), np.sign(y[:, None] - y)
    found = concordance(x, y)
    assert found.balance.tolist() == (x_sign * y_sign).sum(axis=1).tolist()
    assert found.untied_x.tolist() == (x_sign != 0).sum(axis=1).tolist()
    assert found.untied_y.tolist() == (y_sign != 0).sum(axis=1).tolist()


@pytest.mark.parametrize("method", METHODS)
def test_bootstrap_equals_resampling_items_one_by_one(method: str) -> None:
    item, human, metric = (np.array(column) for column in related(120, 3, 2))
    generator = np.random.default_rng(0)
    values = []
    for _ in range(1500):
        drawn = generator.integers(40, size=40)
        rows = np.concatenate([np.flatnonzero(item == each) for each in drawn])
        values.append(ORACLES[method](human[rows], metric[rows]).statistic)
    expected = np.quantile(values, [0.025, 0.975])
    found = segment_correlation(
        item.tolist(), human.tolist(), metric.tolist(), method=method, replicates=4000
    )
    assert [found.low, found.high] == pytest.approx(expected.tolist(), abs=0.012)


def test_kendall_of_many_outputs_has_the_interval_of_the_bootstrap(monkeypatch: pytest.MonkeyPatch) -> None:
    data = related(1200, 3, 5)
    resampled = segment_correlation(*data, method="kendall")
    monkeypatch.setattr(correlation, "RESAMPLED_KENDALL", 100)
    linear = segment_correlation(*data, method="kendall")
    assert linear.value == pytest.approx(resampled.value, abs=1e-12)
    assert [linear.low, linear.high] == pytest.approx([resampled.low, resampled.high], abs=0.003)
    assert "interval:influence" in linear.signature


def test_outputs_of_one_item_are_not_independent_evidence() -> None:
    item, human, metric = related(300, 1, 1)
    alone = segment_correlation(item, human, metric)
    copied = segment_correlation(item * 4, human * 4, metric * 4)
    assert copied.value == pytest.approx(alone.value)
    assert copied.half_width == pytest.approx(alone.half_width, rel=0.05)


def test_missing_scores_are_left_out() -> None:
    found = segment_correlation("abcde", [1, 2, 3, None, 5], [2, 4, 6, 8, None], method="pearson")
    assert (found.value, found.n) == (pytest.approx(1.0), 3)


@pytest.mark.parametrize(
    ("human", "metric", "reason"),
    [
        ([1, 2], [1, 2], "fewer than 3 outputs with both scores"),
        ([3, 3, 3], [1, 2, 3], "no variation in the human scores"),
        ([1, 2, 3], [0.5, 0.5, 0.5], "no variation in the metric"),
        ([None, None, None], [1, 2, 3], "fewer than 3 outputs with both scores"),
    ],
)
def test_a_correlation_that_cannot_be_told_says_why(
    human: list[float | None], metric: list[float | None], reason: str
) -> None:
    for method in METHODS:
        assert segment_correlation(list(range(len(human))), human, metric, method=method).reason == reason


def test_one_item_gives_a_value_without_an_interval() -> None:
    found = segment_correlation(["a"] * 4, [1, 2, 3, 4], [1, 3, 2, 4])
    assert (found.low, found.note) == (None, "no interval: one item")


@pytest.mark.parametrize("method", METHODS)
def test_within_item_takes_the_mean_over_items(method: str) -> None:
    items = ["a"] * 4 + ["b"] * 4 + ["c"] * 2 + ["d"] * 2
    human = [1, 2, 3, 4, 10, 12, 11, 14, 5, 5, 1, 2]
    metric = [2, 1, 3, 4, 1, 2, 3, 4, 1, 2, 7, 9]
    expected = np.mean(
        [
            ORACLES[method](human[part], metric[part]).statistic
            for part in (slice(0, 4), slice(4, 8), slice(10, 12))
        ]
    )
    found = segment_correlation(items, human, metric, method=method, within_item=True)
    assert (found.value, found.n) == (pytest.approx(expected), 3)
    assert found.note == "1 of 4 items without variation left out"


def test_within_item_needs_an_item_with_two_outputs() -> None:
    found = segment_correlation(["a", "b", "c"], [1, 2, 3], [1, 2, 3], within_item=True)
    assert found.reason == "no item has two outputs that differ in both scores"


def test_system_level_needs_four_candidates() -> None:
    candidates, items = ["base", "v1", "v2"] * 5, [item for item in range(5) for _ in range(3)]
    scores = [float(place) for place in range(15)]
    found = system_correlation(candidates, items, scores, scores)
    assert (found.reason, found.n) == ("fewer than 4 candidates", 3)
    # A metric without a value is not a lack of candidates.
    assert system_correlation(candidates, items, scores, [None] * 15).reason == "no output has both scores"


@pytest.mark.parametrize("method", METHODS)
def test_system_level_correlates_candidate_means(method: str) -> None:
    generator = np.random.default_rng(2)
    candidate = np.tile(np.arange(5), 200)
    human = generator.normal(candidate * 0.5, 1)
    metric = generator.normal(candidate % 3, 1)
    means = [[column[candidate == each].mean() for each in range(5)] for column in (human, metric)]
    items = np.repeat(np.arange(200), 5)
    found = system_correlation(
        candidate.tolist(), items.tolist(), human.tolist(), metric.tolist(), method=method
    )
    assert (found.value, found.n) == (pytest.approx(ORACLES[method](*means).statistic), 5)
    assert found.low <= found.value <= found.high


@pytest.mark.parametrize(
    ("method", "candidates", "note"), [("spearman", 4, "exact p 0.083"), ("pearson", 4, "exact p 0.042")]
)
def test_of_few_candidates_the_exact_p_is_told(method: Method, candidates: int, note: str) -> None:
    """Of the 24 orders of four, the very same and its reverse correlate so strongly in ranks; in numbers that
    lie unevenly the reverse does not.
    """
    names = [f"v{number}" for number in range(candidates)] * 8
    items = [item for item in range(8) for _ in range(candidates)]
    quality = [float(2 ** int(name[1:])) for name in names]
    found = system_correlation(names, items, quality, quality, method=method)
    assert found.value == pytest.approx(1)
    assert note in found.note
    many = system_correlation(
        [f"v{number}" for number in range(10)] * 2, [1] * 10 + [2] * 10, [*range(10)] * 2, [*range(10)] * 2
    )
    assert "exact" not in many.note


def test_system_level_without_variation_says_so() -> None:
    candidates, items = list("abcd") * 2, [1] * 4 + [2] * 4
    found = system_correlation(candidates, items, [3.0] * 8, list(map(float, range(8))))
    assert found.reason == "no variation among the candidates' means"


def test_bad_columns_and_methods_are_refused() -> None:
    with pytest.raises(ValueError, match="3, 2, 3"):
        segment_correlation("abc", [1, 2], [1, 2, 3])
    with pytest.raises(ValueError, match="not a finite number"):
        segment_correlation("abc", [1, 2, float("nan")], [1, 2, 3])
    with pytest.raises(ValueError, match="spearman, kendall, pearson"):
        segment_correlation("abc", [1, 2, 3], [1, 2, 3], method="cosine")


@pytest.mark.verification
@pytest.mark.parametrize("method", METHODS)
def test_interval_covers_at_about_its_level(method: str) -> None:
    _, human, metric = related(300_000, 3, 99)
    truth = ORACLES[method](human, metric).statistic
    runs = simulated(500)
    found = [
        segment_correlation(*related(240, 3, seed), method=method, replicates=400) for seed in range(runs)
    ]
    share = float(np.mean([each.low <= truth <= each.high for each in found]))
    assert report_share("intervals of correlations", share, runs, at_least=0.91, at_most=0.98)


def copied(times: int) -> tuple[list[int], list[float], list[float], dict[Hashable, Hashable]]:
    """Outputs of 30 items, each ``times`` over as items of one document."""
    generator = np.random.default_rng(4)
    human = generator.normal(size=30)
    metric = human + generator.normal(size=30)
    items = list(range(30 * times))
    groups: dict[Hashable, Hashable] = {item: item // times for item in items}
    return items, np.repeat(human, times).tolist(), np.repeat(metric, times).tolist(), groups


@pytest.mark.parametrize("method", METHODS)
def test_items_of_one_document_count_once(method: Method) -> None:
    items, human, metric, groups = copied(4)
    together = segment_correlation(items, human, metric, groups=groups, method=method)
    once = segment_correlation(*copied(1)[:3], method=method)
    assert (together.value, together.low, together.high) == pytest.approx((once.value, once.low, once.high))
    apart = segment_correlation(items, human, metric, method=method)
    assert together.high - together.low > 1.5 * (apart.high - apart.low)


def test_correlations_within_items_of_one_document_count_once() -> None:
    generator = np.random.default_rng(5)
    items = [item for item in range(40) for _ in range(3)]
    human = generator.normal(size=120)
    metric = human + np.repeat(generator.normal(size=10), 12) * generator.normal(size=120)
    documents: dict[Hashable, Hashable] = {item: item // 4 for item in range(40)}
    apart, together = (
        segment_correlation(items, human.tolist(), metric.tolist(), within_item=True, groups=groups)
        for groups in ({}, documents)
    )
    assert apart.value == pytest.approx(together.value)
    assert (apart.low, apart.high) != pytest.approx((together.low, together.high))


def test_a_gain_counts_a_document_once() -> None:
    items, human, metric, groups = copied(4)
    worse = [value + (-1) ** (number // 4) for number, value in enumerate(metric)]
    together = segment_gain(items, human, worse, metric, groups=groups)
    apart = segment_gain(items, human, worse, metric)
    assert together.value == pytest.approx(apart.value)
    assert together.low < apart.low


def test_pairs_ranked_alike_count_a_document_once() -> None:
    """In half of the documents the metric is right, in the others it is the other way round."""
    pairs = [pair for pair in range(80) for _ in range(2)]
    documents: dict[Hashable, Hashable] = {pair: pair // 8 for pair in pairs}
    human = [float(number % 2) for number in range(160)]
    metric = [value * (-1) ** (pair // 8) for pair, value in zip(pairs, human, strict=True)]
    apart, together = (pairwise_accuracy(pairs, human, metric, groups=each) for each in ({}, documents))
    assert apart.value == together.value == 0.5
    assert together.high - together.low > 2 * (apart.high - apart.low)


def test_few_items_are_not_resampled() -> None:
    found = segment_correlation([1, 1, 2, 2, 3, 3], [1.0, 2, 3, 4, 5, 6], [1.0, 3, 2, 4, 6, 5])
    assert found.low is None
    assert found.note == "no interval: 3 items are too few to resample"
