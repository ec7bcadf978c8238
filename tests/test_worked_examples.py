"""What the worked examples make is what their document says; the whole examples, with their trainings, are in
`tests/verification`.
"""

import random
from importlib import import_module
from types import ModuleType

import pytest

from evalapp.env import REPOSITORY


@pytest.fixture
def example(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(REPOSITORY / "docs/examples"))
    return import_module(request.param)


@pytest.mark.parametrize("example", ["insurance_questions"], indirect=True)
def test_batches_of_vetted_questions_leave_the_test_questions_out(example: ModuleType) -> None:
    trained = [row for batch in example.BATCHES for row in example.rows_of(batch, is_test=False)]
    tests = [row for batch in example.BATCHES for row in example.rows_of(batch, is_test=True)]
    assert (len(trained), len(tests), len({row["group"] for row in tests})) == (108, 72, 36)
    asked = {row["messages"][-1]["content"] for row in trained}
    assert asked.isdisjoint(row["messages"][-1]["content"] for row in tests)
    rules = example.rules_in_words()
    assert all(row["group"] in rules for row in trained)


@pytest.mark.parametrize("example", ["discharge_summaries"], indirect=True)
def test_a_summary_is_marked_by_the_facts_of_its_stay(example: ModuleType) -> None:
    chance = random.Random(1)
    for _ in range(50):
        facts = example.stay(chance)
        assert example.told(facts, example.COMPLETE.format(**facts)) == (7, 0)
        assert example.told(facts, example.SHORT.format(**facts)) == (6, 0)
        right, wrong = example.told(facts, example.written(chance, facts))
        assert (right, wrong) in {(5, 0), (4, 1)}
        other = {**facts, "dose": facts["dose"] + 50}
        assert example.told(facts, example.COMPLETE.format(**other)) == (6, 1)


@pytest.mark.parametrize("example", ["support_sentiment"], indirect=True)
def test_faults_are_planted_in_training_rows_alone(example: ModuleType) -> None:
    rows = example.rows_with_faults(3, 150, 36)
    tests = [row for row in rows if row["split"] == "test"]
    assert (len(rows) - len(tests), len(tests)) == (163, 36)
    assert all(row["references"] == [row["label"]] for row in tests)
    assert any(row["references"] == [example.REFUSAL] for row in rows)
