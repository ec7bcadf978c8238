import pytest

from evalapp.core.errors import InvalidError
from evalapp.reviews.preferences.answers import PreferenceAnswers, check_preference, read_preference


@pytest.mark.parametrize(
    ("raw", "outputs", "field"),
    [
        ({}, 2, "choice"),
        ({"choice": ""}, 2, "choice"),
        ({"choice": "a", "ranks": [1, 2]}, 2, "ranks"),
        ({"choice": "a", "comment": "x" * 20_001}, 2, "comment"),
        ({"choice": "a", "comment": "a\x00b"}, 2, "comment"),
        ({"choice": "a", "comment": "\ud800"}, 2, "comment"),
        ({}, 3, "ranks"),
        ({"choice": "a", "ranks": [1, 2, 3]}, 3, "choice"),
        ({"ranks": [1, 2]}, 3, "ranks"),
        ({"ranks": [1, 2, None]}, 3, "ranks"),
        ({"ranks": [1, 1, 2]}, 3, "ranks"),
        ({"ranks": [1, 2, 4]}, 3, "ranks"),
        ({"ranks": [1, 2, 3, 4]}, 3, "ranks"),
    ],
)
def test_a_preference_that_is_not_whole_is_refused_by_field(raw, outputs, field):
    with pytest.raises(InvalidError) as refused:
        check_preference(read_preference(raw), outputs=outputs)
    assert list(refused.value.fields) == [field]


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        ("a", "answers"),
        (None, "answers"),
        ({"winner": "a"}, "answers.winner"),
        ({"choice": "c"}, "choice"),
        ({"choice": 1}, "choice"),
        ({"ranks": "123"}, "ranks"),
        ({"ranks": [1.5]}, "ranks"),
        ({"ranks": [True, 2, 3]}, "ranks"),
        ({"ranks": [0, 1, 2]}, "ranks"),
        ({"ranks": [10**30]}, "ranks"),
        ({"ranks": [1] * 6}, "ranks"),
        ({"comment": []}, "comment"),
    ],
)
def test_a_preference_of_another_shape_is_refused_by_field(raw, field):
    with pytest.raises(InvalidError) as refused:
        read_preference(raw)
    assert list(refused.value.fields) == [field]


def test_a_preference_follows_its_outputs_when_they_are_turned():
    assert PreferenceAnswers("a").turned([7, 9], [9, 7]) == PreferenceAnswers("b")
    assert PreferenceAnswers("both_bad", None, "No.").turned([7, 9], [9, 7]) == PreferenceAnswers(
        "both_bad", None, "No."
    )
    assert PreferenceAnswers().turned([7, 9], [9, 7]) == PreferenceAnswers()
    assert PreferenceAnswers("", [3, 1, None]).turned([7, 8, 9], [8, 9, 7]).ranks == [1, None, 3]
    assert PreferenceAnswers("a").turned([7, 9], [7, 9]) == PreferenceAnswers("a")
