"""The ceiling is what a metric that knows the truth reaches, in simulation, and no more."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import kendalltau, pearsonr, rankdata, spearmanr

from evalapp.stats.ceiling import _rank_correlation, _ranks, expected_ceiling
from evalapp.stats.correlation import METHODS
from evalapp.stats.ratings import Ratings
from proofs.simulations import report_share, simulated

ORACLES = {"spearman": spearmanr, "kendall": kendalltau, "pearson": pearsonr}


def panel(
    generator: np.random.Generator, outputs: int, reviewers: int, *, overlap: int, severity_sd: float = 0.4
) -> tuple[Ratings, np.ndarray]:
    """Rounded scores of outputs, and the outputs' true quality in the order of the ratings' items."""
    quality = generator.normal(0, 0.7, outputs)
    severity = generator.normal(0, severity_sd, reviewers)
    rank = np.argsort(generator.random((outputs, reviewers)), axis=1)
    output, reviewer = np.nonzero(rank < overlap)
    noise = generator.normal(0, 0.7, output.size)
    score = np.clip(np.round(3 + quality[output] - severity[reviewer] + noise), 1, 5)
    ratings = Ratings.from_columns(output.tolist(), reviewer.tolist(), score.tolist())
    return ratings, quality[list(ratings.items)]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("reviewers", "overlap"), [(3, 3), (8, 2)])
def test_a_metric_that_knows_the_truth_reaches_the_ceiling(method: str, reviewers: int, overlap: int) -> None:
    generator = np.random.default_rng(1)
    reached, expected = [], []
    for _ in range(8):
        ratings, quality = panel(generator, 250, reviewers, overlap=overlap)
        reached.append(ORACLES[method](ratings.item_means(), quality).statistic)
        expected.append(expected_ceiling(ratings, method=method, replicates=2).correlation.value)
    assert np.mean(expected) == pytest.approx(np.mean(reached), abs=0.03)


def test_severity_takes_nothing_off_where_everybody_scored_everything() -> None:
    generator = np.random.default_rng(2)
    ratings, _ = panel(generator, 200, 4, overlap=4, severity_sd=0.0)
    shifted = ratings.with_scores(ratings.score + np.array([-1.0, 0.0, 0.5, 1.0])[ratings.reviewer])
    plain, severe = (expected_ceiling(each, method="pearson", replicates=2) for each in (ratings, shifted))
    assert severe.correlation.value == pytest.approx(plain.correlation.value)


def test_pearsons_ceiling_of_a_full_table_is_the_root_of_its_reliability() -> None:
    """1 - MS rest / MS items, which is Cronbach's alpha."""
    table = [[1, 2, 1], [2, 2, 3], [3, 4, 3], [4, 4, 5], [5, 5, 4], [2, 3, 3]]
    scores = np.array(table, dtype=float)
    items, reviewers = scores.shape
    alpha = (
        reviewers / (reviewers - 1) * (1 - scores.var(axis=0, ddof=1).sum() / scores.sum(axis=1).var(ddof=1))
    )
    found = expected_ceiling(Ratings.from_table(table), method="pearson")
    assert found.reliability.value == pytest.approx(alpha)
    assert found.correlation.value == pytest.approx(np.sqrt(alpha))
    assert found.correlation.low <= found.correlation.value <= found.correlation.high
    assert found.correlation.n == items


def test_more_reviews_an_output_raise_the_ceiling() -> None:
    values = [
        expected_ceiling(panel(np.random.default_rng(3), 300, 8, overlap=overlap)[0], replicates=2)
        for overlap in (2, 4, 8)
    ]
    ceilings = [each.correlation.value for each in values]
    assert ceilings == sorted(ceilings)


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ([[3], [4]], "one reviewer"),
        ([[3, None], [None, 4]], "no item has two scores"),
        ([[3, 4]], "one output"),
        ([[3, 3], [3, 3]], "no variation"),
        ([], "no scores"),
    ],
)
def test_what_cannot_be_told_says_why(table: list[list[float | None]], reason: str) -> None:
    found = expected_ceiling(Ratings.from_table(table))
    assert found.correlation.reason == found.reliability.reason == reason


def test_people_who_contradict_each_other_leave_no_ceiling() -> None:
    found = expected_ceiling(Ratings.from_table([[1, 5], [5, 1], [2, 4], [4, 3]] * 5))
    assert found.correlation.reason.startswith("no reliability (-")
    assert found.reliability.value < 0
    same = expected_ceiling(Ratings.from_table([[1, 5], [5, 1], [2, 4], [4, 2]] * 5))
    assert same.correlation.reason == "no variation in the outputs' means"


def test_ranks_and_correlations_equal_scipy() -> None:
    generator = np.random.default_rng(4)
    x, y = generator.integers(0, 6, 80).astype(float), generator.integers(0, 6, 80).astype(float)
    assert _ranks(x) == pytest.approx(rankdata(x))
    assert _rank_correlation(x, y, "spearman") == pytest.approx(spearmanr(x, y).statistic)
    assert _rank_correlation(x, y, "kendall") == pytest.approx(kendalltau(x, y).statistic)


def test_the_seed_fixes_it_and_bad_methods_are_refused() -> None:
    ratings, _ = panel(np.random.default_rng(5), 60, 4, overlap=2)
    assert expected_ceiling(ratings, seed=1, replicates=20) == expected_ceiling(
        ratings, seed=1, replicates=20
    )
    with pytest.raises(ValueError, match="spearman, kendall, pearson"):
        expected_ceiling(ratings, method="cosine")


@pytest.mark.verification
def test_the_interval_holds_the_reliability_at_about_its_level() -> None:
    big, _ = panel(np.random.default_rng(6), 200_000, 6, overlap=3, severity_sd=0.0)
    truth = expected_ceiling(big, method="pearson", replicates=2).reliability.value
    generator = np.random.default_rng(7)
    held, runs = 0, simulated(300)
    for _ in range(runs):
        ratings, _ = panel(generator, 150, 6, overlap=3, severity_sd=0.0)
        found = expected_ceiling(ratings, method="pearson").reliability
        held += found.low <= truth <= found.high
    assert report_share("interval of reliability", held / runs, runs, at_least=0.90, at_most=0.985)


def test_the_ceilings_interval_resamples_documents() -> None:
    """Four answers of each document that are the same count as one of them."""
    once, _ = panel(np.random.default_rng(8), 40, 3, overlap=3)
    scores = once.score.reshape(40, 3)
    copies = Ratings.from_columns(
        [output for output in range(160) for _ in range(3)],
        [0, 1, 2] * 160,
        np.repeat(scores, 4, axis=0).ravel().tolist(),
        groups={output: output // 4 for output in range(160)},
    )
    apart = replace(copies, group=None)
    grouped, single, ungrouped = (
        expected_ceiling(each, method="pearson").correlation for each in (copies, once, apart)
    )
    assert grouped.low == pytest.approx(single.low, abs=0.02)
    assert grouped.high - grouped.low > 1.5 * (ungrouped.high - ungrouped.low)
