import re
import time
from collections.abc import Callable

import pytest

from evalapp.metrics.rows import Row
from evalapp.metrics.rules import (
    Contains,
    LengthRange,
    MatchesPattern,
    MentionsField,
    MustNotContain,
    NoUnsupportedNumbers,
    Rule,
    RuleError,
    check_rules,
    rule_from_dict,
)

ALL = [
    Contains(name="next step", texts=("next step", "call us")),
    MustNotContain(name="no promise", texts=("guaranteed",)),
    MatchesPattern(name="greets", pattern=r"^Dear \p{L}+", ignore_case=True),
    LengthRange(name="short", maximum=120),
    MentionsField(name="goal", field="goal"),
    NoUnsupportedNumbers(name="numbers"),
]


def judge(rule: Rule, output: str, **row: object) -> bool | None:
    return rule.check(Row(output=output, **row)).passed


def test_contains_needs_one_of_the_phrases_across_line_breaks() -> None:
    rule = Contains(name="step", texts=("next step", "call us"))
    verdict = rule.check(Row(output="Your NEXT\nstep: save."))
    assert (verdict.passed, [span.text for span in verdict.spans]) == (True, ["NEXT\nstep"])
    assert judge(rule, "Nothing to do.") is False
    assert judge(Contains(name="case", texts=("ISA",), ignore_case=False), "visa isa") is False


def test_must_not_contain_takes_whole_words_unless_told() -> None:
    assert judge(MustNotContain(name="x", texts=("risk",)), "an asterisk") is True
    assert judge(MustNotContain(name="x", texts=("risk",), whole_words=False), "an asterisk") is False
    verdict = MustNotContain(name="x", texts=("risk",)).check(Row(output="No Risk."))
    assert (verdict.passed, verdict.reason) == (False, "“Risk” occurs")


def test_phrases_are_text_not_patterns() -> None:
    assert judge(Contains(name="x", texts=("a.c (%)",)), "see a.c (%)") is True
    assert judge(Contains(name="x", texts=("a.c",)), "abc") is False


def test_pattern_must_or_must_not_match_and_gives_character_offsets() -> None:
    verdict = MatchesPattern(name="x", pattern=r"[0-9]+%").check(Row(output="ไทย 12% é 7%"))
    assert [(span.start, span.end, span.text) for span in verdict.spans] == [(4, 7, "12%"), (10, 12, "7%")]
    never = MatchesPattern(name="x", pattern="https?://", must_match=False)
    assert (judge(never, "no link"), judge(never, "see http://a")) == (True, False)
    assert judge(MatchesPattern(name="x", pattern="^$"), "") is True


def test_a_pattern_that_stalls_other_engines_is_answered_at_once() -> None:
    start = time.thread_time()
    assert judge(MatchesPattern(name="x", pattern=r"^(a+)+$"), "a" * 50_000 + "b") is False
    assert time.thread_time() - start < 5


def test_length_range_includes_its_ends() -> None:
    rule = LengthRange(name="x", minimum=2, maximum=3)
    assert [judge(rule, text) for text in ("one", "one two", "one two three", "1 2 3 4")] == [
        False,
        True,
        True,
        False,
    ]
    assert rule.check(Row(output="one")).reason == "1 words, fewer than 2"
    assert judge(LengthRange(name="x", maximum=3, unit="characters"), "ไทย") is True


@pytest.mark.parametrize(
    ("value", "output", "passed"),
    [
        ("a house in 2031", "for A  House\nin 2031, you", True),
        ("450,000", "worth £450k", True),
        ("Ann", "Annual plan", False),
        ("Ann", "Dear Ann,", True),
        ("บ้าน", "ซื้อบ้านหลังแรก", True),
        ("C++", "knows C++.", True),
        ("retire at 60", "60 is the number", False),
    ],
)
def test_mentions_field_finds_the_value(value: str, output: str, passed: bool) -> None:
    assert judge(MentionsField(name="x", field="goal"), output, fields={"goal": value}) is passed


def test_a_field_the_example_lacks_is_not_checked() -> None:
    verdict = MentionsField(name="x", field="goal").check(Row(output="text", fields={"goal": " "}))
    assert (verdict.passed, verdict.reason) == (None, "the example has no field “goal”")


def test_no_unsupported_numbers_lists_them() -> None:
    rule = NoUnsupportedNumbers(name="x")
    verdict = rule.check(Row(output="5% of £300", context="5%", prompt="", fields={"sum": "£30"}))
    assert (verdict.passed, verdict.reason) == (False, "£300 not in the context")
    assert [(span.start, span.end) for span in verdict.spans] == [(6, 10)]
    assert judge(rule, "in 3 years", prompt="over three years", context="A plan.") is True
    # A question holds few of the numbers of its right answer: without a context nothing is told.
    assert judge(rule, "42 in 1969", prompt="How many, and when?") is None
    assert judge(rule, "5%") is None


@pytest.mark.parametrize("rule", ALL, ids=lambda rule: rule.kind)
def test_a_rule_survives_storage_and_any_text(rule: Rule) -> None:
    assert rule_from_dict(rule.as_dict()) == rule
    for output in ("", " ", "\x00", "\ud800", "ไทย" * 1000, "1" * 5000):
        assert rule.check(Row(output=output, context="x")).passed in (True, False, None)


def test_all_rules_of_a_project_by_name() -> None:
    verdicts = check_rules(ALL, Row(output="Dear client, call us.", context="x"))
    assert [name for name, verdict in verdicts.items() if verdict.passed] == [
        "next step", "no promise", "greets", "short", "numbers",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("definition", "field", "message"),
    [
        ({"kind": "magic", "name": "x"}, "kind", "known are contains, must_not_contain, pattern"),
        ({"name": "x"}, "kind", "known are"),
        ({"kind": "contains", "name": "x"}, "texts", "lacks texts"),
        ({"kind": "contains", "name": " ", "texts": ["a"]}, "name", "name the rule"),
        ({"kind": "contains", "name": "x", "texts": []}, "texts", "at least one phrase"),
        ({"kind": "contains", "name": "x", "texts": "abc"}, "texts", "at least one phrase"),
        ({"kind": "contains", "name": "x", "texts": ["a", " "]}, "texts", "every phrase"),
        ({"kind": "contains", "name": "x", "texts": ["a"] * 501}, "texts", "split the rule"),
        ({"kind": "contains", "name": "x", "texts": ["a" * 2001]}, "texts", "longer than 2000"),
        ({"kind": "contains", "name": "x", "texts": [7]}, "texts", "every phrase"),
        (
            {"kind": "contains", "name": "x", "texts": ["a" * 1900] * 11},
            "texts",
            "20,900 characters together",
        ),
        (
            {"kind": "contains", "name": "x", "texts": ["a"], "ignore_case": "no"},
            "ignore_case",
            "true or false",
        ),
        ({"kind": "contains", "name": "x", "texts": ["a"], "mode": "all"}, "mode", "not part of a rule"),
        ({"kind": "pattern", "name": "x", "pattern": "("}, "pattern", "not a valid regular expression"),
        ({"kind": "pattern", "name": "x", "pattern": "(?=a)b"}, "pattern", "use two rules"),
        ({"kind": "pattern", "name": "x", "pattern": r"(a)\1"}, "pattern", "write the repeated part out"),
        ({"kind": "pattern", "name": "x", "pattern": "((a{900}){900}){900}"}, "pattern", "not a valid"),
        ({"kind": "pattern", "name": "x", "pattern": "a" * 3000}, "pattern", "longer than 2000"),
        ({"kind": "pattern", "name": "x", "pattern": "\ud800"}, "pattern", "not a valid"),
        ({"kind": "length", "name": "x"}, "minimum", "a minimum, a maximum or both"),
        ({"kind": "length", "name": "x", "minimum": 9, "maximum": 3}, "minimum", "swap them"),
        ({"kind": "length", "name": "x", "minimum": -1}, "minimum", "0 or more"),
        ({"kind": "length", "name": "x", "maximum": 2.5}, "maximum", "whole number"),
        ({"kind": "length", "name": "x", "maximum": True}, "maximum", "whole number"),
        ({"kind": "length", "name": "x", "maximum": 5, "unit": "lines"}, "unit", "words or characters"),
        ({"kind": "mentions_field", "name": "x", "field": ""}, "field", "name a field"),
        ({"kind": "mentions_field", "name": "x", "field": "f" * 10**6}, "field", "longer than 200"),
        ({"kind": "length", "name": "x", "minimum": 10**17}, "minimum", "at most 10,000,000"),
        ({"kind": "length", "name": "x", "maximum": 10**5000}, "maximum", "at most 10,000,000"),
    ],
)
def test_a_definition_that_cannot_work_says_where_and_how_to_mend_it(
    definition: dict[str, object], field: str, message: str
) -> None:
    with pytest.raises(RuleError, match=re.escape(message)) as error:
        rule_from_dict(definition)
    assert error.value.field == field


def test_many_phrases_cost_little_more_than_one() -> None:
    phrases = tuple(f"{'a ' * (20 - number % 15)}{number}" for number in range(450))
    row = Row(output="a " * 50_000)

    def least_time(texts: tuple[str, ...]) -> float:
        rule = Contains(name="x", texts=texts, whole_words=True)
        return min(_time_of(lambda: rule.check(row)) for _ in range(3))

    assert least_time(phrases) < 20 * least_time(phrases[:1])


def _time_of(work: Callable[[], object]) -> float:
    start = time.thread_time()
    work()
    return time.thread_time() - start


def test_a_value_too_long_to_look_for_is_not_checked() -> None:
    verdict = MentionsField(name="x", field="goal").check(
        Row(output="a" * 1000, fields={"goal": "a" * 1_000_000})
    )
    assert verdict.passed is None
    assert verdict.reason == "the field has 1,000,000 characters; the limit is 2,000"


def test_a_reason_quotes_the_beginning_of_a_long_text() -> None:
    verdict = MentionsField(name="x", field="goal").check(Row(output="no", fields={"goal": "b" * 2000}))
    assert verdict.reason == f"“{'b' * 80}…” is not mentioned"


def test_a_pattern_too_large_for_a_very_long_text_is_not_checked() -> None:
    rule = MatchesPattern(name="x", pattern="|".join(f"a[ab]{{{900 - n}}}c" for n in range(100)))
    assert judge(rule, "ab" * 100) is False
    verdict = rule.check(Row(output="ab" * 100_000))
    assert verdict.passed is None
    assert verdict.reason.startswith("the pattern is too large for 200,000 characters")
