"""What a model thought is taken off its answer, whichever way it was marked."""

import pytest

from run_directory.reasoning import split_reasoning


@pytest.mark.parametrize(
    ("text", "reasoning", "answer"),
    [
        ("<think>\nFirst I add.\n</think>\n\nIt is 4.", "First I add.", "It is 4."),
        ("\n<think></think>It is 4.", "", "It is 4."),
        # Its prompt ended with the opening, at a server that leaves both as they are.
        ("First I add.\n</think>\nIt is 4.", "First I add.", "It is 4."),
        # Cut while it thought.
        ("<think>First I", "First I", ""),
        ("  It is 4.\n", "", "  It is 4.\n"),
        ("Write <think> and </think> around it.", "", "Write <think> and </think> around it."),
        ("<think>a</think>b </think> c", "a", "b </think> c"),
    ],
)
def test_reasoning_is_apart_from_the_answer(text: str, reasoning: str, answer: str) -> None:
    assert split_reasoning(text) == (reasoning, answer)


def test_an_answer_that_begins_inside_of_a_part_is_reasoning_until_it_closes() -> None:
    assert split_reasoning("First I", is_open=True) == ("First I", "")
    assert split_reasoning("First.</think>4", is_open=True) == ("First.", "4")
