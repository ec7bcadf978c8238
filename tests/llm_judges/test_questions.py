"""What is asked says the criterion's words, and only an exact answer counts."""

import pytest

from evalapp.llm_judges.questions import default_prompt, filled, parsed, prompt_problem
from evalapp.rubrics.models import Criterion

SCALE = Criterion(
    key="tone", name="Tone", kind="scale", minimum=1, maximum=5, level_descriptions={"1": "Cold.",
    "5": "Warm."},
    allows_not_applicable=True,
)  # fmt: skip
YES_NO = Criterion(key="error", name="Error", kind="yes_no", minimum=0, maximum=1)
CATEGORY = Criterion(
    key="kind", name="Kind", kind="category", minimum=1, maximum=2,
    options=[{"label": "Advice", "is_undesired": False}, {"label": "Chatter", "is_undesired": True}],
)  # fmt: skip


@pytest.mark.parametrize(
    ("criterion", "answer", "expected"),
    [
        (SCALE, '{"score": 4}', 4),
        (SCALE, ' {"score": 4, "why": "warm"}\n', 4),
        (SCALE, '{"score": "4"}', 4),
        (SCALE, "4", 4),
        (SCALE, "n/a", None),
        (SCALE, '{"score": "N/A"}', None),
        (SCALE, "I give it a 4.", "unparsed"),
        (SCALE, "4/5", "unparsed"),
        (SCALE, "6", "unparsed"),
        (SCALE, '{"score": 4.5}', "unparsed"),
        (SCALE, '{"score": true}', "unparsed"),
        (SCALE, '{"score": 4, "score": 5}', "unparsed"),
        (SCALE, '```json\n{"score": 4}\n```', "unparsed"),
        (SCALE, '{"score": 4', "unparsed"),
        (SCALE, '{"rating": 4}', "unparsed"),
        (SCALE, "", "unparsed"),
        (SCALE, "{" * 9_000, "unparsed"),
        (YES_NO, "Yes", 1),
        (YES_NO, '{"score": false}', 0),
        (YES_NO, "n/a", "unparsed"),
        (CATEGORY, "chatter", 2),
        (CATEGORY, '{"score": 1}', 1),
    ],
)
def test_only_an_exact_answer_counts(criterion: Criterion, answer: str, expected: int | str | None) -> None:
    found = parsed(answer, criterion)
    assert ("unparsed" if found is None else found.value) == expected


def test_the_question_holds_the_criterions_own_words_and_not_the_reference() -> None:
    prompt = default_prompt(SCALE)
    assert prompt_problem(prompt) == ""
    assert "Criterion: Tone" in prompt
    assert "- 1: Cold." in prompt
    assert "- n/a:" in prompt
    assert "{reference}" not in prompt
    assert "- 2 (Chatter)" in default_prompt(CATEGORY)


def test_what_a_text_has_in_braces_is_left_alone() -> None:
    assert (
        filled("{answer}|{prompt}|{other}", {"answer": "say {prompt}", "prompt": "P"})
        == "say {prompt}|P|{other}"
    )


@pytest.mark.parametrize("prompt", ["", "   ", "No place for it.", "x" * 20_001 + "{answer}", "{answer}\x00"])
def test_a_prompt_that_cannot_be_used_says_why(prompt: str) -> None:
    assert prompt_problem(prompt)
