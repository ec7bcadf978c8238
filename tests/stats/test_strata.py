"""Simpson's paradox: known examples, and silence on noise."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest

from evalapp.stats import strata as of_strata
from evalapp.stats.ratings import Ratings
from evalapp.stats.strata import StratifiedDifference, paradoxes, sides_of


def stratify(
    one: Ratings, other: Ratings, strata: dict[Any, str], **options: int
) -> StratifiedDifference | None:
    return of_strata.stratify(sides_of(one, other), strata, **options)


# Graduate admissions at Berkeley in 1973 (Bickel, Hammel and O'Connell 1975): applicants and share admitted.
MEN = {
    "A": (825, 0.62),
    "B": (560, 0.63),
    "C": (325, 0.37),
    "D": (417, 0.33),
    "E": (191, 0.28),
    "F": (373, 0.06),
}
WOMEN = {
    "A": (108, 0.82),
    "B": (25, 0.68),
    "C": (593, 0.34),
    "D": (375, 0.35),
    "E": (393, 0.24),
    "F": (341, 0.07),
}
# Kidney stones (Charig and others 1986): cured of treated.
OPEN_SURGERY = {"small": (87, 81 / 87), "large": (263, 192 / 263)}
PUNCTURE = {"small": (270, 234 / 270), "large": (80, 55 / 80)}


def cases(side: str, table: dict[str, tuple[int, float]]) -> tuple[Ratings, dict[str, str]]:
    """A case an item, with 1 or 0 by two reviewers who agree."""
    items, scores, strata = [], [], {}
    for stratum, (count, share) in table.items():
        for number in range(count):
            item = f"{side}-{stratum}-{number}"
            strata[item] = stratum
            items += [item, item]
            scores += [float(number < round(count * share))] * 2
    return Ratings.from_columns(items, ["one", "two"] * (len(items) // 2), scores), strata


def stratified(
    first: dict[str, tuple[int, float]], second: dict[str, tuple[int, float]]
) -> StratifiedDifference:
    (one, strata), (other, more) = cases("first", first), cases("second", second)
    found = stratify(one, other, {**strata, **more})
    assert found is not None
    return found


def test_berkeley_is_told_with_its_numbers() -> None:
    found = stratified(WOMEN, MEN)
    assert found.overall == pytest.approx(0.3035 - 0.4452, abs=0.001)
    by_name = {each.name: each for each in found.strata}
    assert by_name["A"].difference == pytest.approx(0.2, abs=0.01)
    assert [each.name for each in found.opposite] == ["A", "B", "D", "F"]
    # The two shares of department A: z = 4.1 by hand.
    assert by_name["A"].p.value == pytest.approx(1.6e-6, rel=2)

    told = paradoxes({"admitted": found})["admitted"]

    assert told.kind == "subgroup"
    assert [each.name for each in told.telling] == ["A"]
    assert told.adjusted_p is not None and told.adjusted_p < 0.001


def test_kidney_stones_reverse_in_every_stratum_though_none_is_significant() -> None:
    found = stratified(OPEN_SURGERY, PUNCTURE)
    assert found.overall == pytest.approx(273 / 350 - 289 / 350)
    assert [round(each.difference, 3) for each in found.strata] == [0.043, 0.064]
    assert found.mix_p < 1e-9

    told = paradoxes({"cured": found})["cured"]

    assert (told.kind, told.adjusted_p) == ("all", None)
    assert {each.name for each in told.telling} == {"large", "small"}


def table_of(rows: Iterable[Iterable[float]]) -> Ratings:
    return Ratings.from_table([list(row) for row in rows])


def test_a_stratum_that_prefers_the_other_is_told_in_a_paired_design() -> None:
    generator = np.random.default_rng(3)
    strata = {item: "retail" if item < 40 else "institutional" for item in range(60)}
    base = generator.integers(2, 4, size=(60, 3)).astype(float)
    effect = np.where(np.arange(60) < 40, 1.0, -1.0)[:, None]
    challenger = base + effect * generator.integers(0, 2, size=(60, 3))
    found = stratify(table_of(challenger), table_of(base), strata)
    assert found is not None
    assert found.mix_p == 1.0
    assert found.overall > 0

    told = paradoxes({"tone": found})["tone"]

    assert (told.kind, [each.name for each in told.telling]) == ("subgroup", ["institutional"])
    assert told.telling[0].items == 20


def test_strata_with_few_items_take_no_part() -> None:
    scores = Ratings.from_table([[3, 4]] * 25)
    strata = {item: "large" if item < 20 else "small" for item in range(25)}
    assert stratify(scores, scores, strata) is None
    found = stratify(scores, scores, strata, least_items=5)
    assert found is not None and found.left_out == ()
    assert paradoxes({"equal": found}) == {}
    strata |= {24: "tiny"}
    assert stratify(scores, scores, strata, least_items=4).left_out == ("tiny",)  # type: ignore[union-attr]


def test_one_reviewer_is_a_panel_too() -> None:
    scores = table_of([[score] for score in [5.0, 1.0] * 20])
    other = table_of([[score] for score in [4.0, 1.0] * 20])
    found = stratify(scores, other, {item: str(item % 2) for item in range(40)})
    assert found is not None
    assert found.p.n == 40 and found.p.value is not None
    assert paradoxes({"x": found}) == {}


def test_a_difference_without_any_variation_is_as_sure_as_coins_that_all_fall_one_way() -> None:
    strata = {item: "a" if item < 20 else "b" for item in range(30)}
    challenger = table_of([[4, 4]] * 20 + [[2, 2]] * 10)
    reference = table_of([[3, 3]] * 30)
    found = stratify(challenger, reference, strata)
    assert found is not None
    assert {each.name: each.p.value for each in found.strata} == {"a": 2.0**-19, "b": 2.0**-9}
    told = paradoxes({"tone": found})["tone"]
    assert [each.name for each in told.telling] == ["b"]


def test_nothing_to_compare() -> None:
    empty = Ratings.from_table([])
    assert stratify(empty, empty, {}) is None
    assert paradoxes({}) == {}


def test_a_whole_comparison_page_of_noise_cries_at_most_as_often_as_its_level() -> None:
    """Four candidates without a difference, five criteria, a field of four strata: 30 comparisons a page."""
    cried = 0
    pages = 120
    for seed in range(pages):
        generator = np.random.default_rng(seed)
        hardness = generator.normal(0, 0.5, 60)[:, None]
        severity = generator.normal(0, 0.35, 3)[None, :]
        strata = {item: f"s{place}" for item, place in enumerate(generator.integers(0, 4, 60).tolist())}
        family = {}
        for criterion in range(5):
            scores = [
                table_of(
                    np.clip(np.round(3.5 + hardness + severity + generator.normal(0, 0.6, (60, 3))), 1, 5)
                )
                for _ in range(4)
            ]
            for one in range(4):
                for other in range(one):
                    found = stratify(scores[one], scores[other], strata)
                    if found is not None:
                        family[criterion, one, other] = found
        cried += bool(paradoxes(family))
    # 5% of 120 pages are 6; 11 or more would come by chance less than once in forty times.
    assert cried <= 10


def test_unequal_mixes_and_reviewers_likings_do_not_cry() -> None:
    """Candidates that miss four items of ten at random, kinds of unequal difficulty, and reviewers who each
    like some candidate more: none of that turns a difference round.
    """
    cried = 0
    pages = 40
    for seed in range(pages):
        generator = np.random.default_rng(seed)
        places = generator.integers(0, 3, 60)
        level = 3.5 + np.array([0.8, 0.0, -0.8])[places][:, None] + generator.normal(0, 0.5, (60, 1))
        strata = {item: f"s{place}" for item, place in enumerate(places.tolist())}
        sides = []
        for _ in range(3):
            liking = generator.normal(0, 0.3, (1, 3))
            scores = np.clip(np.round(level + liking + generator.normal(0, 0.6, (60, 3))), 1, 5).astype(
                object
            )
            scores[generator.random(60) < 0.4] = None
            sides.append(Ratings.from_table(scores.tolist()))
        found = {
            (one, other): stratify(sides[one], sides[other], strata)
            for one in range(3)
            for other in range(one)
        }
        cried += bool(paradoxes({key: each for key, each in found.items() if each is not None}))
    # 5% of 40 pages are 2.
    assert cried <= 4
