"""The many-facet ordinal model: planted effects come back, and what cannot be compared says so."""

import json
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from evalapp.stats.facets import FacetRatings, linked_groups
from evalapp.stats.ordinal_model import OrdinalModel
from evalapp.stats.severity import SeverityModel, severity_model
from proofs.simulations import report_share, simulated

Row = tuple[str, str, str, str, float | None]

SCALE = (1.0, 5.0)
SQUALITY = os.environ.get("EVALAPP_SQUALITY_FILE", "")
ITEM_SD, OUTPUT_SD, SEVERITY_SD, NOISE_SD = 0.5, 0.4, 0.35, 0.6


def facets(rows: Sequence[Row]) -> FacetRatings:
    return FacetRatings.from_columns(*[list(column) for column in zip(*rows, strict=True)])


def fitted(rows: Sequence[Row]) -> SeverityModel:
    return severity_model(facets(rows), scales={"tone": SCALE, "clarity": SCALE, "safe": (0, 1)})


def scored(
    generator: np.random.Generator,
    pairs: Sequence[tuple[int, str, int]],
    *,
    quality: dict[str, float],
    severity: Sequence[float],
    criteria: Sequence[str] = ("tone",),
) -> list[Row]:
    """Rounded scores of (item, candidate, reviewer) from a linear world, which is not the model's own."""
    item = generator.normal(0, ITEM_SD, 1 + max(item for item, _, _ in pairs))
    output: dict[tuple[int, str], float] = {}
    rows: list[Row] = []
    for i, candidate, r in pairs:
        effect = output.setdefault((i, candidate), float(generator.normal(0, OUTPUT_SD)))
        for criterion in criteria:
            value = quality[candidate] + item[i] + effect - severity[r] + generator.normal(0, NOISE_SD)
            score = float(np.clip(np.round(value), 1, 5))
            rows.append((f"item {i}", candidate, f"reviewer {r}", criterion, score))
    return rows


def crossed(items: int, candidates: Sequence[str], reviewers: int) -> Iterator[tuple[int, str, int]]:
    return ((i, c, r) for i in range(items) for c in candidates for r in range(reviewers))


def drawn(
    generator: np.random.Generator, items: int, candidates: Sequence[str], reviewers: int, overlap: int
) -> list[tuple[int, str, int]]:
    return [
        (i, c, int(r))
        for i in range(items)
        for c in candidates
        for r in generator.choice(reviewers, overlap, replace=False)
    ]


def test_a_full_table_gives_the_raw_means() -> None:
    generator = np.random.default_rng(1)
    rows = scored(
        generator, list(crossed(20, "ab", 4)), quality={"a": 3.2, "b": 3.9}, severity=[-0.4, 0, 0.1, 0.5],
        criteria=("tone", "clarity"),
    )  # fmt: skip
    found = fitted(rows)
    assert found.converged
    for candidate in "ab":
        for criterion in ("tone", "clarity"):
            own = [score for _, c, _, q, score in rows if (c, q) == (candidate, criterion)]
            adjusted = found.scores[candidate, criterion]
            assert adjusted.score.value == pytest.approx(np.mean(own), abs=1e-5)
            assert adjusted.raw == pytest.approx(np.mean(own))
            assert adjusted.score.low < adjusted.score.value < adjusted.score.high
        total = found.totals[candidate]
        assert total.score.value == pytest.approx(total.raw, abs=1e-5)


def test_gradient_and_hessian_are_the_derivatives_of_the_objective() -> None:
    generator = np.random.default_rng(2)
    pairs = drawn(generator, 6, "ab", 4, 2)
    rows = scored(
        generator, pairs, quality={"a": 3, "b": 4}, severity=[0, 0, 0.5, 1], criteria=("tone", "safe")
    )
    rows = [(i, c, r, q, float(score > 3) if q == "safe" else score) for i, c, r, q, score in rows]
    ratings = facets(rows)
    model = OrdinalModel(ratings, [SCALE if q == "tone" else (0.0, 1.0) for q in ratings.criteria])
    effects = generator.normal(0, 0.3, model.size)
    precision = generator.uniform(0.5, 2, model.size)
    gradient, hessian = model.slope(effects, precision)
    step = 1e-5
    for place in range(model.size):
        shift = np.zeros(model.size)
        shift[place] = step
        ahead, behind = effects + shift, effects - shift
        slope = (model.objective(ahead, precision) - model.objective(behind, precision)) / (2 * step)
        assert gradient[place] == pytest.approx(slope, abs=1e-6)
        curve = (model.slope(ahead, precision)[0] - model.slope(behind, precision)[0]) / (2 * step)
        assert hessian.toarray()[place] == pytest.approx(curve, abs=1e-6)


def test_chances_are_those_of_the_partial_credit_model() -> None:
    """Masters (1982): the odds of a level over the one below are exp(η - step)."""
    rows: list[Row] = [(str(i), "a", str(r), "tone", 1.0 + (i + r) % 3) for i in range(6) for r in range(3)]
    ratings = facets(rows)
    model = OrdinalModel(ratings, [(1.0, 3.0)])
    effects = np.random.default_rng(3).normal(0, 0.5, model.size)
    chance = model.probabilities(effects)
    eta = model.design @ effects[: model.step_offset]
    kappa = model.step_values(effects)[0]
    # A scale of three levels has steps of two of the model's units each.
    for level in (1, 2):
        odds = np.log(chance[:, level] / chance[:, level - 1])
        assert odds == pytest.approx(2 * eta + kappa[level] - kappa[level - 1])


def wide(rows: Sequence[Row]) -> list[Row]:
    """The same on 0–100, where people heap on tens."""
    return [(i, c, r, q, 25 * (score - 1) + (10.0 if score < 3 else 0.0)) for i, c, r, q, score in rows]


def test_a_scale_of_a_hundred_levels_has_few_steps_and_still_gives_the_raw_means() -> None:
    generator = np.random.default_rng(15)
    pairs = list(crossed(30, "ab", 4))
    rows = scored(generator, pairs, quality={"a": 2.6, "b": 3.4}, severity=[-0.4, 0, 0.1, 0.5])
    spread = [
        (i, c, r, q, float(np.clip(score + generator.integers(-9, 10), 0, 100)))
        for i, c, r, q, score in wide(rows)
    ]
    ratings = facets(spread)
    assert OrdinalModel(ratings, [(0, 100)]).levels.steps == 9
    found = severity_model(ratings, scales={"tone": (0, 100)})
    for candidate in "ab":
        adjusted = found.scores[candidate, "tone"]
        assert adjusted.score.value == pytest.approx(adjusted.raw, abs=1e-3)
        assert 0 <= adjusted.score.low < adjusted.score.high <= 100
    severe = found.severities["reviewer 3"]
    # Points overall are on 1–5, those of the criterion on its own scale.
    assert severe.by_criterion["tone"].value == pytest.approx(25 * severe.points.value)


@pytest.mark.skipif(not Path(SQUALITY).is_file(), reason="EVALAPP_SQUALITY_FILE names no file")
def test_real_ratings_by_four_people_three_an_output() -> None:
    rows: list[Row] = [
        (record["id"], review["system"], str(review["reviewer"]), criterion, float(review[criterion]))
        for record in map(json.loads, Path(SQUALITY).read_text().splitlines())
        for review in record["reviews"]
        for criterion in ("correctness", "selection", "overall")
    ]
    ratings = facets(rows)
    found = severity_model(ratings, scales=dict.fromkeys(ratings.criteria, (0, 100)))
    assert found.converged
    assert len(found.groups.reviewers) == 1
    for criterion, raw in {"correctness": 34.84, "selection": 15.62, "overall": 18.14}.items():
        adjusted = found.scores["bart", criterion]
        assert adjusted.raw == pytest.approx(raw, abs=0.005)
        # Who scored what was drawn evenly, so there is little to adjust.
        assert adjusted.score.value == pytest.approx(raw, abs=0.5)
    on_correctness = [each.by_criterion["correctness"].value for each in found.severities.values()]
    assert max(on_correctness) - min(on_correctness) > 20


def test_planted_severities_come_back() -> None:
    generator = np.random.default_rng(4)
    severity = [-0.9, -0.4, 0.0, 0.3, 1.0]
    pairs = drawn(generator, 120, "abc", 5, 2)
    rows = scored(
        generator,
        pairs,
        quality={"a": 3, "b": 3.2, "c": 3.4},
        severity=severity,
        criteria=("tone", "clarity"),
    )
    found = fitted(rows)
    for code, planted in enumerate(severity):
        each = found.severities[f"reviewer {code}"]
        # Rounding and the ends of the scale take a little off the largest.
        assert each.points.value == pytest.approx(planted - np.mean(severity), abs=0.15)
        assert each.points.low < each.points.value < each.points.high
        assert 0 < each.error < 0.1
        assert set(each.by_criterion) == {"tone", "clarity"}
        assert 0.6 < each.infit < 1.4
    assert sum(each.points.value for each in found.severities.values()) == pytest.approx(0, abs=1e-9)


def test_adjustment_undoes_a_bias_of_assignment() -> None:
    """The two candidates are equally good, but the severe reviewers scored mostly the second."""
    generator = np.random.default_rng(5)
    severity = [-0.8, -0.8, 0.8, 0.8]
    pairs = []
    for i in range(150):
        lenient, severe = int(generator.integers(0, 2)), int(generator.integers(2, 4))
        for candidate, first, second in (("a", 0.8, 0.2), ("b", 0.2, 0.8)):
            pairs += [(i, candidate, lenient)] * bool(generator.random() < first)
            pairs += [(i, candidate, severe)] * bool(generator.random() < second)
    rows = scored(generator, pairs, quality={"a": 3.1, "b": 3.1}, severity=severity)
    found = fitted(rows)
    a, b = found.scores["a", "tone"], found.scores["b", "tone"]
    assert a.raw - b.raw > 0.6
    assert abs(a.score.value - b.score.value) < 0.2
    assert a.score.value == pytest.approx(3.1, abs=0.25)


def test_order_of_rows_changes_nothing() -> None:
    generator = np.random.default_rng(6)
    pairs = drawn(generator, 20, "ab", 4, 2)
    rows = scored(generator, pairs, quality={"a": 3, "b": 3.5}, severity=[-0.5, 0, 0, 0.5])
    shuffled = [rows[place] for place in generator.permutation(len(rows))]
    one, other = fitted(rows), fitted(shuffled)
    for key, adjusted in one.scores.items():
        assert other.scores[key].score.value == pytest.approx(adjusted.score.value, abs=1e-3)
        assert other.scores[key].error == pytest.approx(adjusted.error, rel=0.01)
    for label, severity in one.severities.items():
        assert other.severities[label].points.value == pytest.approx(severity.points.value, abs=1e-3)


def test_reviewers_without_a_common_item_are_named() -> None:
    generator = np.random.default_rng(7)
    pairs = [(i, c, r) for i in range(20) for c in "ab" for r in ((0, 1, 2) if i < 10 else (3, 4))]
    found = fitted(scored(generator, pairs, quality={"a": 3, "b": 3.5}, severity=[0] * 5))
    assert [set(group) for group in found.groups.reviewers] == [
        {"reviewer 0", "reviewer 1", "reviewer 2"},
        {"reviewer 3", "reviewer 4"},
    ]
    reason = "the reviewers fall into 2 groups that no common item links (3, 2)"
    assert found.scores["a", "tone"].score.reason == reason
    assert found.scores["a", "tone"].raw is not None
    assert found.severities["reviewer 0"].points.reason == reason


def test_a_candidate_on_items_of_its_own_is_not_compared() -> None:
    generator = np.random.default_rng(8)
    pairs = [(i, "a" if i < 10 else "b", r) for i in range(20) for r in range(3)]
    found = fitted(scored(generator, pairs, quality={"a": 3, "b": 3.5}, severity=[0, 0.5, -0.5]))
    assert len(found.groups.reviewers) == 1
    assert found.groups.candidates == (("a",), ("b",))
    assert "candidates fall into 2 groups" in found.scores["b", "tone"].score.reason
    assert found.severities["reviewer 1"].points.defined


def test_a_latin_square_links_reviewers_who_never_score_the_same_answer() -> None:
    pairs = [(0, "a", 0), (0, "b", 1), (1, "a", 1), (1, "b", 0), (2, "a", 0), (2, "b", 1)]
    rows = scored(np.random.default_rng(9), pairs, quality={"a": 3, "b": 3}, severity=[0, 0])
    groups = linked_groups(facets(rows))
    assert (len(groups.reviewers), len(groups.candidates)) == (1, 1)
    # Who scores nothing but one candidate cannot be told from how good it is.
    apart = [(i, c, "ab".index(c)) for i in range(4) for c in "ab"]
    rows = scored(np.random.default_rng(9), apart, quality={"a": 3, "b": 3}, severity=[0, 0])
    assert len(linked_groups(facets(rows)).reviewers) == 2


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([("i", "a", "r", "tone", 3.0), ("j", "a", "r", "tone", 4.0)], "one reviewer"),
        ([("i", "a", "r", "tone", 3.0), ("i", "a", "s", "tone", 4.0)], "one item"),
        ([(i, "a", r, "tone", 3.0) for i in "ij" for r in "rs"], "no variation"),
        ([("i", "a", "r", "tone", None)], "every answer is N/A"),
    ],
)
def test_what_cannot_be_told_says_why(rows: list[Row], reason: str) -> None:
    found = fitted(rows)
    for adjusted in (*found.scores.values(), *found.totals.values()):
        assert adjusted.score.reason == reason
    assert all(severity.points.reason == reason for severity in found.severities.values())


def test_a_reviewer_who_gave_only_top_scores_has_a_finite_severity() -> None:
    generator = np.random.default_rng(10)
    rows = scored(generator, list(crossed(15, "ab", 3)), quality={"a": 3, "b": 3.5}, severity=[0, 0, 0])
    rows = [(i, c, r, q, 5.0 if r == "reviewer 0" else score) for i, c, r, q, score in rows]
    lenient = fitted(rows).severities["reviewer 0"].points
    assert -3 < lenient.value < -0.5
    assert np.isfinite(lenient.low)


def test_a_candidate_missing_a_criterion_has_no_total() -> None:
    generator = np.random.default_rng(11)
    rows = scored(
        generator, list(crossed(12, "ab", 3)), quality={"a": 3, "b": 3.5}, severity=[0, 0.2, -0.2],
        criteria=("tone", "clarity"),
    )  # fmt: skip
    found = fitted([row for row in rows if (row[1], row[3]) != ("b", "clarity")])
    assert found.scores["b", "clarity"].score.reason == "no scores"
    assert found.scores["b", "tone"].score.defined
    assert found.totals["b"].score.reason == "not scored on every criterion"
    assert found.totals["a"].score.defined


def test_bad_input_is_refused_with_the_row_or_the_criterion() -> None:
    rows: list[Row] = [("i", "a", "r", "tone", 9.0), ("i", "a", "s", "tone", 3.0)]
    with pytest.raises(ValueError, match="a score of 9 is outside the scale of tone, 1 to 5"):
        fitted(rows)
    with pytest.raises(ValueError, match="the criterion tone has no scale"):
        severity_model(facets(rows), scales={})
    with pytest.raises(ValueError, match="tone needs a weight"):
        severity_model(facets(rows[1:]), scales={"tone": SCALE}, weights={})
    with pytest.raises(ValueError, match="row 0: the score is nan"):
        FacetRatings.from_columns(["i"], ["a"], ["r"], ["tone"], [float("nan")])
    with pytest.raises(ValueError, match="2 items, 1 scores"):
        FacetRatings.from_columns(["i", "j"], ["a"], ["r"], ["tone"], [3])


def test_progress_is_told_to_the_end() -> None:
    generator = np.random.default_rng(12)
    rows = scored(generator, list(crossed(10, "ab", 3)), quality={"a": 3, "b": 4}, severity=[0, 0.5, -0.5])
    told: list[tuple[int, int]] = []
    severity_model(
        facets(rows), scales={"tone": SCALE}, progress=lambda done, most: told.append((done, most))
    )
    assert told[0][0] == 1
    assert told[-1][0] == told[-1][1]
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def population_mean(quality: float) -> float:
    """Mean score over new items and new reviewers in the world of `scored`."""
    spread = np.sqrt(ITEM_SD**2 + OUTPUT_SD**2 + SEVERITY_SD**2 + NOISE_SD**2)
    return float(
        np.clip(np.round(quality + np.random.default_rng(0).normal(0, spread, 1_000_000)), 1, 5).mean()
    )


@pytest.mark.verification
@pytest.mark.parametrize(("items", "reviewers", "overlap"), [(30, 4, 4), (40, 6, 2), (60, 8, 3)])
def test_adjusted_scores_cover_at_their_level_with_new_items_and_reviewers(
    items: int, reviewers: int, overlap: int
) -> None:
    generator = np.random.default_rng(13)
    quality = {"a": 3.3, "b": 3.7}
    truth = {candidate: population_mean(value) for candidate, value in quality.items()}
    held, draws = 0, simulated(400)
    for _ in range(draws):
        severity = generator.normal(0, SEVERITY_SD, reviewers).tolist()
        pairs = drawn(generator, items, "ab", reviewers, overlap)
        found = fitted(scored(generator, pairs, quality=quality, severity=severity))
        for candidate, value in truth.items():
            score = found.scores[candidate, "tone"].score
            held += score.low <= value <= score.high
    share = held / (2 * draws)
    assert report_share("adjusted scores", share, draws, at_least=0.92, at_most=0.98)


@pytest.mark.verification
@pytest.mark.parametrize("highest", [5, 100])
def test_twenty_thousand_ratings_take_at_most_twenty_seconds(highest: int) -> None:
    generator = np.random.default_rng(14)
    severity = generator.normal(0, SEVERITY_SD, 20).tolist()
    pairs = drawn(generator, 1112, "abc", 20, 2)
    rows = scored(
        generator, pairs, quality={"a": 3, "b": 3.3, "c": 3.6}, severity=severity,
        criteria=("tone", "clarity", "actionable"),
    )  # fmt: skip
    if highest == 100:
        jitter = generator.integers(-9, 10, len(rows))
        rows = [
            (*row[:4], float(np.clip(row[4] + shift, 0, 100)))
            for row, shift in zip(wide(rows), jitter.tolist(), strict=True)
        ]
    ratings = facets(rows)
    assert len(ratings) >= 20_000
    begun = time.process_time()
    found = severity_model(
        ratings, scales=dict.fromkeys(ratings.criteria, (0 if highest > 5 else 1, highest))
    )
    # The seconds of a clock are for `bench.severity`; these are of all processors together.
    assert time.process_time() - begun <= 60
    assert found.converged


def _few_reviewers(draws: int, *, items: int, reviewers: int, spread: float) -> tuple[float, float]:
    """The share of intervals that hold a reviewer's severity, and the smallest standard error of all."""
    generator = np.random.default_rng(15)
    held, least = [], np.inf
    for _ in range(draws):
        severity = generator.normal(0, spread, reviewers)
        rows = scored(
            generator, list(crossed(items, "ab", reviewers)), quality={"a": 3.0, "b": 3.3},
            severity=severity.tolist(), criteria=("tone", "clarity"),
        )  # fmt: skip
        found = fitted(rows).severities
        for number, truth in enumerate(severity - severity.mean()):
            told = found[f"reviewer {number}"]
            held.append(told.points.low <= truth <= told.points.high)
            least = min(least, told.error)
    return float(np.mean(held)), float(least)


def test_few_reviewers_who_score_alike_are_not_known_to_be_equal() -> None:
    held, least = _few_reviewers(20, items=15, reviewers=3, spread=0.15)
    assert held >= 0.85
    # Thirty scores each leave no severity known to a hundredth of a point.
    assert least > 0.03


@pytest.mark.verification
@pytest.mark.parametrize("spread", [0.0, 0.15, 0.3, 0.6])
@pytest.mark.parametrize(("items", "reviewers"), [(15, 3), (20, 5), (20, 2)])
def test_severities_of_few_reviewers_are_held_by_their_intervals(
    items: int, reviewers: int, spread: float
) -> None:
    draws = simulated(200)
    share, _ = _few_reviewers(draws, items=items, reviewers=reviewers, spread=spread)
    assert report_share("severities of few reviewers", share, draws, at_least=0.91)
