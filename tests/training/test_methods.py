"""Every method and objective on the tiny base: what is learned, that it repeats, and what it leaves."""

import json
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from inference.spec import Candidate, GenerationSpec, SamplingParameters
from run_directory.adapters import check_adapter
from run_directory.bases import check_base
from run_directory.files import sha256_of
from run_directory.program import Refusal
from tests.run_directory.tiny import events_of, make_adapter, opened, write_run
from tests.training.runs import EACH_OBJECTIVE, make_spec, pairs, train
from training.program import train as train_in
from training.spec import TrainingReport

STEPS = 6
needs_bitsandbytes = pytest.mark.skipif(
    find_spec("bitsandbytes") is None, reason="bitsandbytes is not installed: pip install bitsandbytes"
)

KNOWN_LOSSES = {
    ("sft", "lora"): [6.2351, 6.3017, 5.9622, 5.7436, 5.5866, 5.4817],
    ("sft", "rslora"): [6.2351, 6.3017, 5.9095, 5.6259, 6.5272, 5.5654],
    ("sft", "dora"): [6.2351, 6.3017, 5.9566, 5.7406, 5.5813, 5.4731],
    ("sft", "qlora"): [6.2330, 6.3006, 5.9600, 5.7419, 5.5884, 5.4822],
    ("sft", "full"): [6.2351, 6.3017, 5.4301, 4.5813, 4.0372, 3.7725],
    ("dpo", "lora"): [0.6931, 0.6931, 0.4685, 0.3497, 0.2738, 0.2353],
    ("dpo", "rslora"): [0.6931, 0.6931, 0.4057, 0.2726, 0.3719, 0.1990],
    ("dpo", "dora"): [0.6931, 0.6931, 0.4650, 0.3440, 0.2643, 0.2223],
    ("dpo", "qlora"): [0.6931, 0.6931, 0.4668, 0.3445, 0.2684, 0.2272],
    ("dpo", "full"): [0.6931, 0.6931, 0.2700, 0.1215, 0.0634, 0.0453],
    ("kto", "lora"): [0.7500, 0.5000, 0.5636, 0.7702, 0.4992, 0.5370],
    ("kto", "rslora"): [0.7500, 0.5000, 0.5414, 0.7382, 0.5009, 0.4194],
    ("kto", "dora"): [0.7500, 0.5000, 0.5626, 0.7688, 0.4993, 0.5321],
    ("kto", "qlora"): [0.7500, 0.5000, 0.5624, 0.7702, 0.4992, 0.5390],
    ("kto", "full"): [0.7500, 0.5000, 0.4910, 0.6470, 0.4983, 0.3689],
}
"""Of `make_spec` on its rows, seed 42, fp32: they change only when what is trained changes."""

Finished = Callable[[str, str], tuple[Path, TrainingReport]]


def marked(objective: str, method: str, *marks: pytest.MarkDecorator) -> Any:
    """A combination of the two as a parameter of a test."""
    needs = (needs_bitsandbytes,) if method == "qlora" else ()
    return pytest.param(objective, method, marks=(*marks, *needs))


# A checkpoint holds what the method trains; the other objectives differ from SFT in their loss alone.
COMBINATIONS = [
    marked(*each, *(() if "sft" in each or "lora" in each else (pytest.mark.verification,)))
    for each in KNOWN_LOSSES
]


def spec_of(base: Path, objective: str, method: str, **fields: Any) -> Any:
    return make_spec(base, objective=objective, method=method, max_steps=STEPS, **fields)


@pytest.fixture(scope="module")
def finished(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A finished run of an objective and a method, trained once for all tests."""
    done: dict[tuple[str, str], tuple[Path, TrainingReport]] = {}

    def run(objective: str, method: str) -> tuple[Path, TrainingReport]:
        if (objective, method) not in done:
            folder = tmp_path_factory.mktemp(f"{objective}-{method}") / "run"
            done[objective, method] = folder, train(folder, spec_of(base, objective, method))
        return done[objective, method]

    return run


@pytest.mark.parametrize(("objective", "method"), COMBINATIONS)
def test_the_losses_are_the_known_ones(finished: Finished, objective: str, method: str) -> None:
    _, report = finished(objective, method)
    assert (report.method, report.objective) == (method, objective)
    assert [step.loss for step in report.losses] == pytest.approx(KNOWN_LOSSES[objective, method], rel=1e-3)


@pytest.mark.parametrize(("objective", "method"), COMBINATIONS)
def test_resumed_from_a_checkpoint_it_has_the_same_losses_and_the_same_weights(
    finished: Finished, tmp_path: Path, objective: str, method: str
) -> None:
    folder, whole = finished(objective, method)
    again = tmp_path / "run"
    shutil.copytree(folder, again)
    # As a kill before the last checkpoint leaves it.
    for name in (f"checkpoints/checkpoint-{STEPS}", "adapter", "model"):
        shutil.rmtree(again / name, ignore_errors=True)
    _, resumed = train_in(opened(again))
    assert resumed.resumed_from == 3
    assert resumed.losses == whole.losses
    assert resumed.tokens == whole.tokens
    assert resumed.adapter_sha256 == whole.adapter_sha256
    assert resumed.model_fingerprint == whole.model_fingerprint


def test_rslora_makes_an_adapter_that_engines_scale_as_it_was_trained(finished: Finished, base: Path) -> None:
    folder, report = finished("sft", "rslora")
    adapter = check_adapter(folder / "adapter", check_base(base))
    assert adapter.lora.use_rslora
    assert adapter.sha256 == report.adapter_sha256
    assert report.model_fingerprint is None


@needs_bitsandbytes
def test_qlora_makes_an_adapter_for_the_unrounded_base(finished: Finished, base: Path) -> None:
    folder, report = finished("sft", "qlora")
    assert check_adapter(folder / "adapter", check_base(base)).sha256 == report.adapter_sha256
    assert "bitsandbytes" in report.packages


@pytest.mark.parametrize("method", ["dora", "full"])
def test_what_no_engine_takes_as_an_adapter_ends_in_a_whole_model(
    finished: Finished, base: Path, method: str
) -> None:
    folder, report = finished("sft", method)
    assert not (folder / "adapter").exists()
    assert report.adapter_sha256 is None
    before, made = check_base(base), check_base(folder / "model")
    assert made.fingerprint == report.model_fingerprint != before.fingerprint
    assert made.chat_template_sha256 == before.chat_template_sha256
    assert made.tensors.keys() == before.tensors.keys()
    manifest = json.loads((folder / "model" / "manifest.json").read_text())
    assert manifest["base_fingerprint"] == before.fingerprint
    assert manifest["files"]["tokenizer.json"] == sha256_of(base / "tokenizer.json")
    assert all(sha256_of(folder / "model" / name) == sha for name, sha in manifest["files"].items())


def test_the_share_of_trained_weights_is_told(finished: Finished) -> None:
    assert finished("sft", "full")[1].trainable_share == 1
    assert 0 < finished("sft", "dora")[1].trainable_share < 0.2


def test_the_full_model_of_a_dora_answers_as_its_adapter_does(finished: Finished, base: Path) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    folder, _ = finished("sft", "dora")
    tokens = torch.arange(1, 60)[None]
    plain = AutoModelForCausalLM.from_pretrained(base)
    unadapted = plain(tokens).logits
    adapted = PeftModel.from_pretrained(plain, folder / "checkpoints" / f"checkpoint-{STEPS}")
    whole = AutoModelForCausalLM.from_pretrained(folder / "model")
    with torch.no_grad():
        assert torch.allclose(adapted(tokens).logits, whole(tokens).logits, atol=1e-4)
        assert not torch.allclose(unadapted, whole(tokens).logits, atol=1e-2)


def test_a_full_model_generates_and_is_trained_further_as_any_base(
    finished: Finished, tmp_path: Path
) -> None:
    from inference.generate import generation

    folder, _ = finished("sft", "full")
    asked = {"example": "a", "messages": [{"role": "user", "content": "Summarise client 3."}]}
    spec = GenerationSpec(
        base_folder=str(folder / "model"),
        candidates=(Candidate(key="whole", kind="base"),),
        rows=1,
        sampling=SamplingParameters(max_tokens=4),
        engine="transformers",
        device="cpu",
        threads=1,
    )
    write_run(tmp_path / "answers", spec, [asked])
    _, report = generation(opened(tmp_path / "answers"))
    assert report.outputs == 1
    further = train(tmp_path / "further", make_spec(folder / "model", max_steps=1))
    assert further.losses[0].loss < 4


def test_dpo_raises_the_chosen_answers_above_the_rejected_ones(finished: Finished) -> None:
    folder, _ = finished("dpo", "lora")
    progress = [event["fields"] for event in events_of(folder) if event["kind"] == "progress"]
    assert progress[0]["margin"] == pytest.approx(0, abs=1e-5)
    assert progress[-1]["margin"] > 0.5
    assert progress[-1]["preferred_share"] == 1


def test_dpo_from_an_adapter_is_held_to_that_adapter_and_not_to_the_base(base: Path, tmp_path: Path) -> None:
    # Before its first step the model is what it is held to: the margin is 0, and the loss ln 2.
    started_from = make_adapter(base, tmp_path / "strong")
    report = train(
        tmp_path / "run",
        spec_of(base, "dpo", "lora", continue_from=str(started_from), warmup_share=0.5),
    )
    assert report.losses[0].loss == pytest.approx(0.6931, abs=1e-4)
    assert report.continued_from_sha256 == sha256_of(started_from / "adapter_model.safetensors")


def test_kto_weighs_the_rarer_kind_so_that_both_count_the_same(finished: Finished) -> None:
    _, report = finished("kto", "lora")
    assert report.set_by_rows == {
        "desirable_rows": 16,
        "undesirable_rows": 8,
        "desirable_weight": 1,
        "undesirable_weight": 2,
    }


def test_an_adapter_is_continued_by_the_method_that_scales_it_alike(
    finished: Finished, base: Path, tmp_path: Path
) -> None:
    adapter = str(finished("sft", "rslora")[0] / "adapter")
    with pytest.raises(Refusal, match=r"is scaled as rslora.*choose the method rslora"):
        train(tmp_path / "lora", spec_of(base, "sft", "lora", continue_from=adapter))
    report = train(tmp_path / "rslora", make_spec(base, method="rslora", continue_from=adapter, max_steps=1))
    assert report.losses[0].loss < 5.5


def test_rows_that_the_trainer_loses_end_the_run(base: Path, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(
        "training.trainers._WithReference._prepare_dataset", lambda self, rows, *_: rows.select(range(3))
    )
    with pytest.raises(RuntimeError, match="has 3 of 24 rows"):
        train(tmp_path / "run", spec_of(base, "dpo", "lora"))


def test_pairs_that_teach_nothing_are_counted_and_named(base: Path, tmp_path: Path) -> None:
    given = pairs(6)
    given[0]["rejected"] = given[0]["chosen"]
    given[1]["rejected"] = [{"role": "assistant", "content": " "}]
    given[2]["prompt"][0]["content"] = "plain words " * 60
    given[3]["rejected"] = [{"role": "assistant", "content": "plain words " * 60}]
    spec = make_spec(base, objective="dpo", rows=6, max_steps=1, max_length=100)
    account = train(tmp_path / "run", spec, given).rows
    assert account.given == account.used + account.truncated + account.dropped == 6
    assert account.truncated_ids == ("row-3",)
    assert {row.id: row.reason for row in account.dropped_rows} == {
        "row-0": "same_answers",
        "row-1": "empty_completion",
        "row-2": "prompt_too_long",
    }


def test_the_best_weights_on_validation_pairs_are_kept(base: Path, tmp_path: Path) -> None:
    given = [{**pair, "split": "validation" if n < 4 else "train"} for n, pair in enumerate(pairs())]
    spec = make_spec(base, objective="dpo", method="full", max_steps=4, evaluations=2, learning_rate=1e-3)
    report = train(tmp_path / "run", spec, given)
    assert [step.step for step in report.validation_losses] == [2, 4]
    assert report.kept_step == min(report.validation_losses, key=lambda step: step.loss).step
    assert report.rows.validation == 4


@pytest.mark.parametrize(
    ("objective", "method"),
    [("sft", "full"), ("dpo", "dora"), pytest.param("kto", "qlora", marks=needs_bitsandbytes)],
)
def test_bf16_trains_as_well_and_is_what_the_full_model_is_in(
    base: Path, tmp_path: Path, objective: str, method: str
) -> None:
    report = train(tmp_path / "run", spec_of(base, objective, method, dtype="bf16"))
    assert report.device.dtype == "bf16"
    assert report.losses[-1].loss < report.losses[0].loss
    if report.model_fingerprint is not None:
        made = check_base(tmp_path / "run" / "model")
        assert {tensor.dtype for tensor in made.tensors.values()} == {"BF16"}


@pytest.mark.parametrize("method", ["lora", "full"])
def test_computing_twice_to_save_memory_changes_no_loss(base: Path, tmp_path: Path, method: str) -> None:
    report = train(tmp_path / "run", spec_of(base, "sft", method, gradient_checkpointing=True))
    assert [step.loss for step in report.losses] == pytest.approx(KNOWN_LOSSES["sft", method], rel=1e-3)


@EACH_OBJECTIVE
def test_resumed_it_knows_the_evaluations_and_the_best_weights_of_before(
    base: Path, tmp_path: Path, objective: str
) -> None:
    spec = spec_of(base, objective, "lora", validation_share=0.2, evaluations=6, patience=None)
    whole = train(tmp_path / "whole", spec)
    again = tmp_path / "again"
    shutil.copytree(tmp_path / "whole", again)
    for name in (f"checkpoints/checkpoint-{STEPS}", "adapter"):
        shutil.rmtree(again / name)
    _, resumed = train_in(opened(again))
    assert resumed.resumed_from == 3
    assert [step.step for step in whole.validation_losses] == list(range(1, STEPS + 1))
    assert resumed.validation_losses == whole.validation_losses
    assert (resumed.kept_step, resumed.adapter_sha256) == (whole.kept_step, whole.adapter_sha256)
