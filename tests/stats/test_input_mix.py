"""Whether inputs are still those of the baseline: what changed is past its limit, and what did not is not."""

from collections import Counter
from typing import NamedTuple

import numpy as np
import pytest

from evalapp.stats.input_mix import (
    Distance,
    Inputs,
    input_mix,
    length_distance,
    shares_distance,
    texts_distance,
)
from proofs.simulations import report_share, simulated

WORDS = np.array([f"word{number}" for number in range(400)])
USUAL = 1 / np.arange(1, 401)
STRATA, LANGUAGES = (0.5, 0.3, 0.15, 0.05), (0.9, 0.08, 0.02)


class World(NamedTuple):
    """``lumps``: weeks differ, in their shares, lengths and words, by more than chance."""

    outputs: int = 60
    weeks: int = 8
    lumps: bool = False


def drawn(
    generator: np.random.Generator,
    world: World,
    *,
    strata: tuple[float, ...] = STRATA,
    longer: float = 0.0,
    new_words: float = 0.0,
) -> Inputs:
    """A week of inputs; with ``new_words`` such a share of its texts is about something new."""
    words = USUAL / USUAL.sum()
    shares, length = np.array(strata), 4 + longer
    if world.lumps:
        shares, words = generator.dirichlet(60 * shares), generator.dirichlet(2000 * words)
        length += generator.normal(0, 0.1)
    texts = [" ".join(generator.choice(WORDS, 25, p=words)) for _ in range(world.outputs)]
    new = generator.random(world.outputs) < new_words
    texts = [f"{text} regulation filing" if is_new else text for text, is_new in zip(texts, new, strict=True)]
    return Inputs(
        strata=dict(enumerate(generator.multinomial(world.outputs, shares).tolist())),
        languages=dict(enumerate(generator.multinomial(world.outputs, LANGUAGES).tolist())),
        lengths=np.exp(generator.normal(length, 0.8, world.outputs)).tolist(),
        texts=texts,
    )


def far(world: World, *, runs: int, seed: int, **changed: object) -> dict[str, float]:
    """How often each distance is past its limit."""
    found: Counter[str] = Counter()
    for run in range(runs):
        generator = np.random.default_rng([seed, run])
        baseline = [drawn(generator, world) for _ in range(world.weeks)]
        found.update(input_mix(baseline, drawn(generator, world, **changed), seed=run).far)
    return {name: number / runs for name, number in found.items()}


@pytest.mark.parametrize("lumps", [False, True])
def test_a_week_like_the_others_stays_within_its_limits(lumps: bool) -> None:
    assert all(share <= 0.05 for share in far(World(lumps=lumps), runs=40, seed=1).values())


@pytest.mark.verification
@pytest.mark.parametrize(
    "world", [World(), World(lumps=True), World(300), World(300, lumps=True), World(60, 4)]
)
@pytest.mark.parametrize("seed", [2])
def test_a_week_like_the_others_is_past_a_limit_in_1_of_100_weeks_at_most(world: World, seed: int) -> None:
    runs = simulated(1000 if world.outputs == 60 else 300)
    found = far(world, runs=runs, seed=seed)
    print(f"{world}: {found}")
    # One in a hundred of 1,000 weeks is 10, give or take 3; of 300 it is 3, give or take 2.
    most = 0.019 if world.outputs == 60 else 0.03
    assert report_share("usual weeks past a limit", max(found.values(), default=0), runs, at_most=most)


def test_each_distance_sees_its_own_change() -> None:
    world = World(200)
    changes: dict[str, dict[str, object]] = {
        "strata": {"strata": (0.3, 0.3, 0.15, 0.25)},
        "length": {"longer": 0.5},
        "texts": {"new_words": 0.4},
    }
    for name, changed in changes.items():
        found = far(world, runs=5, seed=3, **changed)
        assert found == {name: 1.0}, name


def test_new_words_are_named() -> None:
    generator = np.random.default_rng(4)
    baseline = [drawn(generator, World()).texts for _ in range(6)]
    found = texts_distance(baseline, drawn(generator, World(), new_words=0.5).texts)
    assert found.is_far
    assert set(found.words[:2]) == {"regulation", "filing"}


def test_total_variation_is_the_part_that_would_have_to_change() -> None:
    found = shares_distance([{"a": 70, "b": 30}] * 4, {"a": 50, "b": 50})
    assert found.value == pytest.approx(0.2)
    assert found.limit is not None and 0.1 < found.limit < 0.2 and found.is_far
    # A kind that was never there before.
    assert shares_distance([{"a": 100}] * 4, {"a": 90, "new": 10}).is_far


def test_weeks_that_differ_anyway_make_a_wider_limit() -> None:
    even = [{"a": 70, "b": 30}] * 6
    uneven = [{"a": 50, "b": 50}, {"a": 90, "b": 10}] * 3
    limits = [shares_distance(each, {"a": 55, "b": 45}).limit for each in (even, uneven)]
    assert limits[1] > 2 * limits[0]


def test_a_length_that_is_halved_is_minus_a_half() -> None:
    weeks = [[100.0, 200.0, 400.0, 150.0, 300.0] * 4] * 5
    found = length_distance(weeks, [50.0, 100.0, 200.0, 75.0, 150.0] * 4)
    assert found.value == pytest.approx(-0.5, abs=0.01)
    assert found.is_far


@pytest.mark.parametrize(
    "found",
    [
        shares_distance([], {"a": 100}),
        shares_distance([{"a": 100}], {"a": 3}),
        length_distance([[1.0, 2.0]] * 2, [1.0] * 20),
        texts_distance([["a b"] * 20], ["a b"] * 3),
        texts_distance([[""] * 20], ["!"] * 20),
    ],
)
def test_too_little_says_nothing(found: Distance) -> None:
    assert found.value is None and found.limit is None and found.reason
    assert not found.is_far


def test_what_has_one_kind_has_no_distance() -> None:
    assert shares_distance([{"a": 50}] * 4, {"a": 50}) == Distance(value=0.0, limit=0.0, n=50)
    with pytest.raises(ValueError, match="0 or more"):
        length_distance([[1.0, 2.0]] * 4, [-1.0] * 20)


def test_texts_of_any_script_are_compared() -> None:
    weeks = [["รายงาน ประจำ ปี", "ข้อ ความ ใหม่", "年度 报告 摘要", "отчёт за год"] * 5] * 4
    found = texts_distance(weeks, ["новый закон о данных", "закон и данные"] * 10)
    assert found.is_far


def test_of_a_script_without_spaces_letters_are_compared() -> None:
    generator = np.random.default_rng(2)
    usual, new = ("年度报告摘要合同付款客户", "新规定数据保护法律监管")

    def week(letters: str) -> list[str]:
        return ["".join(generator.choice(list(letters), 14)) for _ in range(40)]

    weeks = [week(usual) for _ in range(5)]
    assert not texts_distance(weeks, week(usual)).is_far
    assert texts_distance(weeks, week(usual[:6] + new)).is_far


def test_weeks_that_happen_to_be_alike_do_not_make_a_limit_of_nothing() -> None:
    generator = np.random.default_rng(8)
    first, second = (drawn(generator, World()).texts for _ in range(2))
    found = texts_distance([first] * 4, second)
    assert found.limit is not None and found.limit > 0


def test_texts_that_are_all_alike_are_no_change() -> None:
    weeks = [
        [f"May I move {number}% into bonds?" for number in range(week, week + 20)]
        for week in (1, 40, 80, 120)
    ]
    found = texts_distance(weeks[:3], weeks[3])
    assert found.value == pytest.approx(0, abs=1e-9) and not found.is_far
