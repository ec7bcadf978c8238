import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalapp import stats
from evalapp.stats.bounds import clopper_pearson
from evalapp.stats.components import variance_components
from evalapp.stats.populations import Population
from evalapp.stats.ratings import Ratings
from evalapp.stats.scores import (
    candidate_score,
    connected_groups,
    distribution,
    mean_over_items,
    reviewer_offsets,
    share_of_low_scores,
    weighted_total,
)
from proofs.simulations import report_share, simulated
from tests.stats.simulation import MEAN, drawn_ratings

PANEL, REVIEWERS = Population.PANEL, Population.REVIEWERS
tables = st.lists(
    st.lists(st.one_of(st.none(), st.integers(1, 5)), min_size=3, max_size=3), min_size=2, max_size=8
)


def covers(low: float | None, high: float | None) -> bool:
    return low is not None and high is not None and low <= MEAN <= high


def coverage(items: int, reviewers: int, *, overlap: int | None, draws: int) -> tuple[float, float]:
    """Share of the intervals for either population that hold the mean over reviewers like these."""
    generator = np.random.default_rng(11)
    crossed = panel = 0
    for _ in range(draws):
        ratings = drawn_ratings(generator, items, reviewers, overlap=overlap)
        both, here = (candidate_score(ratings, population=each) for each in (REVIEWERS, PANEL))
        crossed += covers(both.low, both.high)
        panel += covers(here.low, here.high)
    return crossed / draws, panel / draws


def test_items_weigh_the_same_whatever_their_overlap() -> None:
    ratings = Ratings.from_columns(["a", "a", "a", "b"], ["r", "s", "t", "r"], [5, 5, 5, 1])
    score = candidate_score(ratings, population=REVIEWERS)
    assert (score.value, score.n) == (3.0, 2)


def test_full_table_interval_is_that_of_the_analysis_of_variance() -> None:
    """Searle, Casella, McCulloch: Var = (MS items + MS reviewers - MS rest) / N."""
    table = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]])
    items, reviewers = table.shape
    rows, columns = table.mean(axis=1), table.mean(axis=0)
    rest = table - rows[:, None] - columns[None, :] + table.mean()
    mean_squares = np.array(
        [
            reviewers * rows.var(ddof=1),
            items * columns.var(ddof=1),
            (rest**2).sum() / ((items - 1) * (reviewers - 1)),
        ]
    )
    variance = (mean_squares[0] + mean_squares[1] - mean_squares[2]) / table.size
    degrees = (variance * table.size) ** 2 / (
        mean_squares**2 / [items - 1, reviewers - 1, (items - 1) * (reviewers - 1)]
    ).sum()
    from scipy.stats import t

    score = candidate_score(Ratings.from_table(table.tolist()), population=REVIEWERS)
    assert score.value == pytest.approx(table.mean())
    assert score.half_width == pytest.approx(t.ppf(0.975, degrees) * np.sqrt(variance))


def test_components_of_a_full_table_equal_the_classical_ones() -> None:
    table = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
    found = variance_components(Ratings.from_table(table))
    # Shrout and Fleiss (1979), table 3: mean squares 11.24, 32.49, 1.02.
    assert found.item == pytest.approx((11.2417 - 1.0194) / 4, abs=1e-3)
    assert found.reviewer == pytest.approx((32.4861 - 1.0194) / 6, abs=1e-3)
    assert found.rest == pytest.approx(1.0194, abs=1e-3)


def test_components_are_right_on_average_with_scores_missing() -> None:
    generator = np.random.default_rng(5)
    found = [variance_components(drawn_ratings(generator, 40, 8, overlap=3)) for _ in range(300)]
    assert np.mean([each.item for each in found]) == pytest.approx(0.25, abs=0.02)
    assert np.mean([each.reviewer for each in found]) == pytest.approx(0.1225, abs=0.02)
    assert np.mean([each.rest for each in found]) == pytest.approx(0.36, abs=0.02)


def test_only_the_interval_for_reviewers_like_these_covers_new_reviewers() -> None:
    crossed, panel = coverage(40, 3, overlap=None, draws=400)
    assert 0.92 <= crossed <= 0.98
    assert panel < 0.75


@pytest.mark.verification
@pytest.mark.parametrize("reviewers", [3, 5])
@pytest.mark.parametrize("items", [20, 30, 40])
def test_crossed_interval_covers_at_its_level(items: int, reviewers: int) -> None:
    draws = simulated(5000)
    crossed, panel = coverage(items, reviewers, overlap=None, draws=draws)
    assert report_share("intervals of means", crossed, draws, at_least=0.93, at_most=0.97)
    assert panel < 0.85


@pytest.mark.verification
@pytest.mark.parametrize(("items", "reviewers", "overlap"), [(30, 5, 3), (40, 10, 2), (60, 8, 1)])
def test_crossed_interval_covers_when_each_item_has_a_few_of_the_reviewers(
    items: int, reviewers: int, overlap: int
) -> None:
    draws = simulated(5000)
    crossed, _ = coverage(items, reviewers, overlap=overlap, draws=draws)
    assert report_share("means of overlapping reviewers", crossed, draws, at_least=0.93, at_most=0.98)


@pytest.mark.parametrize(
    ("table", "note"),
    [
        ([[4], [2]], "no interval: one reviewer"),
        ([[4, 2]], "no interval: one item"),
        ([[3, 3], [3, 3]], "no interval: no variation"),
    ],
)
def test_a_mean_without_an_interval_says_why(table: list[list[float]], note: str) -> None:
    score = candidate_score(Ratings.from_table(table), population=REVIEWERS)
    assert (score.value, score.low, score.note) == (3.0, None, note)


def test_no_scores_and_only_not_applicable_differ() -> None:
    assert candidate_score(Ratings.from_table([]), population=REVIEWERS).reason == "no scores"
    assert (
        candidate_score(Ratings.from_columns(["a"], ["r"], [None]), population=REVIEWERS).reason
        == "every answer is N/A"
    )


def test_interval_is_cut_at_the_ends_of_the_scale() -> None:
    score = candidate_score(Ratings.from_table([[5, 4], [5, 5], [5, 5]]), population=REVIEWERS, bounds=(1, 5))
    assert score.high == 5


@pytest.mark.parametrize("level", [0, 1, 95])
def test_a_level_that_is_no_share_is_refused(level: float) -> None:
    with pytest.raises(ValueError, match=r"0\.95"):
        candidate_score(Ratings.from_table([[1, 2], [3, 4]]), population=REVIEWERS, level=level)


@settings(max_examples=60)
@given(tables, st.randoms(use_true_random=False))
def test_order_of_items_and_reviewers_changes_nothing(table: list[list[int | None]], random: object) -> None:
    items, reviewers = list(range(len(table))), [0, 1, 2]
    random.shuffle(items)
    random.shuffle(reviewers)
    shuffled = [[table[i][r] for r in reviewers] for i in items]
    first, second = (
        candidate_score(Ratings.from_table(each), population=REVIEWERS) for each in (table, shuffled)
    )
    assert second.value == (None if first.value is None else pytest.approx(first.value))
    # Of a handful of scores the most likely variances are not one point.
    if first.low is None or sum(cell is not None for row in table for cell in row) > 9:
        assert second.low == (None if first.low is None else pytest.approx(first.low, rel=1e-3))
    assert (second.n, second.reason, second.note) == (first.n, first.reason, first.note)


def test_share_of_low_scores_averages_items() -> None:
    share = share_of_low_scores(
        population=REVIEWERS, ratings=Ratings.from_table([[1, 2], [2, 5], [4, 5], [3, 3]])
    )
    assert share.value == pytest.approx((1 + 0.5) / 4)
    assert share.low is not None
    assert share.high is not None
    assert 0 <= share.low < share.value < share.high <= 1


def test_no_low_score_among_sixty_items_still_allows_some() -> None:
    share = share_of_low_scores(population=REVIEWERS, ratings=Ratings.from_table([[4, 5, 4]] * 60))
    assert (share.value, share.low) == (0.0, 0.0)
    assert share.high == pytest.approx(0.0602, abs=1e-4)


def test_low_scores_of_one_harsh_reviewer_count_as_few_cases() -> None:
    harsh = share_of_low_scores(
        population=REVIEWERS, ratings=Ratings.from_table([[1, 4, 4]] * 39 + [[4, 4, 4]])
    )
    spread = share_of_low_scores(
        population=REVIEWERS,
        ratings=Ratings.from_table(
            [[1 if item % 3 == reviewer else 4 for reviewer in range(3)] for item in range(40)]
        ),
    )
    assert harsh.half_width > 1.5 * spread.half_width


def test_distribution_names_every_level_and_refuses_strangers() -> None:
    ratings = Ratings.from_table([[1, 5], [5, 3]])
    assert distribution(ratings, levels=[1, 2, 3, 4, 5]) == {1: 1, 2: 0, 3: 1, 4: 0, 5: 2}
    with pytest.raises(ValueError, match="5 is not among"):
        distribution(ratings, levels=[1, 2, 3, 4])


def test_reviewer_offsets_use_shared_items_only() -> None:
    ratings = Ratings.from_columns(
        ["a", "a", "b", "b", "c", "d"],
        ["strict", "mild", "strict", "mild", "strict", "alone"],
        [2, 4, 3, 4, 1, 5],
    )
    offsets = reviewer_offsets(ratings)
    assert (offsets["strict"].value, offsets["strict"].n) == (-1.5, 2)
    assert (offsets["mild"].value, offsets["mild"].n) == (1.5, 2)
    assert offsets["alone"].reason == "shares no item with another reviewer"


def test_disconnected_designs_are_found_and_said() -> None:
    ratings = Ratings.from_columns(["a", "a", "b", "b"], ["r", "s", "t", "u"], [1, 2, 3, 5])
    assert connected_groups(ratings) == [{"r", "s"}, {"t", "u"}]
    assert "within a group only" in reviewer_offsets(ratings)["r"].note


def test_total_is_the_weighted_mean_of_the_criteria_that_have_a_score() -> None:
    weights = {"accuracy": 3, "tone": 1, "style": 0}
    total = weighted_total({"accuracy": 4, "tone": 2, "style": 1}, weights)
    assert (total.value, total.n, total.note) == (3.5, 2, "")
    partial = weighted_total({"accuracy": 4, "tone": None}, weights)
    assert (partial.value, partial.n, partial.note) == (4, 1, "1 of 2 criteria are N/A")
    assert weighted_total({"style": 4}, weights).reason == "no criterion with a weight has a score"
    with pytest.raises(ValueError, match="clarity has no weight"):
        weighted_total({"clarity": 3}, weights)
    with pytest.raises(ValueError, match="negative weight"):
        weighted_total({"tone": 3}, {"tone": -1})


def test_a_process_that_imports_the_statistics_does_not_load_scipy() -> None:
    """scipy costs a web process memory and seconds that only a worker should pay."""
    names = [path.stem for path in Path(stats.__file__).parent.glob("*.py") if path.stem != "__init__"]
    program = "".join(f"import evalapp.stats.{name}\n" for name in names)
    program += "import evalapp.metrics.batch, evalapp.metrics.rules, sys\n"
    program += (
        "print([name for name in ('scipy', 'sklearn', 'pandas', 'nltk', 'django') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_few_top_scores_bound_a_panels_mean_as_a_share_would() -> None:
    """24 of 24 scores of 5 by three reviewers: at 95% one-sided 4.53; the interval is two-sided."""
    table = [[5 if (item + each) % 3 else None for each in range(3)] for item in range(24)]
    score = candidate_score(Ratings.from_table(table), population=PANEL, bounds=(1, 5))
    assert (score.value, score.high, score.note) == (5.0, 5.0, "")
    assert score.low == pytest.approx(1 + 4 * 0.025 ** (1 / 24), abs=1e-6)
    others = candidate_score(Ratings.from_table(table), population=REVIEWERS, bounds=(1, 5))
    assert (others.low, others.note) == (None, "no interval: no variation")


def test_a_panels_mean_weighs_reviewers_alike_and_lies_in_its_interval() -> None:
    items, people = [*range(12), *range(6)], ["a"] * 12 + ["b"] * 6
    scores = [2 + item % 2 for item in range(12)] + [4 + item % 2 for item in range(6)]
    score = candidate_score(Ratings.from_columns(items, people, scores), population=PANEL, bounds=(1, 5))
    assert score.value == pytest.approx(3.5)
    assert score.low < 3.5 < score.high


def test_who_has_just_begun_is_no_part_of_a_panel_whose_others_scored_more() -> None:
    ratings = Ratings.from_table([[3, 4], [4, 5], [3, 3], [5, 4], [4, 2], [3, 4]] * 3)
    items = [each for item in range(18) for each in (item, item)]
    alone = candidate_score(ratings, population=PANEL, bounds=(1, 5))
    begun = Ratings.from_columns(
        [*items, 0, 1, 2, 3], ["a", "b"] * 18 + ["new"] * 4, [*ratings.score.tolist(), 1, 1, 1, 1]
    )
    score = candidate_score(begun, population=PANEL, bounds=(1, 5))
    assert (score.value, score.low, score.high) == (alone.value, alone.low, alone.high)
    assert score.note == "without 1 reviewer who scored fewer than 5 items"
    nobody = candidate_score(Ratings.from_table([[3, 4]] * 4), population=PANEL, bounds=(1, 5))
    assert nobody.note == "no interval: reviewers with fewer than 5 items"


def test_of_a_panel_in_which_a_reviewer_of_few_items_is_no_beginner_there_is_no_interval() -> None:
    """A third reviewer who gave a quarter of the scores is one of three: two do not say what three would."""
    items = [*range(6), *range(6), *range(4)]
    scores = [3, 4, 3, 5, 4, 3, 4, 5, 3, 4, 2, 4, 1, 1, 1, 1]
    found = candidate_score(
        Ratings.from_columns(items, ["a"] * 6 + ["b"] * 6 + ["c"] * 4, scores), population=PANEL
    )
    assert found.low is None
    assert found.note == "no interval: reviewers with fewer than 5 items"


def test_a_share_of_this_panel_is_clopper_and_pearsons_where_each_item_has_one_score() -> None:
    share = share_of_low_scores(Ratings.from_table([[1]] * 3 + [[5]] * 37), population=PANEL)
    low, high = clopper_pearson(3, 40, alpha=0.025)
    assert (share.low, share.high) == pytest.approx((low, high), abs=1e-5)


def test_a_metrics_mean_is_over_items_or_their_groups() -> None:
    values = np.random.default_rng(1).normal(0.4, 0.1, 30)
    items, metric = list(range(30)), ["metric"] * 30
    alone = mean_over_items(Ratings.from_columns(items, metric, values.tolist()))
    from scipy.stats import t

    reach = t.ppf(0.975, 29) * values.std(ddof=1) / 30**0.5
    assert (alone.value, alone.half_width) == pytest.approx((values.mean(), reach))
    groups = {item: item // 10 for item in range(30)}
    grouped = mean_over_items(Ratings.from_columns(items, metric, values.tolist(), groups=groups))
    means = values.reshape(3, 10).mean(axis=1)
    reach = t.ppf(0.975, 2) * means.std(ddof=1) / 3**0.5
    assert (grouped.value, grouped.half_width) == pytest.approx((values.mean(), reach))
