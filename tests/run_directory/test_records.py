import dataclasses
import json
import time

import pytest

from inference.spec import Candidate, GenerationRow, GenerationSpec, SamplingParameters
from run_directory.records import RecordError, parse_json
from training.rows import TrainingRow
from training.spec import LoraParameters, TrainingSpec

TRAINING = {"base_folder": "/models/base", "rows": 3}
GENERATION = {
    "base_folder": "/models/base",
    "rows": 3,
    "sampling": {},
    "candidates": [{"key": "base", "kind": "base"}],
}


def test_a_spec_survives_its_file_with_every_value_spelled_out() -> None:
    spec = TrainingSpec(base_folder="/models/base", rows=3, lora=LoraParameters(target_modules=("q_proj",)))
    assert TrainingSpec.from_json(spec.to_json()) == spec
    assert set(json.loads(spec.to_json())) == {field.name for field in dataclasses.fields(TrainingSpec)}

    generation = GenerationSpec(
        base_folder="/models/base",
        rows=3,
        candidates=(Candidate(key="v1", kind="lora", adapter_folder="/adapters/v1"),),
        sampling=SamplingParameters(stop=("END",)),
    )
    assert GenerationSpec.from_json(generation.to_json()) == generation


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not valid JSON"),
        ("{", "not valid JSON"),
        ("[]", "found a list"),
        ("null", "found null"),
        ("[" * 100_000, "nested too deeply"),
        (b"\xff\xfe{}", "not UTF-8"),
        ('{"rows": 3}', "the field 'base_folder' is missing"),
        (json.dumps({**TRAINING, "learning_rat": 1e-4}), "unknown field 'learning_rat'"),
        (json.dumps({**TRAINING, "lora": {"rnk": 4}}), "lora: unknown field 'rnk'"),
        (json.dumps({**TRAINING, "rows": True}), "rows: expected a whole number, found true or false"),
        (json.dumps({**TRAINING, "rows": 3.0}), "rows: expected a whole number"),
        (json.dumps({**TRAINING, "rows": 0}), "nothing to train on"),
        (json.dumps({**TRAINING, "epochs": "2"}), "epochs: expected a number, found a text"),
        ('{"base_folder": "/b", "rows": 1, "epochs": NaN}', "NaN is not a JSON number"),
        ('{"base_folder": "/b", "rows": 1, "epochs": 1e999}', "out of range"),
        ('{"base_folder": "/b", "rows": 1, "epochs": 1%s}' % ("0" * 400), "out of range"),
        ('{"base_folder": "/b", "rows": 1, "rows": 2}', "'rows' is given twice"),
        ('{"base_folder": "\\ud800", "rows": 1}', "half of a surrogate pair"),
        (json.dumps({**TRAINING, "schedule": "linearly"}), "'linearly' is not one of"),
        (json.dumps({**TRAINING, "format": 2}), "format: 2 is not one of 1"),
        (json.dumps({**TRAINING, "lora": {"target_modules": ["lm_head"]}}), "lm_head cannot be adapted"),
        (
            json.dumps({**TRAINING, "max_steps": 10**12}),
            "max_steps 1000000000000 is not between 1 and 10,000,000",
        ),
        (json.dumps({**TRAINING, "weight_decay": 1e308}), "weight_decay 1e+308 is not between 0 and 10"),
        (json.dumps({**TRAINING, "max_gradient_norm": 1e308}), "max_gradient_norm 1e+308 is not between"),
        (json.dumps({**TRAINING, "threads": 10**9}), "threads 1000000000 is not between 1 and 4,096"),
        (json.dumps({**TRAINING, "accumulation_steps": 10**12}), "accumulation_steps 1000000000000 is not"),
        (json.dumps({**TRAINING, "lora": {"alpha": 10**400}}), "00 is not between 1 and 1,000,000"),
        (json.dumps({**TRAINING, "lora": {"target_modules": []}}), "target_modules names no layer"),
        (json.dumps({**TRAINING, "batch_size": 0}), "batch_size 0 is not between 1 and 4,096"),
    ],
)
def test_a_garbage_training_spec_is_refused_with_the_place(text: str | bytes, said: str) -> None:
    with pytest.raises(RecordError) as refused:
        TrainingSpec.from_json(text, where="spec.json")
    assert str(refused.value).startswith("spec.json: ")
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"candidates": []}, "candidates is empty"),
        ({"candidates": [{"key": "a", "kind": "base"}] * 2}, "the same key"),
        ({"candidates": [{"key": "a", "kind": "lora"}]}, "needs adapter_folder"),
        ({"candidates": [{"key": "a", "kind": "prompt"}]}, "needs a system prompt, a template or examples"),
        ({"candidates": [{"key": "a", "kind": "base", "system_prompt": "x"}]}, "has no system prompt"),
        ({"candidates": [{"key": "a", "kind": "prompt", "template": "no place"}]}, "exactly once"),
        ({"sampling": {"top_p": 0}}, "top_p"),
        ({"sampling": {"max_tokens": 0}}, "max_tokens"),
        ({"sampling": {"max_tokens": 10**12}}, "max_tokens 1000000000000 is not between 1 and 1,000,000"),
        ({"sampling": {"temperature": 1e-320}}, "temperature .* is neither 0 nor at least 0.001"),
        ({"sampling": {"repetition_penalty": 1e-320}}, "repetition_penalty"),
        ({"batch_size": 10**12}, "batch_size 1000000000000 is not between 1 and 4,096"),
        ({"threads": 10**9}, "threads 1000000000 is not between 1 and 4,096"),
        ({"sampling": {"stop": [""]}}, "empty text"),
    ],
)
def test_a_garbage_generation_spec_is_refused_with_the_place(fields: dict[str, object], said: str) -> None:
    with pytest.raises(RecordError, match=said):
        GenerationSpec.from_dict({**GENERATION, **fields}, where="spec.json")


def test_rows_name_the_turn_that_is_wrong() -> None:
    with pytest.raises(RecordError, match=r"line 2: prompt\[0\]: role: 'tool' is not one of"):
        TrainingRow.from_json(
            '{"id": "a", "prompt": [{"role": "tool", "content": ""}], "completion": []}',
            where="data.jsonl line 2",
        )
    with pytest.raises(RecordError, match="must end with a user turn"):
        GenerationRow.from_json('{"example": "a", "messages": []}')


def test_a_repeated_field_among_very_many_is_found_at_once() -> None:
    fields = ",".join(f'"f{number}":0' for number in range(60_000))
    started = time.thread_time()
    with pytest.raises(RecordError, match="'last' is given twice"):
        parse_json(f'{{{fields},"last":1,"last":2}}', where="spec.json")
    assert time.thread_time() - started < 5
