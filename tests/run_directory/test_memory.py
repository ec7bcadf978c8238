"""A lack of memory is recognised however it is told, and its numbers reach a person."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from run_directory.memory import (
    MemoryShortage,
    asked_bytes,
    is_out_of_memory,
    machine_memory_bytes,
    memory_kills,
    resident_peak_bytes,
)

GROUPS = Path("/sys/fs/cgroup/memory")

VLLM = (
    "To serve at least one request with the model's max seq len (4096), (2.5 GiB KV cache is needed, which is"
    " larger than the available KV cache memory (1.0 GiB). Try increasing `gpu_memory_utilization`"
)


class OutOfMemoryError(RuntimeError):
    """As torch names it on a GPU."""


@pytest.mark.parametrize(
    ("error", "asked"),
    [
        (MemoryError(), None),
        (OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total"), 2 * 2**30),
        (
            RuntimeError(
                "[enforce fail at a.cpp] DefaultCPUAllocator: can't allocate memory: "
                "you tried to allocate 8192 bytes. Error"
            ),
            8192,
        ),
        (ValueError(VLLM), 5 * 2**29),
        (
            ValueError(
                "Free memory on device cuda:0 (3.0/80.0 GiB) on startup is less than desired "
                "GPU memory utilization (0.9, 72.0 GiB)."
            ),
            72 * 2**30,
        ),
        (ValueError("No available memory for the cache blocks. Try increasing"), None),
    ],
)  # fmt: skip
def test_every_way_to_say_it_is_understood(error: Exception, asked: int | None) -> None:
    assert is_out_of_memory(error)
    assert asked_bytes(error) == asked


@pytest.mark.parametrize("error", [RuntimeError("shapes differ"), ValueError("memory"), OSError(12, "no")])
def test_other_errors_are_not_taken_for_it(error: Exception) -> None:
    assert not is_out_of_memory(error)


def test_the_sentence_has_the_numbers() -> None:
    shortage = MemoryShortage(
        device="NVIDIA H100", had_bytes=85 * 10**9, held_bytes=79 * 10**9, asked_bytes=2 * 10**9,
        batch_size=8,
        accumulation_steps=2, length=4096,
    )  # fmt: skip
    assert (
        shortage.numbers
        == "NVIDIA H100 ran out of memory: it used 79.0 GB, asked for 2.0 GB more, may use 85.0 GB"
        " altogether, with 8 rows at a time of up to 4,096 tokens"
    )


def test_this_machine_tells_its_memory_and_what_a_process_held() -> None:
    total = machine_memory_bytes()
    assert total is not None and total > 2**28
    peak = resident_peak_bytes(os.getpid())
    assert peak is not None and 2**20 < peak < total
    assert resident_peak_bytes(2**22 + 1) is None


@pytest.mark.skipif(
    not os.access(GROUPS, os.W_OK) or not (GROUPS / "memory.limit_in_bytes").exists(),
    reason="making a control group of one's own needs root and cgroup v1",
)
def test_a_kill_by_the_kernel_is_counted() -> None:
    group = GROUPS / f"evalapp-test-{os.getpid()}"
    group.mkdir()
    try:
        (group / "memory.limit_in_bytes").write_text(str(64 * 2**20))
        before = memory_kills()
        hungry = (
            f"import os; open('{group}/cgroup.procs', 'w').write(str(os.getpid())); held = bytearray(2**28);"
            " print(len(held))"
        )
        assert subprocess.run([sys.executable, "-c", hungry], check=False).returncode == -9
        after = memory_kills()
        assert before is not None and after is not None and after > before
    finally:
        group.rmdir()
