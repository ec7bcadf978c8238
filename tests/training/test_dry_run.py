"""A dry run, on the tiny model."""

from datetime import datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from run_directory.protocol import ExitCode
from tests.run_directory.tiny import events_of, opened, run, write_run
from tests.training.runs import make_spec, rows, rows_for
from tests.training.runs import train as train_in
from training.dry_run import dry_run
from training.dry_run_report import (
    DryRunReport,
    DryRunResult,
    Estimate,
    LengthBin,
    ShownRow,
    TimedBatches,
    Trial,
)
from training.rendering import pieces
from training.row_lengths import length_bins
from training.spec import TrainingReport, TrainingResult


@pytest.fixture
def trial() -> ModuleType:
    """Imported by the tests that need it: it loads the model libraries, which takes long in every process."""
    from training import trial

    return trial


def dry_run_report(folder: Path, base: Path, given: list[dict[str, Any]], **fields: Any) -> DryRunReport:
    write_run(folder, make_spec(base, rows=len(given), **fields), given)
    return dry_run(opened(folder))[1]


def text_of(row: ShownRow, part: str) -> list[str]:
    return [
        "".join((*span.beginning, *span.end))
        for sequence in row.sequences
        for span in sequence.spans
        if span.part == part
    ]


@pytest.mark.verification
def test_the_program_leaves_a_report_and_no_weights_and_the_training_follows(
    base: Path, trained: tuple[Path, TrainingReport], tmp_path: Path
) -> None:
    folder = write_run(tmp_path / "run", make_spec(base), rows())
    assert run("training.dry_run", folder) == (ExitCode.SUCCEEDED, "")
    result = DryRunResult.from_json((folder / "result.json").read_bytes())
    assert result.report is not None
    assert [path.name for path in folder.iterdir() if path.is_dir()] == []
    whole = trained[1]
    found = result.report
    assert (found.rows, found.max_length) == (whole.rows, whole.max_length)
    assert (found.trainable_parameters, found.total_parameters) == (
        whole.trainable_parameters,
        whole.total_parameters,
    )

    # The dry run's result is not the training's, though they have one spec.
    assert run("training", folder) == (ExitCode.SUCCEEDED, "")
    assert (folder / "adapter").is_dir()
    *_, started, ended = (event for event in events_of(folder) if event["kind"] in ("started", "finished"))
    took = datetime.fromisoformat(ended["time"]) - datetime.fromisoformat(started["time"])
    trained_there = TrainingResult.from_json((folder / "result.json").read_bytes()).report
    assert trained_there is not None
    # Its own time, without the dry run's.
    assert trained_there.seconds <= took.total_seconds()


@pytest.mark.parametrize(
    ("objective", "trained_on"),
    [
        ("sft", ["You save 0 a month. Call us next week.<|im_end|>"]),
        (
            "dpo",
            [
                "You save 0 a month. Call us next week.<|im_end|>",
                "The portfolio holds 0 percent shares.<|im_end|>",
            ],
        ),
        ("kto", ["The portfolio holds 0 percent shares.<|im_end|>"]),
    ],
)
def test_what_is_trained_on_is_the_answer_and_its_end(
    base: Path, tmp_path: Path, objective: str, trained_on: list[str]
) -> None:
    found = dry_run_report(tmp_path / "run", base, rows_for(objective), objective=objective)
    first = found.shown_rows[0]
    assert (first.id, text_of(first, "trained")) == ("row-0", trained_on)
    prompt = "<|im_start|>user\nSummarise client 0.<|im_end|>\n<|im_start|>assistant\n"
    assert text_of(first, "read") == [prompt] * len(trained_on)
    assert text_of(first, "cut") == []
    assert found.estimate is not None
    assert found.estimate.training_seconds > 0


def test_first_middle_and_longest_rows_are_shown_and_what_is_cut_of_them(base: Path, tmp_path: Path) -> None:
    given = rows(8)
    given[6]["completion"][0]["content"] = "You save 300 a month. " * 200
    given[5]["completion"][0]["content"] = " "
    found = dry_run_report(tmp_path / "run", base, given, max_length=64)
    assert [(row.id, row.why) for row in found.shown_rows] == [
        ("row-0", "first"), ("row-3", "middle"), ("row-6", "longest"),
    ]  # fmt: skip
    longest = found.shown_rows[2].sequences[0].spans
    assert [span.part for span in longest] == ["read", "trained", "cut"]
    assert longest[0].tokens + longest[1].tokens == 64
    assert sum(span.tokens for span in longest) == found.shown_rows[2].length == found.longest_length
    assert longest[2].left_out == longest[2].tokens - len(longest[2].beginning) - len(longest[2].end) > 0
    account = found.rows
    assert (account.given, account.used, account.truncated, account.dropped) == (8, 6, 1, 1)
    assert sum(each.rows for each in found.lengths) == 7


def test_a_character_of_several_tokens_is_written_as_one_piece(base: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base)
    text = "Save 3 € – für dich 🙂 now"
    tokens = tokenizer(text, add_special_tokens=False)["input_ids"]
    found = list(pieces(tokens, tokenizer))
    assert "".join(found) == text
    assert {"€", "🙂"} <= {piece.strip() for piece in found}


def test_lengths_fall_into_bins_of_a_round_width() -> None:
    assert length_bins([1, 2, 2]) == (
        LengthBin(first=0, last=0, rows=0), LengthBin(first=1, last=1, rows=1), LengthBin(first=2, last=2,
        rows=2),
    )  # fmt: skip
    found = length_bins([3, 499, 500, 999])
    assert {each.last - each.first + 1 for each in found} == {50}
    assert [(each.first, each.rows) for each in found if each.rows] == [(0, 1), (450, 1), (500, 1), (950, 1)]


def test_a_batch_that_does_not_fit_is_told_and_the_rest_remains(
    trial: ModuleType, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(trial, "make_trainer", full)
    found = dry_run_report(tmp_path / "run", base, rows())
    assert (found.trial, found.estimate) == (None, None)
    assert found.shown_rows
    warned = [
        event["fields"].get("name") for event in events_of(tmp_path / "run") if event["kind"] == "warning"
    ]
    assert "out_of_memory" in warned


def test_the_memory_that_is_held_follows_the_method(base: Path, tmp_path: Path) -> None:
    lora = dry_run_report(tmp_path / "lora", base, rows())
    assert lora.memory.weights == 4 * lora.total_parameters
    assert (lora.memory.gradients, lora.memory.optimiser) == (
        4 * lora.trainable_parameters,
        8 * lora.trainable_parameters,
    )
    full = dry_run_report(tmp_path / "full", base, rows(), method="full", dtype="bf16")
    # Kept in fp32 whatever computes: about 16 bytes a weight.
    assert full.memory.held == 16 * full.total_parameters
    assert full.memory.held < full.peak_memory_bytes < full.memory.device


def test_a_batch_takes_the_time_of_its_padded_tokens(
    trial: ModuleType,
) -> None:
    def seconds(tokens: float, *, longest: tuple[float, float]) -> float:
        timed = Trial(
            longest=TimedBatches(batches=3, tokens=longest[0], seconds=longest[1]),
            usual=TimedBatches(batches=3, tokens=100, seconds=1.0),
            evaluation=None,
            building_seconds=0.0,
            warming_seconds=0.0,
            saving_seconds=0.0,
        )
        return trial.batch_seconds(timed, tokens)

    # On the line through both kinds: half a second whatever the length, and 5 ms a token.
    assert seconds(150, longest=(200, 1.5)) == pytest.approx(1.25)
    # A clock that says that longer is faster, or that a batch without tokens takes less than nothing, is
    # wrong.
    assert seconds(150, longest=(200, 0.5)) == pytest.approx(1.0)
    assert seconds(150, longest=(200, 4.0)) == pytest.approx(1.5)


def test_the_estimate_counts_what_the_training_does(trial: ModuleType, base: Path, tmp_path: Path) -> None:
    fields = {
        "validation_share": 0.2, "max_steps": None, "epochs": 3.0, "accumulation_steps": 2, "evaluations": 4,
        "patience": None,
    }  # fmt: skip
    found = dry_run_report(tmp_path / "dry-run", base, rows(), **fields)
    assert found.estimate is not None and found.trial is not None
    folder = tmp_path / "run"
    whole = train_in(folder, make_spec(base, **fields), rows())
    assert found.estimate.steps == whole.steps
    timed = found.trial.evaluation
    assert timed is not None
    # The rows are as long as each other, but for the last batch: it holds fewer.
    batches = -(-whole.rows.validation // 4)
    tokens = whole.rows.validation / batches / 4 * timed.tokens
    assert found.estimate.evaluating_seconds == pytest.approx(
        len(whole.validation_losses) * batches * timed.seconds * tokens / timed.tokens, rel=0.05
    )
    assert found.trial.sampling_seconds > 0
    assert found.estimate.sampling_seconds == pytest.approx(
        len(whole.validation_losses) * found.trial.sampling_seconds
    )
    batches = -(-whole.rows.used // 4)
    batch = trial.batch_seconds(found.trial, whole.rows.used / batches / 4 * found.trial.usual.tokens)
    updating = found.trial.updating_seconds
    assert 0 < updating < batch
    # A step is two batches, and what the optimiser takes of a batch's time once.
    assert found.estimate.step_seconds == pytest.approx(2 * batch - updating, rel=0.01)


@pytest.mark.parametrize(
    ("sampling", "said"), [(0.0, ()), (30.0, ()), (150.0, ("About 60% of the time is for sample answers",))]
)
def test_sample_answers_are_named_where_they_take_a_large_part_of_the_time(
    sampling: float, said: tuple[str, ...]
) -> None:
    estimate = Estimate(
        steps=10, step_seconds=6.0, preparing_seconds=20.0, training_seconds=60.0, evaluating_seconds=10.0,
        saving_seconds=10.0, sampling_seconds=sampling,
    )  # fmt: skip
    assert estimate.seconds == 100 + sampling
    assert tuple(note.partition(";")[0] for note in estimate.notes) == said


def test_the_batches_that_are_tried_lie_across_all_that_the_training_has(
    trial: ModuleType, base: Path
) -> None:
    lengths = [*range(1, 81), 500]
    chosen = trial.typical_batches(lengths, make_spec(base, rows=81))
    assert all(len(set(batch)) == 4 for batch in chosen)
    warming, short, middle, long = (4 * max(lengths[row] for row in batch) for batch in chosen)
    assert warming == middle
    assert short < middle < long < 4 * 500
    assert short < trial.padded_tokens(lengths, make_spec(base, rows=81)) < 4 * 500


def test_rows_that_do_not_fill_a_batch_are_tried_as_they_are(base: Path, tmp_path: Path) -> None:
    found = dry_run_report(tmp_path / "run", base, rows(3), batch_size=8)
    assert found.trial is not None
    assert found.trial.longest.tokens == found.trial.usual.tokens == 3 * found.longest_length
    assert found.trial.evaluation is None


def test_the_tokens_of_a_trial_are_those_that_the_trainer_was_given(
    trial: ModuleType, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = rows(40)
    for n, row in enumerate(given):
        row["completion"][0]["content"] = "You save 300 a month. " * (1 + n)
    seen: list[int] = []
    make = trial.make_trainer

    def counting(run: Any, callback: Any) -> Any:
        trainer = make(run, callback)
        collate = trainer.data_collator

        def collated(examples: Any) -> Any:
            batch = collate(examples)
            seen.append(batch["input_ids"].numel())
            return batch

        trainer.data_collator = collated
        return trainer

    monkeypatch.setattr(trial, "make_trainer", counting)
    found = dry_run_report(tmp_path / "run", base, given, batch_size=4)
    assert found.trial is not None
    longest, usual = seen[: trial.BATCHES], seen[trial.BATCHES :]
    assert [found.trial.longest.tokens] * trial.BATCHES == longest
    assert found.trial.usual.tokens == pytest.approx(sum(usual[1:]) / len(usual[1:]))
    assert len(set(usual[1:])) == len(usual) - 1
