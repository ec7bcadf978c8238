"""Answers to fixed prompts at each evaluation: seen by people, not noticed by the training."""

import signal
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from run_directory.protocol import ExitCode
from tests.run_directory.tiny import events_of, run, start, wait_for, write_run
from tests.training.runs import EACH_OBJECTIVE, judgements, make_spec, rows, train
from training.rows import JudgedRow, TrainingRow
from training.sampling import Sampler, chosen_prompts
from training.spec import SampleAnswers, TrainingReport

HELD_OUT = {"validation_share": 0.2, "evaluations": 4, "patience": None, "sample_tokens": 8}


def samples_in(folder: Path) -> dict[int, SampleAnswers]:
    """By step, a later attempt's over an earlier one's."""
    return {
        event["step"]: SampleAnswers.from_dict(event["fields"])
        for event in events_of(folder)
        if event["kind"] == "samples"
    }


@EACH_OBJECTIVE
def test_the_losses_are_the_same_with_and_without(base: Path, tmp_path: Path, objective: str) -> None:
    # The adapter's dropout draws in every step: one draw more or less would change all losses after it.
    spec = make_spec(base, objective=objective, **HELD_OUT)
    asked = train(tmp_path / "asked", spec)
    left = train(tmp_path / "left", make_spec(base, objective=objective, sample_prompts=0, **HELD_OUT))
    assert asked.losses == left.losses
    assert asked.validation_losses == left.validation_losses
    assert asked.adapter_sha256 == left.adapter_sha256
    found = samples_in(tmp_path / "asked")
    assert list(found) == [2, 4, 6, 8]
    assert [len(each.answers) for each in found.values()] == [3, 3, 3, 3]
    assert samples_in(tmp_path / "left") == {}


def test_the_prompts_are_those_of_rows_held_out_and_their_answers_change(base: Path, tmp_path: Path) -> None:
    given = [{**row, "split": "validation" if n < 4 else "train"} for n, row in enumerate(rows(24))]
    train(tmp_path / "run", make_spec(base, **HELD_OUT), given)
    found = samples_in(tmp_path / "run")
    names = [[answer.row for answer in each.answers] for each in found.values()]
    assert names == [names[0]] * 4
    assert set(names[0]) < {f"row-{n}" for n in range(4)}
    texts = [[answer.text for answer in each.answers] for each in found.values()]
    assert texts[0] != texts[-1]
    # Eight tokens are too few for an answer of this base.
    assert not any(answer.is_whole for each in found.values() for answer in each.answers)


@pytest.mark.verification
def test_killed_and_started_again_it_has_the_answers_of_every_evaluation(base: Path, tmp_path: Path) -> None:
    spec = make_spec(base, **HELD_OUT)
    train(tmp_path / "whole", spec)
    folder = write_run(tmp_path / "run", spec, rows(24))
    with start("training", folder) as process:
        wait_for(process, "5/8")
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert run("training", folder) == (ExitCode.SUCCEEDED, "")
    assert samples_in(folder) == samples_in(tmp_path / "whole")


def test_trainings_with_other_seeds_ask_the_same_prompts_each_once(
    base: Path, trained: tuple[Path, TrainingReport]
) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base)
    read = [TrainingRow.from_dict(row) for row in rows(12)]
    first = chosen_prompts(read, tokenizer, count=3, longest=400)
    assert chosen_prompts(read[::-1], tokenizer, count=3, longest=400) == first
    assert len({prompt.row for prompt in first}) == 3
    # Two answers to one prompt, as kto has them, are asked once.
    twice = [JudgedRow.from_dict({**row, "id": f"{row['id']}.{n}"}) for row in judgements(2) for n in (1, 2)]
    assert len(chosen_prompts(twice, tokenizer, count=3, longest=400)) == 2
    assert chosen_prompts(read, tokenizer, count=3, longest=5) == []
    assert chosen_prompts(read, tokenizer, count=0, longest=400) == []


@pytest.mark.parametrize("fields", [{"method": "full"}, {"gradient_checkpointing": True}, {"method": "dora"}])
def test_every_method_answers(base: Path, tmp_path: Path, fields: dict[str, Any]) -> None:
    settings = {**HELD_OUT, "max_steps": 2, "evaluations": 1, "learning_rate": 1e-3, **fields}
    asked = train(tmp_path / "asked", make_spec(base, **settings))
    left = train(tmp_path / "left", make_spec(base, sample_prompts=0, **settings))
    assert asked.losses == left.losses
    assert len(samples_in(tmp_path / "asked")[2].answers) == 3
    assert asked.model_fingerprint == left.model_fingerprint


def test_the_pace_is_that_of_the_steps_alone(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Answers that seem to take an hour slow nothing that is told of the training."""
    gone = [0.0]
    monkeypatch.setattr(
        "training.callbacks.time", SimpleNamespace(monotonic=lambda: time.monotonic() + gone[0])
    )
    answers = Sampler.answers

    def slowly(sampler: Sampler, model: Any) -> Any:
        gone[0] += 3600
        return answers(sampler, model)

    monkeypatch.setattr(Sampler, "answers", slowly)
    folder = tmp_path / "run"
    train(folder, make_spec(base, sample_prompts=1, **HELD_OUT))
    last = [event["fields"] for event in events_of(folder) if event["kind"] == "progress"][-1]
    assert gone[0] >= 3600
    assert last["tokens_per_second"] > last["tokens"] / 3600
