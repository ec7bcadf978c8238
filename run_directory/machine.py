"""The device that a program uses and the versions it runs with, for its report.

torch is handed in, so that this package stays free of it.
"""

import os
import platform
import resource
from importlib import metadata
from typing import Any, Literal

from run_directory.program import Refusal
from run_directory.protocol import Device


def set_environment() -> None:
    """Variables that the model libraries read when they are imported; call it first."""
    # Models come from folders on this machine, never from a hub.
    os.environ.update(
        {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "TOKENIZERS_PARALLELISM": "false"}
    )
    # OpenMP threads that spin while they wait take the cores from the web processes, and from each other:
    # beside one other busy process a training step took 14 s instead of 60 s with this.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def chosen_device(
    torch: Any,
    *,
    device: Literal["auto", "cpu", "cuda"],
    dtype: Literal["auto", "bf16", "fp32"],
    threads: int | None,
) -> Device:
    """The device for a spec's wishes, with the reason in words; sets torch's threads.

    Raises Refusal when a GPU is demanded and there is none.
    """
    has_gpu = bool(torch.cuda.is_available())
    if device == "cuda" and not has_gpu:
        raise Refusal('spec.json asks for device "cuda", but torch sees no GPU here; use "auto" or "cpu"')
    usable = len(os.sched_getaffinity(0))
    count = min(threads or usable, usable)
    torch.set_num_threads(count)
    if has_gpu and device != "cpu":
        chosen = "bf16" if torch.cuda.is_bf16_supported() else "fp32"
        name, reason, kind = torch.cuda.get_device_name(0), "a GPU is here", "cuda"
    else:
        # Without these instructions bf16 is emulated, and slower than fp32.
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


def peak_memory_bytes(torch: Any, device: Device) -> int:
    """The most memory this process has held: allocated on a GPU, resident on the CPU."""
    if device.kind == "cuda":
        return int(torch.cuda.max_memory_allocated())
    kilobytes = sum(
        resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return kilobytes * 1024


def gpu_memory_in_use(torch: Any) -> int:
    """Bytes of the GPU that all processes hold now: vLLM's engine is a process of its own there."""
    free, total = torch.cuda.mem_get_info()
    return int(total - free)


def memory_limit_bytes(torch: Any, device: Device) -> int | None:
    """What a GPU has; on the CPU what this process may use of the machine's. None where nothing says it."""
    if device.kind == "cuda":
        return int(torch.cuda.get_device_properties(0).total_memory)
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limits = [int(text) for text in map(_read_line, _CGROUP_LIMITS) if text.isdigit()]
    # A group without a limit of its own names a number beyond any machine, or "max".
    return min([machine, *limits]) if machine > 0 else None


def package_versions(*names: str) -> dict[str, str]:
    """Installed versions by distribution name, absent ones left out, and Python's own."""
    found = {"python": platform.python_version()}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


_CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def _read_line(path: str) -> str:
    try:
        with open(path, encoding="ascii") as file:
            return file.readline().strip()
    except OSError:
        return ""


def _processor_name() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
