"""Checks a LoRA adapter's folder against its base before an engine loads it. Standard library only.

In tests, a DoRA adapter and one with modules_to_save each crashed the vLLM engine, so an adapter is accepted
only if everything in it is known to be plain LoRA.
"""

import re
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from run_directory.bases import Base
from run_directory.files import sha256_of
from run_directory.model_files import (
    UnusableModelError,
    pickles_in,
    read_bytes,
    read_object,
    reading,
    shown,
)
from run_directory.protocol import MANIFEST_FILE, Manifest
from run_directory.records import Record, RecordError, require
from run_directory.weights import Tensor, not_finite_in, read_header

CONFIG_FILE = "adapter_config.json"
WEIGHTS_FILE = "adapter_model.safetensors"
ADAPTER_FILES = (WEIGHTS_FILE, CONFIG_FILE, MANIFEST_FILE)
"""The only files of an adapter that are read."""
HIGHEST_RANK = 512
HIGHEST_ALPHA = 1_000_000
MOST_CONFIG_BYTES = 8 * 2**20
"""Maximum size of adapter_config.json; one that names each of 50,000 layers has a third of it."""

_LONGEST_VERSION = 100
_WEIGHT_TYPES = ("F32", "F16", "BF16")

_PLAIN_STARTS = (None, True, False, "gaussian", "orthogonal", "eva")
"""Values of init_lora_weights that leave the base's weights unchanged."""

_WHY = {
    "use_dora": "is a DoRA adapter",
    "modules_to_save": "has whole layers of its own (modules_to_save)",
    "lora_bias": "trains biases (lora_bias)",
    "rank_pattern": "has different ranks for different layers (rank_pattern)",
    "alpha_pattern": "has different alphas for different layers (alpha_pattern)",
}

_TENSOR_NAME = re.compile(r"base_model\.model\.(?P<module>.+)\.lora_(?P<side>[AB])\.weight")


@dataclass(frozen=True, kw_only=True)
class PlainLora(Record):
    """The fields of adapter_config.json that a plain LoRA may set; all others must be empty."""

    peft_type: Literal["LORA"]
    r: int
    lora_alpha: int | float
    target_modules: str | tuple[str, ...]
    """Names of layers, or one pattern for them."""
    task_type: Literal["CAUSAL_LM"] | None = None
    auto_mapping: dict[str, Any] | None = None
    peft_version: str | None = None
    base_model_name_or_path: str | None = None
    """Location of the base where the adapter was trained; never opened here."""
    revision: str | None = None
    inference_mode: bool = True
    exclude_modules: str | tuple[str, ...] | None = None
    lora_dropout: int | float = 0.0
    fan_in_fan_out: bool = False
    use_rslora: bool = False
    layers_to_transform: int | tuple[int, ...] | None = None
    layers_pattern: str | tuple[str, ...] | None = None
    megatron_core: str | None = None
    qalora_group_size: int | None = None
    runtime_config: dict[str, Any] | None = None
    ensure_weight_tying: bool = False
    init_lora_weights: bool | str | None = True
    bias: Literal["none"] = "none"

    def check(self, where: str) -> None:
        require(
            1 <= self.r <= HIGHEST_RANK,
            where,
            f"the rank r is {shown(self.r)}, not a whole number from 1 to {HIGHEST_RANK}",
        )
        require(
            0 < self.lora_alpha <= HIGHEST_ALPHA,
            where,
            f"lora_alpha is {shown(self.lora_alpha)}, not a number above 0 and up to {HIGHEST_ALPHA:,}",
        )
        require(
            0 <= self.lora_dropout <= 1,
            where,
            f"lora_dropout is {shown(self.lora_dropout)}, not a number from 0 to 1",
        )
        modules = self.target_modules
        require(modules and all(modules), where, "target_modules is empty or names a layer without a name")
        # Both are stored in the database, which rejects NUL.
        require("\0" not in "".join(modules), where, "target_modules has a NUL character")
        version = self.peft_version or ""
        require(
            len(version) <= _LONGEST_VERSION and "\0" not in version,
            where,
            f"peft_version is {shown(version)}, no version",
        )


@dataclass(frozen=True)
class Adapter:
    """An adapter that fits its base."""

    folder: Path
    sha256: str
    """SHA-256 of adapter_model.safetensors: the adapter's identity."""
    lora: PlainLora
    manifest: Manifest | None
    """Set if the training program made the adapter."""

    @property
    def rank(self) -> int:
        return self.lora.r


def check_adapter(folder: Path | str, base: Base) -> Adapter:
    """Read the adapter in a folder, checking that it is plain LoRA with this base's shapes.

    Raises UnusableModelError when it is anything else, is damaged, or was trained here on another base or
    with another chat template.
    """
    folder = Path(folder)
    check_files(folder)
    with reading(folder):
        lora = check_fit(folder, read_header(folder / WEIGHTS_FILE), base)
        if (name := not_finite_in(folder / WEIGHTS_FILE)) is not None:
            raise UnusableModelError(
                f"{folder / WEIGHTS_FILE}: {shown(name)} has infinite or NaN values, so it cannot generate"
                " answers: its training diverged. Train it again with a lower learning rate"
            )
        sha256 = sha256_of(folder / WEIGHTS_FILE)
        manifest = _checked_manifest(folder, sha256, base)
    return Adapter(folder=folder, sha256=sha256, lora=lora, manifest=manifest)


def check_fit(folder: Path, tensors: dict[str, Tensor], base: Base) -> PlainLora:
    """Read the settings in a folder, checking that they and ``tensors`` are plain LoRA with this base's
    shapes.

    The weights file itself may be missing. Raises UnusableModelError.
    """
    lora = _checked_config(folder)
    _check_shapes(tensors, lora, base, folder)
    return lora


def check_files(folder: Path) -> None:
    """Raise UnusableModelError when the folder lacks an adapter's file or has a pickle instead."""
    with reading(folder):
        if not folder.is_dir():
            raise UnusableModelError(f"the adapter folder {folder} does not exist")
        if not (folder / CONFIG_FILE).exists():
            raise UnusableModelError(f"{folder} has no {CONFIG_FILE}; an adapter saved by peft is needed")
        if (folder / WEIGHTS_FILE).exists():
            return
        if pickles := pickles_in(folder):
            raise UnusableModelError(
                f"{folder} has its weights as a pickle ({shown(pickles[0])}), which can run code when"
                " opened, so it was not opened; save the adapter as safetensors"
            )
    raise UnusableModelError(f"{folder} has no {WEIGHTS_FILE}; save the adapter again")


def _checked_config(folder: Path) -> PlainLora:
    config = read_object(folder / CONFIG_FILE, most=MOST_CONFIG_BYTES)
    where = f"{folder / CONFIG_FILE}"
    if config.get("peft_type") != "LORA":
        raise UnusableModelError(
            f"{where}: the adapter is of type {shown(config.get('peft_type'))}; only LORA is served"
        )
    plain = {field.name for field in fields(PlainLora)}
    for name, value in config.items():
        if name not in plain and value:
            why = _WHY.get(name, f"sets {shown(name)}")
            raise UnusableModelError(
                f"{where}: the adapter {why}; only plain LoRA is served. Train it without"
            )
    if config.get("bias", "none") != "none":
        raise UnusableModelError(
            f"{where}: the adapter trains biases (bias={shown(config['bias'])}); train it without"
        )
    if config.get("init_lora_weights", True) not in _PLAIN_STARTS:
        raise UnusableModelError(
            f"{where}: init_lora_weights={shown(config['init_lora_weights'])} changes the base's own weights;"
            " convert it to a plain LoRA with peft's path_initial_model_for_weight_conversion"
        )
    try:
        return PlainLora.from_dict(
            {name: value for name, value in config.items() if name in plain}, where=where
        )
    except RecordError as error:
        raise UnusableModelError(f"{error!s:.500}; save the adapter again with peft") from error


def _check_shapes(tensors: dict[str, Tensor], lora: PlainLora, base: Base, folder: Path) -> None:
    where = f"{folder / WEIGHTS_FILE}"
    sides: dict[str, set[str]] = {}
    for name, tensor in tensors.items():
        found = _TENSOR_NAME.fullmatch(name)
        if found is None:
            raise UnusableModelError(f"{where}: has {shown(name)}, which is not part of a plain LoRA")
        module, side = found["module"], found["side"]
        if module.rpartition(".")[2] in ("lm_head", "embed_tokens"):
            raise UnusableModelError(
                f"{where}: adapts {shown(module)}, which engines do not serve; train it without"
            )
        base_tensor = base.tensors.get(f"{module}.weight")
        if base_tensor is None:
            raise UnusableModelError(
                f"{where}: adapts the layer {shown(module)}, which the base {base.folder} does not have; "
                "it was trained on another base"
            )
        _check_tensor(tensor, base_tensor, lora, side, f"{where}: {shown(module)}, side {side}")
        sides.setdefault(module, set()).add(side)
    if not sides:
        raise UnusableModelError(f"{where}: has no LoRA weights")
    if halves := [module for module, both in sides.items() if len(both) < 2]:
        raise UnusableModelError(
            f"{where}: has one half of the LoRA pair of {shown(halves[0])}; save the adapter again"
        )


def _check_tensor(tensor: Tensor, base_tensor: Tensor, lora: PlainLora, side: str, where: str) -> None:
    if tensor.dtype not in _WEIGHT_TYPES:
        raise UnusableModelError(
            f"{where} is of type {tensor.dtype}; save the adapter as {', '.join(_WEIGHT_TYPES)}"
        )
    if len(tensor.shape) != 2 or len(base_tensor.shape) != 2:
        raise UnusableModelError(f"{where} is no plain matrix; only linear layers can be adapted")
    outputs, inputs = reversed(base_tensor.shape) if lora.fan_in_fan_out else base_tensor.shape
    expected = (lora.r, inputs) if side == "A" else (outputs, lora.r)
    if tensor.shape != expected:
        raise UnusableModelError(
            f"{where} has the shape {list(tensor.shape)} where this base and rank {lora.r} need "
            f"{list(expected)}; it was trained on another base"
        )


def _checked_manifest(folder: Path, sha256: str, base: Base) -> Manifest | None:
    path = folder / MANIFEST_FILE
    if not path.exists():
        return None
    try:
        manifest = Manifest.from_json(read_bytes(path, most=MOST_CONFIG_BYTES), where=MANIFEST_FILE)
    except RecordError as error:
        raise UnusableModelError(f"{folder}: {error!s:.500}") from error
    if manifest.adapter_sha256 != sha256:
        raise UnusableModelError(f"{folder}: {WEIGHTS_FILE} is not the file in {MANIFEST_FILE}")
    if manifest.base_fingerprint != base.fingerprint:
        raise UnusableModelError(
            f"{folder}: the adapter was trained on other base weights than {base.folder}"
        )
    if manifest.chat_template_sha256 != base.chat_template_sha256:
        raise UnusableModelError(
            f"{folder}: the adapter was trained with another chat template than {base.folder} has now, so"
            " its prompts would differ from training; restore that template or train again"
        )
    return manifest
