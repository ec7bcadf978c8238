"""What only a GPU shows: every method in bf16, the memory it takes, and what is said when it is not enough.

Run them on a machine with one: `python -m pytest -m gpu`.
"""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from run_directory.program import is_out_of_memory
from tests.run_directory.tiny import events_of, opened, write_run
from tests.training.runs import make_spec, rows, train
from training.dry_run import dry_run
from training.objectives import OBJECTIVES

pytestmark = [pytest.mark.gpu, pytest.mark.usefixtures("torch")]

needs_bitsandbytes = pytest.mark.skipif(
    find_spec("bitsandbytes") is None, reason="bitsandbytes is not installed: pip install bitsandbytes"
)


def on_gpu(base: Path, **fields: Any) -> Any:
    return make_spec(base, device="cuda", **({"dtype": "bf16"} | fields))


@pytest.fixture
def torch() -> ModuleType:
    """Imported by the tests that need it, because that takes long in every process."""
    found: ModuleType = pytest.importorskip("torch")
    if not found.cuda.is_available():
        pytest.skip("torch sees no GPU here")
    return found


@pytest.fixture
def little_memory(torch: ModuleType) -> Iterator[None]:
    """Hardly any of the GPU's memory for this process."""
    torch.cuda.empty_cache()
    held = torch.cuda.memory_reserved()
    torch.cuda.set_per_process_memory_fraction(
        (held + 64 * 2**20) / torch.cuda.get_device_properties(0).total_memory
    )
    yield
    torch.cuda.set_per_process_memory_fraction(1.0)
    torch.cuda.empty_cache()


def long_rows(count: int) -> list[dict[str, Any]]:
    given = rows(count)
    for row in given:
        row["completion"][0]["content"] = "You save 300 a month. " * 60
    return given


@pytest.mark.parametrize("objective", [each.key for each in OBJECTIVES])
@pytest.mark.parametrize(
    "method", ["lora", "rslora", "dora", pytest.param("qlora", marks=needs_bitsandbytes), "full"]
)
def test_every_method_trains_in_bf16(
    torch: ModuleType, base: Path, tmp_path: Path, method: str, objective: str
) -> None:
    report = train(tmp_path / "run", on_gpu(base, method=method, objective=objective))
    assert (report.device.kind, report.device.dtype) == ("cuda", "bf16")
    assert report.device.name == torch.cuda.get_device_name(0)
    assert report.losses[-1].loss < report.losses[0].loss


@pytest.mark.parametrize("method", ["lora", pytest.param("qlora", marks=needs_bitsandbytes), "full"])
def test_resumed_from_a_checkpoint_it_goes_on_where_it_was(base: Path, tmp_path: Path, method: str) -> None:
    import shutil

    from training.program import train as train_in

    folder = tmp_path / "run"
    whole = train(folder, on_gpu(base, method=method, dtype="fp32"))
    for name in ("checkpoints/checkpoint-8", "adapter", "model", "result.json"):
        path = folder / name
        shutil.rmtree(path, ignore_errors=True)
    _, resumed = train_in(opened(folder))
    assert resumed.resumed_from == 6
    # Kernels of a GPU are not deterministic to the last bit.
    assert [step.loss for step in resumed.losses] == pytest.approx(
        [step.loss for step in whole.losses], rel=1e-2
    )


@pytest.mark.parametrize("method", ["lora", pytest.param("qlora", marks=needs_bitsandbytes), "full"])
def test_the_look_tells_the_memory_that_the_training_takes(
    torch: ModuleType, base: Path, tmp_path: Path, method: str
) -> None:
    spec = on_gpu(base, method=method, rows=16, batch_size=8)
    write_run(tmp_path / "dry-run", spec, long_rows(16))
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    _, found = dry_run(opened(tmp_path / "dry-run"))
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    report = train(tmp_path / "run", spec, long_rows(16))
    assert 0 < report.peak_memory_bytes < torch.cuda.get_device_properties(0).total_memory
    assert found.peak_memory_bytes == pytest.approx(report.peak_memory_bytes, rel=0.1)


@pytest.mark.usefixtures("little_memory")
def test_a_lack_of_memory_is_known_as_one(base: Path, tmp_path: Path) -> None:
    spec = on_gpu(base, rows=64, batch_size=64, method="full")
    with pytest.raises(RuntimeError) as caught:
        train(tmp_path / "run", spec, long_rows(64))
    assert is_out_of_memory(caught.value)


@pytest.mark.usefixtures("little_memory")
def test_a_look_says_that_the_longest_batch_does_not_fit(base: Path, tmp_path: Path) -> None:
    write_run(tmp_path / "dry-run", on_gpu(base, rows=64, batch_size=64, method="full"), long_rows(64))
    _, found = dry_run(opened(tmp_path / "dry-run"))
    assert (found.trial, found.estimate) == (None, None)
    warned = [
        event["fields"].get("name") for event in events_of(tmp_path / "dry-run") if event["kind"] == "warning"
    ]
    assert "out_of_memory" in warned
