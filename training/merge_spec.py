"""spec.json and result.json of `python -m training.merge`. Standard library only."""

from dataclasses import dataclass
from typing import Literal

from run_directory.protocol import Device, Outcome
from run_directory.records import Record, require

MOST_PROMPTS = 16


@dataclass(frozen=True, kw_only=True)
class MergeSpec(Record):
    """spec.json: an adapter, the base that it belongs to, and on what the two are compared with the whole."""

    format: Literal[1] = 1
    base_folder: str
    base_fingerprint: str
    """As `check_base` takes it: another base in the folder is refused."""
    adapter_folder: str
    adapter_sha256: str
    """Of adapter_model.safetensors, likewise."""
    prompts: tuple[str, ...]
    """What a user asks; the answers of both are compared on them."""
    dtype: Literal["base", "bf16", "fp32"] = "base"
    """The number format of the weights; base: as most of the base's own are."""
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
    """How the written model, opened again, continues the prompts beside the adapter on its base."""

    prompts: int
    positions: int
    """Tokens at which the two were asked for the next one."""
    same_next_token: int
    """Of them: where both hold the same token for the likeliest."""
    mean_distance: float
    """Between their probabilities of the next token: total variation, 0 the same to 1 nothing in common."""
    largest_distance: float


@dataclass(frozen=True, kw_only=True)
class MergeReport(Record):
    dtype: Literal["bf16", "fp16", "fp32"]
    files: dict[str, str]
    """SHA-256 by name, manifest.json left out."""
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
    """manifest.json of a model folder that was merged."""

    format: Literal[1] = 1
    files: dict[str, str]
    fingerprint: str
    base_fingerprint: str
    adapter_sha256: str
    chat_template_sha256: str
    dtype: Literal["bf16", "fp16", "fp32"]
    compared: MergeCheck
