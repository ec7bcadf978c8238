from types import SimpleNamespace

import pytest

from evalapp.datasets.contamination import contamination
from evalapp.demo.generator import generate_examples
from evalapp.demo.row_length import MOST_ESTIMATED, estimated_tokens
from evalapp.demo.text_features import read_text

EXAMPLES = generate_examples()


def test_the_same_seed_gives_the_same_examples():
    assert generate_examples() == EXAMPLES


def test_another_seed_gives_other_examples():
    assert not {example.formal for example in generate_examples(7)} & {example.formal for example in EXAMPLES}


def test_the_splits_have_their_sizes_and_keys_are_unique():
    splits = [example.split for example in EXAMPLES]

    assert (splits.count("train"), splits.count("feedback"), splits.count("test")) == (600, 40, 20)
    assert len({example.key for example in EXAMPLES}) == 660
    assert EXAMPLES[0].key == "train-001"
    assert EXAMPLES[-1].key == "test-020"


def test_more_examples_than_names_are_refused_with_both_numbers():
    with pytest.raises(
        ValueError, match=r"6000 examples were asked for, but there are names for \d+ clients"
    ):
        generate_examples(training=6000, feedback=0, test=0)


def test_no_two_clients_prompts_or_answers_are_equal():
    assert len({example.facts.client for example in EXAMPLES}) == 660
    assert len({example.facts.prompt() for example in EXAMPLES}) == 660
    assert len({example.formal for example in EXAMPLES}) == 660
    assert len({example.house_style for example in EXAMPLES}) == 660


def test_rows_stay_short_enough_for_the_recipes():
    for example in EXAMPLES:
        for answer in (example.formal, example.house_style):
            assert estimated_tokens(example.facts.prompt(), answer) <= MOST_ESTIMATED
            assert len(f"{example.facts.prompt()} {answer}".split()) <= 125


def test_every_figure_of_both_answers_is_in_the_prompt():
    for example in EXAMPLES:
        for answer in (example.formal, example.house_style):
            features = read_text(answer, example.facts)
            assert not features.factual_error, (answer, features.unsupported_numbers)
            assert features.numbers_missing == 0


def test_an_answer_copied_from_another_client_fails():
    """Neither the facts nor the goal of one client serve another."""
    copied = EXAMPLES[0].house_style
    others = EXAMPLES[1:]
    right = [
        example
        for example in others
        if not (features := read_text(copied, example.facts)).factual_error and features.names_goal
    ]

    assert right == []


def test_with_the_facts_taken_out_the_answers_still_differ():
    """What is left without figures, names and goal is not one template."""
    skeletons = set()
    for example in EXAMPLES:
        words = example.facts.words()
        text = example.house_style
        for value in sorted(words.values(), key=len, reverse=True):
            text = text.replace(value, "_")
        skeletons.add(text)

    assert len(skeletons) > 600


def test_a_fifth_of_the_goals_is_kept_from_training():
    trained = {example.facts.goal for example in EXAMPLES if example.split == "train"}
    tested = {example.facts.goal for example in EXAMPLES if example.split != "train"}

    assert len(tested - trained) >= 5


def as_rows(*splits: str) -> list[SimpleNamespace]:
    return [
        SimpleNamespace(
            row_number=number,
            prompt_hash=example.facts.prompt(),
            messages=example.messages,
            references=[example.formal],
            pairs=[],
            rated=[],
        )
        for number, example in enumerate(EXAMPLES)
        if example.split in splits
    ]


@pytest.mark.parametrize(
    ("trained", "evaluated"), [(["train"], ["feedback", "test"]), (["feedback"], ["test"])]
)
def test_the_contamination_guard_lets_both_trainings_pass(trained, evaluated):
    report = contamination(as_rows(*trained), as_rows(*evaluated))

    assert not report.is_refused, report.sentences()


def test_an_example_offers_what_an_import_needs():
    example = EXAMPLES[-1]

    assert example.messages == [{"role": "user", "content": example.facts.prompt()}]
    assert example.metadata["goal"] in example.messages[0]["content"]
    assert example.metadata["segment"]
    assert example.metadata["client"] in example.context
