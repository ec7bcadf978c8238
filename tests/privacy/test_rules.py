"""A project's own patterns and allowed texts."""

import pytest

from evalapp.privacy.personal_data import personal_spans
from evalapp.privacy.rules import MOST_ALLOWED, MOST_PATTERNS, MaskingRules, rules_problems
from evalapp.privacy.spans import type_label


def found(text: str, rules: MaskingRules) -> list[tuple[str, str]]:
    return [(text[span.start : span.end], span.type) for span in personal_spans(text, rules)]


def test_an_own_pattern_is_found_beside_the_others() -> None:
    rules = MaskingRules(patterns=(("CLAIM NUMBER", r"\bSC-\d{6}\b"),))
    text = "Größe 😀: SC-123456 of jane@example.org, not SC-12."
    assert found(text, rules) == [("SC-123456", "CLAIM NUMBER"), ("jane@example.org", "EMAIL")]
    assert type_label("CLAIM NUMBER") == "claim number"


def test_an_own_pattern_comes_before_the_others() -> None:
    rules = MaskingRules(patterns=(("LOGIN", r"[a-z]+@example\.org"),))
    assert found("jane@example.org", rules) == [("jane@example.org", "LOGIN")]


def test_half_a_character_moves_nothing() -> None:
    rules = MaskingRules(patterns=(("CLAIM", r"SC-\d+"),))
    assert found("\ud83d is SC-12", rules) == [("SC-12", "CLAIM")]


@pytest.mark.parametrize(
    ("allowed", "text"),
    [
        ("help@ourcompany.com", "Write to Help@OurCompany.com."),
        ("@ourcompany.com", "Write to anna.weber@ourcompany.com."),
        ("@ourcompany.com", "Write to anna.weber@mail.ourcompany.com."),
        ("+44 20 7946 0958", "Call +44 20 7946 0958."),
        ("anna  weber", "It was Anna Weber."),
        ("SC-12", "It is SC-12."),
    ],
)
def test_what_is_allowed_is_never_flagged(allowed: str, text: str) -> None:
    patterns = (("CLAIM", r"SC-\d+"),)
    assert found(text, MaskingRules(patterns)) != []
    assert found(text, MaskingRules(patterns, (allowed,))) == []


@pytest.mark.parametrize(
    ("allowed", "text"),
    [
        ("@ourcompany.com", "anna@notourcompany.com"),
        ("@ourcompany.com", "anna@ourcompany.com.example.org"),
        ("help@ourcompany.com", "me.help@ourcompany.com"),
        ("Anna", "It was Anna Weber."),
    ],
)
def test_what_is_like_something_allowed_is_flagged(allowed: str, text: str) -> None:
    assert len(found(text, MaskingRules(allowed=(allowed,)))) == 1


def test_rules_that_can_be_used_have_no_problems() -> None:
    assert (
        rules_problems([("CLAIM NUMBER", r"SC-\d{6}")], ["@example.org", "Anna Weber", "a@example.org"]) == []
    )
    assert rules_problems([], []) == []


@pytest.mark.parametrize(
    ("kind", "pattern", "why"),
    [
        ("Claim", "a", "capital letters"),
        ("", "a", "capital letters"),
        ("A" * 21, "a", "capital letters"),
        ("CLAIM\n", "a", "capital letters"),
        ("CLAIM", " ", "write the regular expression"),
        ("CLAIM", "(", "cannot be used"),
        ("CLAIM", "(?=a)b", "look-around"),
        ("CLAIM", r"(a)\1", "back-references"),
        ("CLAIM", "\ud83d", "half a character"),
        ("CLAIM", r"\d*", "without any character"),
        ("CLAIM", "a" * 2_001, "longer than 2,000"),
        ("CLAIM", r"(?:\pL{1,100}){1,9}", "too large"),
    ],
)
def test_a_pattern_that_cannot_be_used(kind: str, pattern: str, why: str) -> None:
    (problem,) = rules_problems([("GOOD", "a"), (kind, pattern)], [])
    assert problem.startswith("Pattern 2: ") and why in problem and problem.endswith(".")


@pytest.mark.parametrize(
    ("text", "why"),
    [(" ", "empty"), ("@", "not a domain"), ("@example", "not a domain"), ("a" * 501, "longer")],
)
def test_an_allowed_text_that_cannot_be_used(text: str, why: str) -> None:
    (problem,) = rules_problems([], ["fine", text])
    assert problem.startswith("Allowed text 2: ") and why in problem


def test_too_many_rules() -> None:
    problems = rules_problems([("CLAIM", "a")] * (MOST_PATTERNS + 1), ["a"] * (MOST_ALLOWED + 1))
    assert [problem.split(" are ")[0] for problem in problems] == ["51 patterns", "1,001 allowed texts"]
