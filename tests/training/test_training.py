import json
import re
import shutil
from pathlib import Path

import pytest

from run_directory.adapters import check_adapter
from run_directory.bases import check_base
from run_directory.files import sha256_of
from run_directory.program import Refusal
from tests.run_directory.tiny import events_of, make_adapter, opened, write_run
from tests.training.runs import STEPS, make_spec, rows, train
from training.program import train as train_in
from training.publishing import publish_adapter, publish_model
from training.spec import LoraParameters, TrainingReport

KNOWN_LOSSES = [6.2350, 6.3017, 5.9620, 5.7350, 5.5520, 5.4080, 5.2070, 5.1400]
"""Of `make_spec` on `rows`, seed 42, fp32: they change only when what is trained changes."""


def test_the_losses_are_the_known_ones(trained: tuple[Path, TrainingReport]) -> None:
    _, report = trained
    assert [step.step for step in report.losses] == list(range(1, STEPS + 1))
    assert [step.loss for step in report.losses] == pytest.approx(KNOWN_LOSSES, rel=1e-3)


def test_the_report_accounts_for_rows_steps_and_parameters(
    trained: tuple[Path, TrainingReport], base: Path
) -> None:
    _, report = trained
    assert (report.rows.given, report.rows.used, report.rows.train) == (24, 24, 24)
    assert (report.steps, report.kept_step, report.max_length) == (STEPS, STEPS, 128)
    assert report.epochs == pytest.approx(STEPS / 6)
    assert report.trainable_share == pytest.approx(report.trainable_parameters / report.total_parameters)
    assert report.total_parameters == check_base(base).parameters + report.trainable_parameters
    assert report.tokens > 0
    assert report.peak_memory_bytes > 0
    assert report.device.reason == "torch sees no GPU here"
    assert {"torch", "transformers", "peft", "trl"} <= set(report.packages)


def test_the_adapter_fits_its_base_and_says_what_it_was_made_from(
    trained: tuple[Path, TrainingReport], base: Path
) -> None:
    folder, report = trained
    assert sorted(path.name for path in (folder / "adapter").iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
        "manifest.json",
    ]
    adapter = check_adapter(folder / "adapter", check_base(base))
    assert adapter.sha256 == report.adapter_sha256
    assert adapter.manifest is not None
    assert adapter.manifest.rows == 24
    assert adapter.manifest.data_sha256 == sha256_of(folder / "data.jsonl")
    config = json.loads((folder / "adapter" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == base.name


def test_progress_tells_step_loss_rate_speed_and_time_left(trained: tuple[Path, TrainingReport]) -> None:
    folder, report = trained
    progress = [event for event in events_of(folder) if event["kind"] == "progress"]
    assert [(event["step"], event["total"]) for event in progress] == [
        (n, STEPS) for n in range(1, STEPS + 1)
    ]
    assert [event["fields"]["loss"] for event in progress] == [step.loss for step in report.losses]
    assert all(
        set(event["fields"])
        == {
            "loss",
            "learning_rate",
            "gradient_norm",
            "tokens_per_second",
            "epoch",
            "eta_seconds",
            "tokens",
            "seconds",
            "peak_memory_bytes",
            "memory_limit_bytes",
        }
        for event in progress
    )
    fields = [event["fields"] for event in progress]
    assert fields[-1]["tokens"] == report.tokens
    for name in ("tokens", "seconds", "peak_memory_bytes"):
        assert [each[name] for each in fields] == sorted(each[name] for each in fields)
    assert 0 < fields[-1]["peak_memory_bytes"] < fields[-1]["memory_limit_bytes"]
    assert fields[-1]["seconds"] < report.seconds
    assert progress[-1]["fields"]["eta_seconds"] == 0


def test_training_goes_on_from_an_adapter(
    trained: tuple[Path, TrainingReport], base: Path, tmp_path: Path
) -> None:
    folder, first = trained
    report = train(tmp_path / "next", make_spec(base, continue_from=str(folder / "adapter"), max_steps=3))
    assert report.continued_from_sha256 == first.adapter_sha256
    assert report.trainable_parameters == first.trainable_parameters
    assert report.losses[0].loss < first.losses[0].loss * 0.95


def test_the_best_weights_on_validation_are_kept_and_training_stops_early(base: Path, tmp_path: Path) -> None:
    given = [{**one, "split": "validation" if n < 4 else "train"} for n, one in enumerate(rows())]
    for one in given[:4]:
        # Nothing that training teaches: what is learned of the others makes these the less likely.
        one["completion"] = [{"role": "assistant", "content": "zebra quartz vivid jumbo fjord"}]
    spec = make_spec(base, learning_rate=0.05, max_steps=30, evaluations=30, patience=2)
    write_run(tmp_path / "run", spec, given)
    said, report = train_in(opened(tmp_path / "run"))
    best = min(report.validation_losses, key=lambda step: step.loss)
    assert report.kept_step == best.step
    assert report.steps == best.step + 2 < 30
    assert report.planned_steps == 30
    assert said.endswith(
        "It stopped early, before the 30 steps that were planned, because the validation loss had not fallen"
        " for 2 evaluations."
    )
    assert (report.rows.train, report.rows.validation) == (20, 4)


def test_rows_that_do_not_fit_are_counted_and_named(base: Path, tmp_path: Path) -> None:
    given = rows(4)
    given[1]["completion"][0]["content"] = "plain words " * 60
    given[2]["prompt"][0]["content"] = "plain words " * 60
    report = train(tmp_path / "run", make_spec(base, rows=4, max_steps=1, max_length=100), given)
    account = report.rows
    assert account.given == account.used + account.truncated + account.dropped
    assert account.truncated_ids == ("row-1",)
    assert [(row.id, row.reason) for row in account.dropped_rows] == [("row-2", "prompt_too_long")]
    warned = {event["fields"]["name"] for event in events_of(tmp_path / "run") if event["kind"] == "warning"}
    assert warned == {"dropped_rows", "truncated_rows", "few_rows"}


def test_that_nothing_is_held_out_although_asked_for_is_said(base: Path, tmp_path: Path) -> None:
    train(tmp_path / "run", make_spec(base, rows=4, max_steps=1, validation_share=0.2))
    (said,) = (
        event["message"]
        for event in events_of(tmp_path / "run")
        if event["fields"].get("name") == "no_validation"
    )
    assert "no early stopping" in said


def test_a_training_that_diverges_is_said_to(base: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    overflowing = Path(shutil.copytree(base, tmp_path / "base"))
    tensors = load_file(overflowing / "model.safetensors")
    tensors["model.norm.weight"] *= 3e38
    save_file(tensors, overflowing / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(Refusal, match="use a lower learning_rate"):
        train(tmp_path / "run", make_spec(overflowing))
    assert not (tmp_path / "run" / "adapter").exists()


def test_weights_that_the_last_step_made_infinite_are_not_published(base: Path, tmp_path: Path) -> None:
    """The loss of a step is taken before its weights change, so it looks as sound as ever."""
    from safetensors.torch import load_file, save_file
    from transformers import AutoModelForCausalLM

    made = make_adapter(base, tmp_path / "made")
    tensors = load_file(made / "adapter_model.safetensors")
    name = min(tensors)
    tensors[name][0, 0] = float("-inf")
    save_file(tensors, made / "adapter_model.safetensors")
    with pytest.raises(Refusal, match=rf"diverged: its weights in {re.escape(name)} have infinite"):
        publish_adapter(made, tmp_path, {}, "base")

    model = AutoModelForCausalLM.from_pretrained(base)
    model.model.norm.weight.data[3] = float("nan")
    with pytest.raises(Refusal, match=r"diverged: its weights in model\.norm\.weight have"):
        publish_model(model, check_base(base), tmp_path, {})
    assert not (tmp_path / "adapter").exists() and not (tmp_path / "model").exists()


@pytest.mark.parametrize("named", [("nothere",), ("q_proj", "proj")])
def test_a_layer_that_the_base_does_not_have_is_named_with_those_it_has(
    base: Path, tmp_path: Path, named: tuple[str, ...]
) -> None:
    spec = make_spec(base, lora=LoraParameters(target_modules=named))
    with pytest.raises(Refusal, match=rf"names '{named[-1]}', which is not a layer.*down_proj.*v_proj"):
        train(tmp_path / "run", spec)
