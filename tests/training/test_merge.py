"""An adapter and its base as one model, on the tiny model."""

import shutil
from pathlib import Path

import pytest

from run_directory.adapters import check_adapter
from run_directory.bases import check_base
from run_directory.files import sha256_of
from run_directory.model_files import UnusableModelError
from run_directory.program import Refusal
from run_directory.protocol import ExitCode
from tests.run_directory.tiny import make_adapter, make_base, opened, run, spoiled, write_run
from training import merge as merging
from training.merge import merge
from training.merge_spec import MergeReport, MergeResult, MergeSpec

PROMPTS = ("Summarise client 3.", "How many percent are shares?")


@pytest.fixture(scope="module")
def adapter(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_adapter(base, tmp_path_factory.mktemp("adapter") / "v1")


def spec_of(base: Path, adapter: Path, **fields: object) -> MergeSpec:
    checked = check_base(base)
    given = {
        "base_folder": str(base), "base_fingerprint": checked.fingerprint, "adapter_folder": str(adapter),
        "adapter_sha256": check_adapter(adapter, checked).sha256, "prompts": PROMPTS, "threads": 1,
    }  # fmt: skip
    return MergeSpec(**(given | fields))


def merged(folder: Path, spec: MergeSpec) -> MergeReport:
    write_run(folder, spec, [])
    return merge(opened(folder))[1]


def test_the_program_leaves_a_model_that_answers_as_the_adapter_does(
    base: Path, adapter: Path, tmp_path: Path
) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    folder = write_run(tmp_path / "run", spec_of(base, adapter), [])
    assert run("training.merge", folder) == (ExitCode.SUCCEEDED, "")
    report = MergeResult.from_json((folder / "result.json").read_bytes()).report
    assert report is not None
    whole = folder / "model"
    assert {
        path.name: sha256_of(path) for path in whole.iterdir() if path.name != "manifest.json"
    } == report.files
    assert report.size_bytes == sum(path.stat().st_size for path in whole.iterdir())
    assert check_base(whole).fingerprint == report.fingerprint != check_base(base).fingerprint
    assert (report.compared.same_next_token, report.compared.prompts) == (report.compared.positions, 2)
    assert report.compared.mean_distance < 1e-4

    tokens = torch.arange(3, 40)[None]
    adapted = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), adapter)
    with torch.inference_mode():
        expected, found = adapted(tokens).logits, AutoModelForCausalLM.from_pretrained(whole)(tokens).logits
        assert torch.allclose(expected, found, atol=1e-4)
        assert not torch.allclose(AutoModelForCausalLM.from_pretrained(base)(tokens).logits, found, atol=0.1)


@pytest.mark.parametrize(("dtype", "stored"), [("base", "F32"), ("fp32", "F32"), ("bf16", "BF16")])
def test_the_weights_are_in_the_format_that_was_asked_for(
    base: Path, adapter: Path, tmp_path: Path, dtype: str, stored: str
) -> None:
    report = merged(tmp_path / "run", spec_of(base, adapter, dtype=dtype))
    kinds = {tensor.dtype for tensor in check_base(tmp_path / "run" / "model").tensors.values()}
    assert kinds == {stored}
    assert report.dtype == ("bf16" if dtype == "bf16" else "fp32")


def test_another_base_or_adapter_than_was_registered_is_refused(
    base: Path, adapter: Path, tmp_path: Path
) -> None:
    other = make_base(tmp_path / "other", seed=9)
    swapped = spec_of(base, adapter, base_folder=str(other))
    with pytest.raises(Refusal, match="has other weights than the adapter's base had"):
        merged(tmp_path / "a", swapped)
    with pytest.raises(Refusal, match="is not the one that was registered"):
        merged(tmp_path / "b", spec_of(base, adapter, adapter_sha256="0" * 64))
    assert [path.name for path in (tmp_path / "b").iterdir() if path.is_dir()] == []


def test_nothing_is_merged_into_a_base_whose_weights_are_no_numbers(
    base: Path, adapter: Path, tmp_path: Path
) -> None:
    bad = spoiled(base, tmp_path / "bad")
    spec = spec_of(base, adapter, base_folder=str(bad), base_fingerprint=check_base(bad).fingerprint)
    with pytest.raises(UnusableModelError, match=r"model\.norm\.weight' has infinite"):
        merged(tmp_path / "a", spec)


def test_a_model_that_answers_otherwise_is_not_published(
    base: Path, adapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if peft had left the adapter out."""
    write = merging.write_model

    def forgets_the_adapter(model: object, of: object, fresh: Path) -> dict[str, str]:
        files = write(model, of, fresh)
        shutil.copyfile(base / "model.safetensors", fresh / "model.safetensors")
        return files

    monkeypatch.setattr(merging, "write_model", forgets_the_adapter)
    with pytest.raises(Refusal, match="does not answer as the adapter on its base does"):
        merged(tmp_path / "run", spec_of(base, adapter))
    assert not (tmp_path / "run" / "model").exists()
