"""Bang's blinding index: the published arithmetic, and intervals that few reviewers keep wide."""

import numpy as np
import pytest

from evalapp.stats.blinding import Guess, blinding_index


def guesses(reviewer: int, tuned: list[bool | None], other: list[bool | None]) -> list[Guess]:
    return [Guess(reviewer, True, said) for said in tuned] + [Guess(reviewer, False, said) for said in other]


def test_it_is_bangs_formula_in_each_arm() -> None:
    # Bang: (2 · right / (right + wrong) - 1) · (right + wrong) / all. Tuned: 6 right, 2 wrong, 2 do not know.
    found = blinding_index(
        guesses(1, [True] * 6 + [False] * 2 + [None] * 2, [False] * 3 + [True] * 5 + [None] * 2)
    )
    assert found.tuned.value == pytest.approx((2 * 6 / 8 - 1) * 8 / 10)
    assert found.other.value == pytest.approx((2 * 3 / 8 - 1) * 8 / 10)
    assert found.overall.value == pytest.approx((0.4 - 0.2) / 2)
    assert (found.tuned.n, found.overall.n) == (10, 20)
    assert "one reviewer" in found.overall.note


def test_taking_everything_for_tuned_is_not_telling_apart() -> None:
    found = blinding_index([each for r in range(4) for each in guesses(r, [True] * 3, [True] * 3)])
    assert (found.tuned.value, found.other.value, found.overall.value) == (1, -1, 0)
    assert found.overall.low is not None and found.overall.low < 0


def test_all_right_is_one_and_few_answers_keep_the_interval_wide() -> None:
    few = blinding_index([each for r in range(2) for each in guesses(r, [True] * 3, [False] * 3)]).overall
    many = blinding_index([each for r in range(20) for each in guesses(r, [True] * 3, [False] * 3)]).overall
    assert few.value == many.value == many.high == 1
    assert few.low is not None and many.low is not None and 0 < few.low < 0.75 < many.low < 1


def test_nothing_to_go_by_is_undefined() -> None:
    assert blinding_index([]).overall.reason
    assert not blinding_index(guesses(1, [True], [])).overall.defined


def test_the_interval_holds_zero_for_reviewers_who_guess() -> None:
    generator = np.random.default_rng(11)
    held = 0
    for _ in range(400):
        # Each leans their own way, which the mean of the arms must not take for knowledge.
        given = []
        for reviewer in range(4):
            lean = generator.uniform(0.1, 0.9)
            said = (generator.random(6) < lean).tolist()
            given += guesses(reviewer, said[:3], said[3:])
        overall = blinding_index(given).overall
        assert overall.low is not None and overall.high is not None
        held += overall.low <= 0 <= overall.high
    assert held / 400 >= 0.95


def test_texts_drawn_whatever_their_kind_do_not_pass_guessing_off_as_knowledge() -> None:
    generator = np.random.default_rng(12)
    for share in (1 / 6, 0.8):
        told = 0
        for _ in range(300):
            given = []
            for reviewer in range(8):
                # Each has a leaning, and as many tuned texts among six as the draw gives.
                lean = generator.choice([0.0, 0.4, 1.0])
                given += [
                    Guess(reviewer, bool(tuned), bool(said))
                    for tuned, said in zip(
                        generator.random(6) < share, generator.random(6) < lean, strict=True
                    )
                ]
            low = blinding_index(given).overall.low
            told += low is not None and low > 0
        assert told / 300 <= 0.04, share


def test_who_answered_about_one_kind_only_counts_in_the_interval() -> None:
    both = [each for r in range(3) for each in guesses(r, [True, False, None], [False, True, None])]
    alone = guesses(3, [True] * 6, []) + guesses(4, [], [True] * 6)
    found = blinding_index(both + alone).overall
    without = blinding_index(both).overall
    assert found.value == 0 == without.value
    assert found.high is not None and without.high is not None and found.high > 0.5
