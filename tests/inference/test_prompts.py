from pathlib import Path
from typing import Any

import pytest

from inference.prompts import conversation, encode, end_tokens
from inference.spec import Candidate, GenerationRow
from run_directory.bases import check_base
from run_directory.program import Refusal
from run_directory.protocol import Message

MESSAGES = (
    Message(role="system", content="Be brief."),
    Message(role="user", content="First."),
    Message(role="assistant", content="Yes."),
    Message(role="user", content="Use {braces} and {prompt}."),
)


def test_a_base_candidate_is_asked_as_it_stands() -> None:
    asked = conversation(Candidate(key="base", kind="base"), MESSAGES)
    assert asked == [message.to_dict() for message in MESSAGES]


def test_a_prompt_candidate_replaces_the_system_turn_and_wraps_the_last() -> None:
    candidate = Candidate(
        key="p", kind="prompt", system_prompt="Be warm.", template="Task: {prompt} Answer {now}."
    )
    asked = conversation(candidate, MESSAGES)
    assert [turn["role"] for turn in asked] == ["system", "user", "assistant", "user"]
    assert asked[0]["content"] == "Be warm."
    assert asked[1]["content"] == "First."
    assert asked[3]["content"] == "Task: Use {braces} and {prompt}. Answer {now}."


def test_a_system_turn_that_the_template_refuses_is_named(base: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(base)
    tokenizer.chat_template = (
        "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    )
    row = GenerationRow(example="e7", messages=MESSAGES)
    with pytest.raises(Refusal, match=r"example 'e7', candidate 'base'.*no system role"):
        encode([row], Candidate(key="base", kind="base"), tokenizer)


def test_answers_end_with_the_tokens_the_model_was_published_with(base: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(base)
    assert end_tokens(check_base(base), tokenizer) == [tokenizer.eos_token_id]


def test_a_template_that_opens_a_part_of_reasoning_is_known(base: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(base)
    row, candidate = GenerationRow(example="e", messages=MESSAGES), Candidate(key="base", kind="base")
    assert not encode([row], candidate, tokenizer)[0].opens_reasoning
    tokenizer.chat_template += "{% if add_generation_prompt %}<think>\n{% endif %}"
    assert encode([row], candidate, tokenizer)[0].opens_reasoning
