"""Out-of-memory errors: detection and messages. Standard library only."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from run_directory.records import Record

OUT_OF_MEMORY = "out_of_memory"
"""`name` of the warning event whose fields are a MemoryShortage."""

_UNITS = {"": 1, "B": 1, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}
_ASKED = (
    # torch on a GPU, torch on the CPU, vLLM's cache, vLLM's start.
    re.compile(r"Tried to allocate ([\d.]+) ([KMGT]iB|bytes)", re.IGNORECASE),
    re.compile(r"you tried to allocate (\d+) (bytes)"),
    re.compile(r"\(([\d.]+) (GiB) KV\s+cache is needed"),
    re.compile(r"desired (?:GPU|CPU) memory utilization \([\d.]+, ([\d.]+) (GiB)\)"),
)
_COMPLAINTS = (
    "DefaultCPUAllocator: can't allocate memory",
    "CUDA out of memory",
    "No available memory for the cache blocks",
    "cache is needed, which is larger than the available KV cache",
    "is less than desired GPU memory utilization",
    "is less than desired CPU memory utilization",
)


@dataclass(frozen=True, kw_only=True)
class MemoryShortage(Record):
    """What a program needed and had when it ran out of memory."""

    device: str
    """Name as the machine reports it."""
    had_bytes: int | None
    """Total memory of the device that this program may use."""
    held_bytes: int | None
    """Peak memory of the program."""
    asked_bytes: int | None
    """Size of the failed allocation; None if unknown."""
    batch_size: int | None
    accumulation_steps: int | None
    """For trainings only."""
    length: int | None
    """Tokens of the longest row, or of prompt and answer together."""

    @property
    def numbers(self) -> str:
        """One sentence on what was needed and what was available."""
        where = f"{self.device} ran out of memory"
        held, asked, had = (
            _gigabytes(value) for value in (self.held_bytes, self.asked_bytes, self.had_bytes)
        )
        found = [
            f"it used {held}" if held else "",
            f"asked for {asked} more" if asked and held else f"asked for {asked}" if asked else "",
            f"may use {had} altogether" if had else "",
        ]
        told = [part for part in found if part]
        said = f": {', '.join(told)}" if told else ""
        rows = f", with {self.batch_size} rows at a time" if self.batch_size else ""
        length = f" of up to {self.length:,} tokens" if self.batch_size and self.length else ""
        return f"{where}{said}{rows}{length}"


def levers(program: Literal["training", "inference"]) -> str:
    """Advice against a shortage, cheapest first."""
    if program == "training":
        return (
            "In this order: half the rows at a time with twice the accumulation_steps, which trains the same;"
            " a smaller max_length; gradient_checkpointing, which takes more time, or the method qlora"
        )
    return (
        "In this order: half the batch_size; a smaller max_tokens; a smaller base, or a device with more"
        " memory"
    )


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the machine or GPU ran out of memory; works without torch and vLLM, whose errors it recognises
    by name and message.
    """
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError | ValueError) and any(said in str(error) for said in _COMPLAINTS)


def asked_bytes(error: BaseException) -> int | None:
    """Size of the failed allocation, if the library's message gives it."""
    for pattern in _ASKED:
        if found := pattern.search(str(error)):
            amount, unit = found.groups()
            return int(float(amount) * _UNITS.get(unit.upper(), 1))
    return None


def machine_memory_bytes() -> int | None:
    """Memory that a program on the CPU may use: the machine's, or the control group's limit if that is
    lower.
    """
    limits = [
        _first_number(path)
        for path in (
            _own_group("memory", "memory.limit_in_bytes"),
            _own_group("", "memory.max"),
            Path("/sys/fs/cgroup/memory.max"),
        )
        if path is not None
    ]
    return min((found for found in [_total(), *limits] if found), default=None)


def memory_kills() -> int | None:
    """Number of processes that the kernel has killed for lack of memory since boot; None if unknown."""
    try:
        text = Path("/proc/vmstat").read_text(encoding="ascii")
    except OSError:
        return None
    found = re.search(r"^oom_kill (\d+)$", text, re.MULTILINE)
    return int(found[1]) if found else None


def resident_peak_bytes(process_id: int) -> int | None:
    """Peak resident memory of a process so far; None if it has ended."""
    try:
        text = Path(f"/proc/{process_id}/status").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    found = re.search(r"^VmHWM:\s+(\d+) kB$", text, re.MULTILINE)
    return int(found[1]) * 1024 if found else None


def _own_group(controller: str, name: str) -> Path | None:
    """Path of a file in this process's control group: in v1 by controller, in v2 with an empty controller."""
    try:
        lines = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    for line in lines:
        _, controllers, place = line.split(":", 2)
        if controller in controllers.split(","):
            return Path("/sys/fs/cgroup", controller) / place.lstrip("/") / name
    return None


def _first_number(path: Path) -> int | None:
    try:
        text = path.read_text(encoding="ascii").strip()
    except OSError:
        return None
    # Without a limit the file contains “max”.
    return int(text) if text.isdecimal() else None


def _total() -> int | None:
    try:
        text = Path("/proc/meminfo").read_text(encoding="ascii")
    except OSError:
        return None
    found = re.search(r"^MemTotal:\s+(\d+) kB$", text, re.MULTILINE)
    return int(found[1]) * 1024 if found else None


def _gigabytes(value: int | None) -> str:
    if not value:
        return ""
    return f"{value / 10**9:,.1f} GB" if value >= 10**8 else f"{value / 10**6:,.1f} MB"
