"""The device that a program uses and the library versions, for its report.

Callers pass torch in, so that this package does not depend on it.
"""

import gc
import os
import platform
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from types import ModuleType
from typing import Any, Literal, cast

from run_directory.memory import (
    OUT_OF_MEMORY,
    MemoryShortage,
    asked_bytes,
    is_out_of_memory,
    levers,
    machine_memory_bytes,
)
from run_directory.program import Refusal, RunDirectory
from run_directory.protocol import Device
from run_directory.ranks import ALONE, Rank

# Python's default is 700. The model libraries create half a million permanent objects; repeated garbage
# collection over them took a fifth of their import time.
_OBJECTS_BEFORE_GARBAGE = 20_000


def set_environment() -> None:
    """Set environment variables and garbage collection for the model libraries; call before importing
    them.
    """
    gc.set_threshold(_OBJECTS_BEFORE_GARBAGE)
    # Models are loaded from folders on this machine, never from a hub.
    os.environ.update(
        {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "TOKENIZERS_PARALLELISM": "false"}
    )
    # A trainer that sees several GPUs splits each batch over all of them, which changes the spec's batch
    # size. To use more than one, start a process for each, as torchrun does.
    if "LOCAL_RANK" not in os.environ:
        os.environ.setdefault("CUDA_VISIBLE_DEVICES", "0")
    # OpenMP threads that spin while waiting take the cores from the web processes and from each other: beside
    # one other busy process, this cut a training step from 60 s to 14 s.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def leave_out(*libraries: str) -> None:
    """Prevent the import of optional libraries that model libraries import wherever they are installed, which
    costs seconds and a hundred megabytes per start. Call it before importing them; libraries already imported
    stay.
    """
    for library in libraries:
        # None makes Python raise ModuleNotFoundError for the name.
        sys.modules.setdefault(library, cast(ModuleType, None))


def chosen_device(
    torch: Any,
    *,
    device: Literal["auto", "cpu", "cuda"],
    dtype: Literal["auto", "bf16", "fp32"],
    threads: int | None,
    rank: Rank = ALONE,
) -> Device:
    """Choose the device that a spec asks for, with the reason in words; also sets torch's thread count.

    Each of several processes gets a GPU of its own or its share of the cores. Raises Refusal when a GPU is
    required and there is none, or fewer than processes.
    """
    has_gpu = bool(torch.cuda.is_available())
    if device == "cuda" and not has_gpu:
        raise Refusal('spec.json asks for device "cuda", but torch sees no GPU here; use "auto" or "cpu"')
    usable = max(1, len(os.sched_getaffinity(0)) // rank.count)
    count = min(threads or usable, usable)
    torch.set_num_threads(count)
    if has_gpu and device != "cpu":
        if rank.count > 1:
            _take_own_gpu(torch, rank)
        # Emulated bf16 is slow, and vLLM rejects it.
        chosen = "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
        name, reason, kind = torch.cuda.get_device_name(rank.on_this_machine), "a GPU is here", "cuda"
    else:
        # Without these instructions bf16 is emulated and slower than fp32.
        chosen = "bf16" if torch.ops.mkldnn._is_mkldnn_bf16_supported() else "fp32"
        name, kind = _processor_name(), "cpu"
        reason = "the run asks for the CPU" if has_gpu else "torch sees no GPU here"
    return Device.from_dict(
        {
            "kind": kind,
            "name": name,
            "dtype": chosen if dtype == "auto" else dtype,
            "threads": count,
            "reason": reason,
        }
    )


def _take_own_gpu(torch: Any, rank: Rank) -> None:
    if rank.on_this_machine >= torch.cuda.device_count():
        raise Refusal(
            f"{rank.count} processes were started, and torch sees {torch.cuda.device_count()} GPUs here;"
            " start as many as there are GPUs"
        )
    torch.cuda.set_device(rank.on_this_machine)


def peak_memory_bytes(torch: Any, device: Device) -> int:
    """Peak memory of this process in bytes: allocated on a GPU, resident on the CPU."""
    if device.kind == "cuda":
        return int(torch.cuda.max_memory_allocated())
    kilobytes = sum(
        resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return kilobytes * 1024


def memory_bytes(torch: Any, device: Device) -> int | None:
    """Total memory of a GPU; on the CPU, the machine memory that a program may use. None if unknown."""
    if device.kind == "cuda":
        return int(torch.cuda.get_device_properties(torch.cuda.current_device()).total_memory)
    return machine_memory_bytes()


def gpu_memory_in_use(torch: Any) -> int:
    """Bytes of GPU memory that all processes use now, since vLLM's engine is a separate process there."""
    free, total = torch.cuda.mem_get_info()
    return int(total - free)


@contextmanager
def explained_shortage(
    torch: Any,
    directory: RunDirectory,
    device: Device,
    *,
    program: Literal["training", "inference"],
    batch_size: int | None = None,
    accumulation_steps: int | None = None,
    length: int | None = None,
) -> Iterator[None]:
    """Turn out-of-memory errors inside into a Refusal with numbers and advice, and write a warning event."""
    try:
        yield
    except Exception as error:
        # Libraries report it with many exception types; other errors are re-raised.
        if not is_out_of_memory(error):
            raise
        shortage = MemoryShortage(
            device=device.name,
            had_bytes=memory_bytes(torch, device),
            held_bytes=peak_memory_bytes(torch, device),
            asked_bytes=asked_bytes(error),
            batch_size=batch_size,
            accumulation_steps=accumulation_steps,
            length=length,
        )
        directory.events.write(
            "warning", f"Not enough memory on {device.name}.", name=OUT_OF_MEMORY, **shortage.to_dict()
        )
        raise Refusal(f"{shortage.numbers}. {levers(program)}") from error


def package_versions(*names: str) -> dict[str, str]:
    """Installed versions by distribution name, without absent ones, and Python's version."""
    found = {"python": platform.python_version()}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _processor_name() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
