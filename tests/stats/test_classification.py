"""F1 of labels is scikit-learn's, and its interval resamples items."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, confusion_matrix, precision_recall_fscore_support

from evalapp.stats.classification import classify

NONE = "(none)"
LABELS = ["good", "bad", "mixed"]
pairs = st.lists(
    st.tuples(st.sampled_from(LABELS), st.sampled_from([*LABELS, None])), min_size=1, max_size=40
)


def by_reference(
    truth: list[str], said: list[str | None], average: str | None, labels: list[str]
) -> tuple[object, ...]:
    found = precision_recall_fscore_support(
        truth, [each or NONE for each in said], labels=labels, average=average, zero_division=0
    )
    return tuple(found)


@settings(max_examples=60)
@given(pairs)
def test_every_figure_is_scikit_learns(given_pairs: list[tuple[str, str | None]]) -> None:
    truth, said = [pair[0] for pair in given_pairs], [pair[1] for pair in given_pairs]
    found = classify(range(len(truth)), truth, said, labels=LABELS, replicates=20)
    names = [label or NONE for label in found.labels]
    for kind, measure in (("weighted", found.weighted), ("micro", found.micro)):
        assert measure.value == pytest.approx(by_reference(truth, said, kind, names)[2], abs=1e-12)
    macro = by_reference(truth, said, "macro", sorted(set(truth)))[2]
    assert found.macro.value == pytest.approx(macro, abs=1e-12)
    assert found.micro.value == pytest.approx(
        accuracy_score(truth, [each or NONE for each in said]), abs=1e-12
    )
    precision, recall, f1, support = by_reference(truth, said, None, [each.label for each in found.classes])
    assert [each.precision for each in found.classes] == pytest.approx(list(precision), abs=1e-12)
    assert [each.recall for each in found.classes] == pytest.approx(list(recall), abs=1e-12)
    assert [each.f1 for each in found.classes] == pytest.approx(list(f1), abs=1e-12)
    assert [each.support for each in found.classes] == list(support)
    expected = confusion_matrix(truth, [each or NONE for each in said], labels=names)
    assert found.matrix == expected.tolist()


def test_an_unparsed_output_is_a_miss_of_its_true_label_and_no_label_of_its_own() -> None:
    found = classify([1, 2], ["good", "bad"], ["good", None], labels=LABELS)
    assert found.labels == ["good", "bad", None]
    assert found.matrix == [[1, 0, 0], [0, 0, 1], [0, 0, 0]]
    # good 1, bad 0.
    assert found.macro.value == pytest.approx(1 / 2)
    assert [each.label for each in found.classes] == ["good", "bad"]
    one_of_80 = classify(
        range(80), ["good", "bad"] * 40, ["good", "bad"] * 39 + ["good", None], labels=LABELS
    )
    assert one_of_80.macro.value == pytest.approx(0.9937, abs=1e-4)
    assert found.micro.value == 0.5


def test_the_interval_holds_the_truth_and_items_are_drawn_whole() -> None:
    generator = random.Random(5)
    truth = [generator.choice(LABELS) for _ in range(60)]
    said = [each if generator.random() < 0.8 else generator.choice(LABELS) for each in truth]
    single = classify(range(60), truth, said, seed=1)
    assert single.macro.low is not None and single.macro.high is not None
    assert single.macro.low < (single.macro.value or 0) < single.macro.high
    # The same outputs four times over are no more evidence.
    fourfold = classify(
        [item for item in range(60) for _ in range(4)],
        [t for t in truth for _ in range(4)],
        [s for s in said for _ in range(4)],
        seed=1,
    )
    assert (fourfold.macro.low, fourfold.macro.high) == pytest.approx((single.macro.low, single.macro.high))
    assert fourfold.macro.n == 240


def test_what_cannot_be_told_says_why() -> None:
    none = classify([], [], [])
    assert (none.macro.reason, none.labels) == ("no output of an example with a label", [])
    one = classify([1], ["good"], ["good"])
    assert (one.macro.value, one.macro.note) == (1.0, "no interval: one item")
    perfect = classify([1, 2], ["good", "bad"], ["good", "bad"])
    assert perfect.macro.note == "no interval: every resample gives the same value"
