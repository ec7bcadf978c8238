import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from inference.prompts import encode as encode_for_generation
from inference.spec import Candidate, GenerationRow
from run_directory.program import Refusal
from run_directory.records import RecordError
from training.data import TrainingData, chosen_max_length, read_rows, validation_ids
from training.data import prepare as prepare_encoded
from training.encoding import IGNORED, encode_answers
from training.rows import TrainingRow
from training.spec import TrainingSpec


def row(name: str, prompt: str = "Hello", answer: str = "You save 300.", **fields: Any) -> TrainingRow:
    return TrainingRow.from_dict(
        {
            "id": name,
            "prompt": [{"role": "user", "content": prompt}],
            "completion": [{"role": "assistant", "content": answer}],
            **fields,
        }
    )


def spec_for(rows: int, **fields: Any) -> TrainingSpec:
    return TrainingSpec(base_folder="/b", rows=rows, **({"validation_share": 0.0} | fields))


def prepare(rows: list[TrainingRow], spec: TrainingSpec, tokenizer: Any, context: int) -> TrainingData:
    return prepare_encoded(encode_answers(rows, tokenizer, spec.loss_on), spec, context)


@pytest.fixture(scope="module")
def tokenizer(base: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(base)


def test_the_loss_counts_the_answer_and_its_end_alone(tokenizer: Any) -> None:
    data = prepare([row("a")], spec_for(1), tokenizer, 512)
    [one] = data.train
    counted = [
        token for token, label in zip(one["input_ids"], one["labels"], strict=True) if label != IGNORED
    ]
    assert tokenizer.decode(counted) == "You save 300.<|im_end|>"
    assert tokenizer.decode(one["input_ids"][: -len(counted)]).endswith("<|im_start|>assistant\n")
    assert data.ends_turns


def test_training_and_generation_see_the_same_prompt_tokens(tokenizer: Any) -> None:
    [trained] = encode_answers([row("a", "Summarise the client.")], tokenizer, "completion")
    [asked] = encode_for_generation(
        [
            GenerationRow.from_dict(
                {"example": "a", "messages": [{"role": "user", "content": "Summarise the client."}]}
            )
        ],
        Candidate(key="base", kind="base"),
        tokenizer,
    )
    assert trained.prompt == asked.tokens


def test_every_row_is_used_cut_or_dropped_and_named(tokenizer: Any) -> None:
    rows = [
        row("whole"),
        row("long answer", answer="plain words " * 40),
        row("long prompt", prompt="plain words " * 40),
        row("empty answer", answer="  \n"),
    ]
    account = prepare(rows, spec_for(4, max_length=64), tokenizer, 512).account
    assert account.to_dict() == {
        "given": 4,
        "used": 1,
        "truncated": 1,
        "truncated_ids": ("long answer",),
        "dropped": 2,
        "dropped_rows": (
            {"id": "empty answer", "reason": "empty_completion"},
            {"id": "long prompt", "reason": "prompt_too_long"},
        ),
        "train": 2,
        "validation": 0,
    }


def test_a_cut_row_keeps_its_whole_prompt(tokenizer: Any) -> None:
    data = prepare([row("a", answer="plain words " * 40)], spec_for(1, max_length=64), tokenizer, 512)
    assert len(data.train[0]["input_ids"]) == len(data.train[0]["labels"]) == 64
    assert data.train[0]["labels"][-1] != IGNORED


def test_nothing_left_to_train_on_is_said(tokenizer: Any) -> None:
    with pytest.raises(Refusal, match="none of the 1 rows is left"):
        prepare([row("a", answer="")], spec_for(1), tokenizer, 512)


@pytest.mark.parametrize(
    ("lengths", "wanted", "context", "chosen"),
    [
        ([10], None, 512, 128),
        ([129], None, 512, 256),
        ([100] * 99 + [500], None, 512, 128),
        ([100] * 98 + [500] * 2, None, 512, 512),
        ([900], None, 512, 512),
        ([10], 100, 512, 100),
        ([], None, 512, 512),
    ],
)
def test_the_length_follows_the_data(
    lengths: list[int], wanted: int | None, context: int, chosen: int
) -> None:
    assert chosen_max_length(lengths, wanted, context) == chosen


def test_a_length_beyond_the_context_is_refused() -> None:
    with pytest.raises(Refusal, match="context of 512"):
        chosen_max_length([10], 513, 512)


def test_groups_stay_on_one_side_and_the_draw_repeats() -> None:
    rows = [row(f"r{n}", group=f"g{n // 4}") for n in range(400)]
    held_out = validation_ids(rows, spec_for(400, validation_share=0.05))
    assert len(held_out) == 32
    assert {one.group for one in rows if one.id in held_out}.isdisjoint(
        one.group for one in rows if one.id not in held_out
    )
    assert held_out == validation_ids(rows[::-1], spec_for(400, validation_share=0.05))
    assert held_out != validation_ids(rows, spec_for(400, validation_share=0.05, seed=1))


def test_few_rows_give_at_most_a_fifth_to_validation() -> None:
    assert len(validation_ids([row(f"r{n}") for n in range(50)], spec_for(50, validation_share=0.05))) == 10


def test_marked_rows_decide_the_split() -> None:
    rows = [row("a", split="train"), row("b", split="validation")]
    assert validation_ids(rows, spec_for(2, validation_share=0.5)) == {"b"}


@pytest.mark.parametrize(
    ("lines", "rows", "said"),
    [
        (["{}"], 1, r"data\.jsonl line 1: the field 'id'"),
        ([row("a").to_json(), "garbage"], 2, r"data\.jsonl line 2: not valid JSON"),
        ([row("a").to_json()] * 2, 2, "line 2: the id 'a' is given twice"),
        ([row("a").to_json()], 2, "has 1 rows, the spec says 2"),
        ([row("a", split="train").to_json(), row("b").to_json()], 2, "give it for all or none"),
        ([json.dumps(json.loads(row("a").to_json()) | {"prompt": []})], 1, "end with a user turn"),
    ],
)
def test_wrong_rows_are_refused_with_their_line(
    tmp_path: Path, lines: list[str], rows: int, said: str
) -> None:
    (tmp_path / "data.jsonl").write_text("\n".join(lines) + "\n")
    with pytest.raises(RecordError, match=said):
        read_rows(tmp_path, spec_for(rows), TrainingRow)


def test_other_data_than_the_spec_speaks_of_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data.jsonl").write_text(row("a").to_json() + "\n")
    with pytest.raises(RecordError, match="SHA-256"):
        read_rows(tmp_path, spec_for(1, data_sha256="0" * 64), TrainingRow)


def grouped(count: int, size: int) -> list[TrainingRow]:
    return [row(f"row-{n}", group=f"source {n // size}") for n in range(count)]


def test_smaller_shares_lie_inside_larger_ones_and_no_source_is_torn(tokenizer: Any) -> None:
    rows = grouped(40, 4)
    shares = [0.1, 0.25, 0.5, 0.75, 1.0]
    found = [
        prepare(rows, spec_for(40, data_share=share, validation_share=0.2), tokenizer, 512)
        for share in shares
    ]
    assert len({tuple(each.id for each in one.validation_rows) for one in found}) == 1
    held_out = {each.id for each in found[0].validation_rows}
    drawn = [set(one.drawn_rows or ()) for one in found[:-1]]
    assert found[-1].drawn_rows is None
    assert all(small < large for small, large in pairwise(drawn))
    assert [one.account.train for one in found] == [4, 8, 16, 24, 32]
    for one, names in zip(found, drawn, strict=False):
        assert not names & held_out
        for source in range(10):
            of_source = {f"row-{n}" for n in range(4 * source, 4 * source + 4)}
            assert of_source <= names or not of_source & names
        account = one.account
        assert account.given == account.used + account.truncated + account.dropped == 40
        assert account.not_drawn == account.dropped == 40 - account.train - account.validation


def test_another_seed_draws_other_rows_and_holds_out_the_same(tokenizer: Any) -> None:
    rows = grouped(60, 1)
    first, again, other = (
        prepare(
            rows,
            spec_for(60, data_share=0.5, validation_share=0.1, validation_seed=7, seed=seed),
            tokenizer,
            512,
        )
        for seed in (1, 1, 2)
    )
    assert first.drawn_rows == again.drawn_rows != other.drawn_rows
    assert first.validation_rows == other.validation_rows


def test_a_share_draws_one_source_at_least_and_the_nearest_number_of_rows(tokenizer: Any) -> None:
    rows = [*grouped(9, 9), row("alone", group="one")]
    found = prepare(rows, spec_for(10, data_share=0.01), tokenizer, 512)
    assert found.account.train in (1, 9)
    sizes = {
        prepare(rows, spec_for(10, data_share=0.5, seed=n), tokenizer, 512).account.train for n in range(8)
    }
    assert sizes == {1, 9}


def test_rows_that_are_useless_are_named_before_those_not_drawn(tokenizer: Any) -> None:
    rows = [*grouped(8, 1), row("empty", answer=" ")]
    account = prepare(rows, spec_for(9, data_share=0.5), tokenizer, 512).account
    assert [each.reason for each in account.dropped_rows] == ["empty_completion", *["not_drawn"] * 4]
