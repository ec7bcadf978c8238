"""spec.json and result.json of `python -m training.merge`. Standard library only."""

from dataclasses import dataclass
from typing import Literal

from run_directory.protocol import Device, Outcome
from run_directory.records import Record, require

MOST_PROMPTS = 16


@dataclass(frozen=True, kw_only=True)
class MergeSpec(Record):
    """spec.json: an adapter, its base, and the prompts on which the merged model is compared with them."""

    format: Literal[1] = 1
    base_folder: str
    base_fingerprint: str
    """As from `check_base`; a base with another fingerprint is rejected."""
    adapter_folder: str
    adapter_sha256: str
    """SHA-256 of adapter_model.safetensors; an adapter with another one is rejected."""
    prompts: tuple[str, ...]
    """User messages to which both answers are compared."""
    dtype: Literal["base", "bf16", "fp32"] = "base"
    """Number format of the merged weights; base: that of most of the base's weights."""
    threads: int | None = None

    def check(self, where: str) -> None:
        require(
            1 <= len(self.prompts) <= MOST_PROMPTS and all(self.prompts),
            where,
            f"prompts: give 1 to {MOST_PROMPTS} texts, none of them empty",
        )
        require(self.threads is None or self.threads >= 1, where, "threads is less than 1")


@dataclass(frozen=True, kw_only=True)
class MergeCheck(Record):
    """Comparison of the written model, loaded again, with the adapter on its base."""

    prompts: int
    positions: int
    """Number of tokens at which both predicted the next token."""
    same_next_token: int
    """Positions at which both give the same token the highest probability."""
    mean_distance: float
    """Mean total variation distance of the next-token probabilities: 0 identical, 1 disjoint."""
    largest_distance: float


@dataclass(frozen=True, kw_only=True)
class MergeReport(Record):
    dtype: Literal["bf16", "fp16", "fp32"]
    files: dict[str, str]
    """SHA-256 by file name, without manifest.json."""
    size_bytes: int
    fingerprint: str
    base_fingerprint: str
    adapter_sha256: str
    chat_template_sha256: str
    compared: MergeCheck
    device: Device
    packages: dict[str, str]
    seconds: float
    peak_memory_bytes: int


@dataclass(frozen=True, kw_only=True)
class MergeResult(Record):
    """result.json."""

    program: Literal["training.merge"] = "training.merge"
    format: Literal[1] = 1
    outcome: Outcome
    exit_code: int
    message: str
    spec_sha256: str | None
    report: MergeReport | None = None


@dataclass(frozen=True, kw_only=True)
class MergedManifest(Record):
    """manifest.json of a merged model's folder."""

    format: Literal[1] = 1
    files: dict[str, str]
    fingerprint: str
    base_fingerprint: str
    adapter_sha256: str
    chat_template_sha256: str
    dtype: Literal["bf16", "fp16", "fp32"]
    compared: MergeCheck
