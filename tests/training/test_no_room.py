"""The memory or the disk is not enough: the numbers are told, the last whole checkpoint stays, and it goes
on.
"""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from run_directory.program import Refusal
from run_directory.protocol import ExitCode
from tests.run_directory.tiny import events_of, result_of, run, write_run
from tests.training.runs import make_spec, rows, train
from training import loop
from training.checkpoints import latest_checkpoint
from training.spec import TrainingResult


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting a small file system needs root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def fill(disk: Path, *, leaving: int) -> Path:
    filler = disk / "filler"
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    filler.write_bytes(b"\0" * (free - leaving))
    return filler


@pytest.mark.verification
def test_a_disk_that_is_full_at_a_checkpoint_keeps_the_last_one_and_goes_on_when_there_is_room(
    base: Path, small_disk: Path, tmp_path: Path
) -> None:
    spec = make_spec(base)
    whole = write_run(tmp_path / "whole", spec, rows())
    assert run("training", whole) == (ExitCode.SUCCEEDED, "")
    last = latest_checkpoint(whole)
    assert last is not None
    checkpoint = sum(path.stat().st_size for path in last.rglob("*"))

    folder = write_run(small_disk / "run", spec, rows())
    filler = fill(small_disk, leaving=int(1.6 * checkpoint) + 300_000)
    assert run("training", folder)[0] == ExitCode.FAILED

    message = result_of(folder)["message"]
    assert message.startswith(
        f"the disk that holds {folder} is full: a checkpoint or a result could not be written"
    )
    assert "needs about" in message and message.endswith(
        "is left. Free space on that disk, then start again: it continues from the complete checkpoint"
        " of step 3"
    )
    assert events_of(folder)[-1]["fields"]["outcome"] == "failed"
    kept = latest_checkpoint(folder)
    assert kept is not None and kept.name == "checkpoint-3"
    assert [path.name for path in (folder / "checkpoints").glob("checkpoint-*")] == ["checkpoint-3"]

    filler.unlink()
    assert run("training", folder) == (ExitCode.SUCCEEDED, "")
    reports = [
        TrainingResult.from_json((each / "result.json").read_bytes()).report for each in (whole, folder)
    ]
    assert reports[0] is not None and reports[1] is not None
    assert reports[1].resumed_from == 3
    assert reports[1].losses == reports[0].losses
    assert reports[1].adapter_sha256 == reports[0].adapter_sha256


@pytest.mark.verification
def test_a_disk_without_any_room_still_says_why(base: Path, small_disk: Path) -> None:
    folder = write_run(small_disk / "run", make_spec(base), rows())
    filler = fill(small_disk, leaving=90_000)
    assert run("training", folder)[0] == ExitCode.FAILED
    assert result_of(folder)["message"].endswith(
        "then start again: there is no checkpoint yet, so it starts from the beginning"
    )
    filler.unlink()
    assert run("training", folder) == (ExitCode.SUCCEEDED, "")


def test_a_lack_of_memory_is_told_with_its_numbers_and_the_levers_in_order(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise RuntimeError(
            "DefaultCPUAllocator: can't allocate memory: you tried to allocate 9000000000 bytes."
        )

    monkeypatch.setattr(loop, "_train", full)
    with pytest.raises(Refusal) as told:
        train(tmp_path / "run", make_spec(base, accumulation_steps=2))
    said = str(told.value)
    assert "asked for 9.0 GB more" in said
    assert "with 4 rows at a time of up to 128 tokens" in said
    places = [
        said.index(lever) for lever in ("half the rows", "smaller max_length", "gradient_checkpointing")
    ]
    assert places == sorted(places)
    fields = next(
        e["fields"] for e in events_of(tmp_path / "run") if e["fields"].get("name") == "out_of_memory"
    )
    assert (fields["batch_size"], fields["accumulation_steps"], fields["length"]) == (4, 2, 128)
