import pytest

from evalapp.demo.generator import generate_examples
from evalapp.demo.text_features import read_text

EXAMPLES = generate_examples()
ONE = EXAMPLES[0]


def has_one_next_step(text: str) -> bool:
    return read_text(text, ONE.facts).has_one_next_step


def test_every_house_style_text_keeps_all_three_rules():
    broken = [
        example.house_style
        for example in EXAMPLES
        if not read_text(example.house_style, example.facts).house_style
    ]

    assert broken == []


@pytest.mark.parametrize("rule", ["formal_words", "names_goal", "has_one_next_step"])
def test_formal_texts_break_each_rule(rule):
    keeping = 0
    for example in EXAMPLES:
        value = getattr(read_text(example.formal, example.facts), rule)
        keeping += value == 0 if rule == "formal_words" else value

    assert keeping < 0.05 * len(EXAMPLES)


@pytest.mark.parametrize(
    "text",
    [
        "Next step: call us in May.",
        "All is well.\nYour next step is to raise your saving to EUR 400.",
        "Next step for you: sign the form.",
        "Next step, Ada: bring your cash down to 5%.",
        "Next step: call us to talk about the next steps.",
    ],
)
def test_one_concrete_next_step_is_seen(text):
    assert has_one_next_step(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Call us in May.",
        "We will talk about next steps.",
        "Next step: wait.",
        "Next step: call us in May. Another next step: sign the form.",
    ],
)
def test_none_vague_or_two_next_steps_fail(text):
    assert not has_one_next_step(text)
