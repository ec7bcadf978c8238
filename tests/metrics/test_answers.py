import pytest

from evalapp.metrics.automatic.answers import exact_match, normalise_answer, token_f1


def test_normalisation_is_that_of_squad() -> None:
    assert normalise_answer("The  Cat's, hat!") == "cats hat"
    assert normalise_answer("The cat", remove_articles=False) == "the cat"
    assert normalise_answer("another theory") == "another theory"


@pytest.mark.parametrize(
    ("output", "references", "match", "f1"),
    [
        ("the cat", ["A cat."], 1, 1),
        ("cat sat", ["the cat sat down"], 0, 0.8),
        ("cat", ["dog", "cat"], 1, 1),
        ("a a a b", ["b b"], 0, 2 / 3),
        ("", [""], 1, 0),
        ("!!", ["??"], 1, 0),
        ("", ["cat"], 0, 0),
        ("ไทย", ["ไทย"], 1, 1),
    ],
)
def test_known_values(output: str, references: list[str], match: float, f1: float) -> None:
    assert exact_match(output, references).value == match
    assert token_f1(output, references).value == pytest.approx(f1)
    assert token_f1(output, references).n == len(references)


def test_articles_count_when_asked() -> None:
    assert exact_match("the cat", ["cat"], remove_articles=False).value == 0
    assert "remove_articles:no" in token_f1("a", ["a"], remove_articles=False).signature


def test_no_reference_is_undefined() -> None:
    assert {exact_match("a", []).reason, token_f1("a", []).reason} == {"the example has no reference"}
