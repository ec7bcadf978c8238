"""What each objective makes of its rows, before any model is loaded."""

from pathlib import Path
from typing import Any

import pytest

from run_directory.program import Refusal
from run_directory.records import RecordError
from tests.run_directory.tiny import opened, write_run
from training.data import prepare
from training.encoding import IGNORED, encode_answers, encode_judgements, encode_pairs
from training.loop import begin
from training.objectives import objective_of
from training.objectives.kto import KahnemanTverskyOptimisation
from training.rows import JudgedRow, PreferenceRow, TrainingRow
from training.spec import LoraParameters, TrainingSpec


@pytest.fixture(scope="module")
def tokenizer(base: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(base)


def turns(*texts: str) -> list[dict[str, str]]:
    return [{"role": "assistant" if n % 2 else "user", "content": text} for n, text in enumerate(texts)]


def conversation() -> TrainingRow:
    prompt = [{"role": "system", "content": "Be brief."}, *turns("Hello", "Good day.", "And now?")]
    answer = [{"role": "assistant", "content": "You save 300."}]
    return TrainingRow.from_dict({"id": "a", "prompt": prompt, "completion": answer})


def counted(row: Any, tokenizer: Any) -> str:
    return str(tokenizer.decode([token for token in row.labels if token != IGNORED]))


def test_the_loss_counts_every_assistant_turn_or_the_last_alone(tokenizer: Any) -> None:
    [every] = encode_answers([conversation()], tokenizer, "assistant")
    [last] = encode_answers([conversation()], tokenizer, "completion")
    assert counted(every, tokenizer) == "Good day.<|im_end|>You save 300.<|im_end|>"
    assert counted(last, tokenizer) == "You save 300.<|im_end|>"
    whole = tokenizer.apply_chat_template(
        [turn.to_dict() for turn in (*conversation().prompt, *conversation().completion)], tokenize=False
    )
    for row in (every, last):
        assert tokenizer.decode(row.tokens) == whole.removesuffix("\n")
        assert row.ends_turns


def test_a_row_is_kept_as_long_as_its_first_answer_begins_before_the_cut(tokenizer: Any) -> None:
    [every] = encode_answers([conversation()], tokenizer, "assistant")
    first = len(every.prompt)
    assert every.why_useless(first + 1) is None
    assert every.why_useless(first) == "prompt_too_long"


REWRITES_HISTORY = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{% if message['role'] == 'assistant' and"
    " not loop.last %}…{% else %}{{ message['content'] }}{% endif %}<|im_end|>\n{% endfor %}{% if"
    " add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def test_a_template_that_rewrites_earlier_answers_can_teach_only_the_last(base: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base)
    tokenizer.chat_template = REWRITES_HISTORY
    with pytest.raises(Refusal, match=r"row 'a'.*earlier answer differently.*set loss_on to .completion"):
        encode_answers([conversation()], tokenizer, "assistant")
    [last] = encode_answers([conversation()], tokenizer, "completion")
    assert counted(last, tokenizer) == "You save 300.<|im_end|>"


def test_a_template_that_refuses_a_conversation_is_named_with_the_row(base: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base)
    tokenizer.chat_template = "{{ raise_exception('no system turns here') }}"
    with pytest.raises(Refusal, match=r"row 'a'.*refuses the conversation: no system turns here"):
        encode_answers([conversation()], tokenizer, "completion")


def test_a_pair_has_one_prompt_and_both_answers_with_their_ends(tokenizer: Any) -> None:
    row = PreferenceRow.from_dict(
        {
            "id": "a",
            "prompt": turns("Hello"),
            "chosen": turns("", "You save 300.")[1:],
            "rejected": turns("", "No.")[1:],
        }
    )
    [pair] = encode_pairs([row], tokenizer)
    assert tokenizer.decode(pair.prompt).endswith("Hello<|im_end|>\n<|im_start|>assistant\n")
    assert tokenizer.decode(pair.chosen) == "You save 300.<|im_end|>"
    assert tokenizer.decode(pair.rejected) == "No.<|im_end|>"
    assert pair.length == len(pair.prompt) + len(pair.chosen)


def judged(number: int, *, label: bool) -> JudgedRow:
    answer = [{"role": "assistant", "content": f"You save {number}."}]
    return JudgedRow.from_dict(
        {"id": str(number), "prompt": turns("Hello"), "completion": answer, "label": label}
    )


def test_every_judged_answer_is_used_cut_or_dropped_and_named(tokenizer: Any) -> None:
    def given(
        name: str, prompt: str = "Hello", answer: str = "You save 300.", *, label: bool = True
    ) -> JudgedRow:
        completion = [{"role": "assistant", "content": answer}]
        return JudgedRow.from_dict(
            {"id": name, "prompt": turns(prompt), "completion": completion, "label": label}
        )

    rows = [
        given("whole"),
        given("bad", label=False),
        given("long answer", answer="plain words " * 40),
        given("long prompt", prompt="plain words " * 40),
        given("empty answer", answer=" "),
    ]
    spec = TrainingSpec(base_folder="/b", rows=5, objective="kto", max_length=64, validation_share=0.0)
    account = prepare(encode_judgements(rows, tokenizer), spec, 512).account
    assert account.given == account.used + account.truncated + account.dropped == 5
    assert (account.used, account.truncated_ids) == (2, ("long answer",))
    assert {row.id: row.reason for row in account.dropped_rows} == {
        "long prompt": "prompt_too_long",
        "empty answer": "empty_completion",
    }


def test_each_row_of_a_kto_batch_is_compared_with_another_of_its_batch(tokenizer: Any) -> None:
    rows = [row.cut(99) for row in encode_judgements([judged(n, label=n < 3) for n in range(7)], tokenizer)]
    drawn = KahnemanTverskyOptimisation().arranged(rows, 3, seed=1)
    answers = [row["completion_ids"] for row in drawn]
    others = [row["KL_completion_ids"] for row in drawn]
    assert sorted(answers) == sorted(row["completion_ids"] for row in rows)
    assert others[:6] == [answers[2], answers[0], answers[1], answers[5], answers[3], answers[4]]
    # Alone in the last batch, it is compared with a row of the batch before, never with itself.
    assert others[6] == answers[5]
    assert (
        drawn
        == KahnemanTverskyOptimisation().arranged(rows, 3, seed=1)
        != KahnemanTverskyOptimisation().arranged(rows, 3, seed=2)
    )


@pytest.mark.parametrize(("good", "bad", "weights"), [(9, 3, (1, 3)), (2, 5, (2.5, 1)), (4, 4, (1, 1))])
def test_the_rarer_kind_weighs_more(good: int, bad: int, weights: tuple[float, float]) -> None:
    found = KahnemanTverskyOptimisation().set_by_rows([{"label": True}] * good + [{"label": False}] * bad)
    assert (found["desirable_weight"], found["undesirable_weight"]) == weights


@pytest.mark.parametrize(("label", "kind"), [(True, "bad"), (False, "good")])
def test_kto_without_one_of_the_kinds_is_refused(label: bool, kind: str) -> None:
    with pytest.raises(Refusal, match=f"none of the 2 rows to train on has a {kind} one"):
        KahnemanTverskyOptimisation().set_by_rows([{"label": label}] * 2)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (
            {"objective": "kto", "batch_size": 1},
            "batch_size 1 is not between 2 and 4,096: kto compares each row with another",
        ),
        ({"objective": "ppo"}, "objective: 'ppo' is not one of 'sft', 'dpo', 'kto'"),
        ({"objective": "dpo", "loss_on": "assistant"}, 'loss_on "assistant" is not for the objective dpo'),
        ({"method": "dora", "continue_from": "/a"}, "the method dora produces a full model"),
        ({"method": "full", "continue_from": "/a"}, "the method full produces a full model"),
        ({"method": "sft"}, "method: 'sft' is not one of 'lora', 'rslora', 'dora', 'qlora', 'full'"),
        ({"beta": 0}, "beta 0.0 is not above 0"),
        ({"learning_rate": 0}, "learning_rate 0.0 is not between 1e-12 and 1"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(RecordError) as caught:
        TrainingSpec.from_dict({"base_folder": "/b", "rows": 1, **fields})
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("method", "objective", "size", "rate"),
    [
        ("lora", "sft", {"rank": 63, "parameters": 7_999_999_999}, 2e-4),
        ("lora", "sft", {"rank": 64}, 1e-4),
        ("qlora", "sft", {"parameters": 8_000_000_000}, 1e-4),
        ("lora", "dpo", {"rank": 64}, 5e-6),
        ("full", "sft", {"parameters": 8_000_000_000}, 2e-5),
        ("full", "kto", {}, 1e-6),
    ],
)
def test_the_learning_rate_suits_the_method_the_objective_and_the_size(
    method: str, objective: str, size: dict[str, int], rate: float
) -> None:
    assert objective_of(objective).learning_rate(method, **size) == rate


@pytest.mark.parametrize(
    ("fields", "rate"), [({}, 2e-4), ({"lora": LoraParameters(rank=64)}, 1e-4), ({"learning_rate": 0.1}, 0.1)]
)
def test_a_training_takes_the_default_rate_unless_one_is_chosen(
    base: Path, tmp_path: Path, fields: dict[str, Any], rate: float
) -> None:
    spec = TrainingSpec(base_folder=str(base), rows=1, **fields)
    assert begin(opened(write_run(tmp_path / "run", spec, [])), spec).rate == rate
