"""Checks a LoRA adapter's folder against its base before any engine sees it. Standard library only.

A DoRA adapter and one with modules_to_save each brought the vLLM engine down when they were tried, so an
adapter is admitted only when everything in it is known to be plain LoRA.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from run_directory.bases import Base
from run_directory.files import sha256_of
from run_directory.protocol import MANIFEST_FILE, Manifest
from run_directory.records import RecordError
from run_directory.weights import Tensor, UnusableModelError, pickles_in, read_header, read_object

CONFIG_FILE = "adapter_config.json"
WEIGHTS_FILE = "adapter_model.safetensors"
HIGHEST_RANK = 512

_PLAIN_STARTS = (None, True, False, "gaussian", "orthogonal", "eva")
"""Values of init_lora_weights that leave the base's weights as they are."""

_NEUTRAL_FIELDS = frozenset(
    {
        "task_type",
        "peft_type",
        "auto_mapping",
        "peft_version",
        "base_model_name_or_path",
        "revision",
        "inference_mode",
        "r",
        "target_modules",
        "exclude_modules",
        "lora_alpha",
        "lora_dropout",
        "fan_in_fan_out",
        "use_rslora",
        "layers_to_transform",
        "layers_pattern",
        "megatron_core",
        "qalora_group_size",
        "runtime_config",
        "ensure_weight_tying",
        "init_lora_weights",
        "bias",
    }
)
"""Fields of adapter_config.json that a plain LoRA may set; any other must be empty."""

_WHY = {
    "use_dora": "is a DoRA adapter",
    "modules_to_save": "carries whole layers of its own (modules_to_save)",
    "lora_bias": "trains biases (lora_bias)",
    "rank_pattern": "has different ranks for different layers (rank_pattern)",
    "alpha_pattern": "has different alphas for different layers (alpha_pattern)",
}

_TENSOR_NAME = re.compile(r"base_model\.model\.(?P<module>.+)\.lora_(?P<side>[AB])\.weight")


@dataclass(frozen=True)
class Adapter:
    """An adapter that fits its base."""

    folder: Path
    sha256: str
    """Of adapter_model.safetensors: the adapter's identity."""
    rank: int
    manifest: Manifest | None
    """There when the training program made the adapter."""


@dataclass(frozen=True)
class _Form:
    rank: int
    transposed: bool
    """Whether the base stores its matrices as (inputs, outputs)."""


def check_adapter(folder: Path | str, base: Base) -> Adapter:
    """The adapter in a folder, known to be plain LoRA of this base's shapes.

    Raises UnusableModelError when it is anything else, is damaged, or was trained here on another base
    or with another chat template.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UnusableModelError(f"the adapter folder {folder} does not exist")
    if not (folder / CONFIG_FILE).is_file():
        raise UnusableModelError(f"{folder} has no {CONFIG_FILE}; an adapter saved by peft is needed")
    form = _checked_config(folder)
    if not (folder / WEIGHTS_FILE).is_file():
        if pickles := pickles_in(folder):
            raise UnusableModelError(
                f"{folder} has its weights as a pickle ({pickles[0]}), which can run any code when it is opened, "
                "so it was not; save the adapter as safetensors where you trust it"
            )
        raise UnusableModelError(f"{folder} has no {WEIGHTS_FILE}")
    _check_shapes(read_header(folder / WEIGHTS_FILE), form, base, folder)
    sha256 = sha256_of(folder / WEIGHTS_FILE)
    return Adapter(
        folder=folder, sha256=sha256, rank=form.rank, manifest=_checked_manifest(folder, sha256, base)
    )


def _checked_config(folder: Path) -> _Form:
    config = read_object(folder / CONFIG_FILE)
    where = f"{folder / CONFIG_FILE}"
    if config.get("peft_type") != "LORA":
        raise UnusableModelError(
            f"{where}: the adapter is of type {config.get('peft_type')!r}; only LORA is served"
        )
    for name, value in config.items():
        if name not in _NEUTRAL_FIELDS and value:
            why = _WHY.get(name, f"sets {name}")
            raise UnusableModelError(
                f"{where}: the adapter {why}; only plain LoRA is served. Train it without"
            )
    if config.get("bias", "none") != "none":
        raise UnusableModelError(
            f"{where}: the adapter trains biases (bias={config['bias']!r}); train it without"
        )
    if config.get("init_lora_weights", True) not in _PLAIN_STARTS:
        raise UnusableModelError(
            f"{where}: init_lora_weights={config['init_lora_weights']!r} changes the base's own weights; convert it "
            "to a plain LoRA with peft's path_initial_model_for_weight_conversion"
        )
    rank = config.get("r")
    if type(rank) is not int or not 1 <= rank <= HIGHEST_RANK:
        raise UnusableModelError(
            f"{where}: the rank r is {rank!r}, not a whole number from 1 to {HIGHEST_RANK}"
        )
    alpha = config.get("lora_alpha")
    if not isinstance(alpha, int | float) or isinstance(alpha, bool) or alpha <= 0:
        raise UnusableModelError(f"{where}: lora_alpha is {alpha!r}, not a positive number")
    return _Form(rank=rank, transposed=config.get("fan_in_fan_out") is True)


def _check_shapes(tensors: dict[str, Tensor], form: _Form, base: Base, folder: Path) -> None:
    where = f"{folder / WEIGHTS_FILE}"
    sides: dict[str, set[str]] = {}
    for name, tensor in tensors.items():
        found = _TENSOR_NAME.fullmatch(name)
        if found is None:
            raise UnusableModelError(f"{where}: holds {name}, which is no part of a plain LoRA")
        module, side = found["module"], found["side"]
        if module.rpartition(".")[2] in ("lm_head", "embed_tokens"):
            raise UnusableModelError(
                f"{where}: adapts {module}, which engines do not serve; train it without"
            )
        base_tensor = base.tensors.get(f"{module}.weight")
        if base_tensor is None:
            raise UnusableModelError(
                f"{where}: adapts the layer {module}, which the base {base.folder} does not have; "
                "it was trained on another base"
            )
        _check_tensor(tensor, base_tensor, form, side, f"{where}: {module}.lora_{side}")
        sides.setdefault(module, set()).add(side)
    if not sides:
        raise UnusableModelError(f"{where}: holds no LoRA weights")
    if halves := [module for module, both in sides.items() if len(both) < 2]:
        raise UnusableModelError(
            f"{where}: has one half of the LoRA pair of {halves[0]}; save the adapter again"
        )


def _check_tensor(tensor: Tensor, base_tensor: Tensor, form: _Form, side: str, where: str) -> None:
    if len(tensor.shape) != 2 or len(base_tensor.shape) != 2:
        raise UnusableModelError(f"{where} is no plain matrix; only linear layers can be adapted")
    outputs, inputs = reversed(base_tensor.shape) if form.transposed else base_tensor.shape
    expected = (form.rank, inputs) if side == "A" else (outputs, form.rank)
    if tensor.shape != expected:
        raise UnusableModelError(
            f"{where} has the shape {list(tensor.shape)} where this base and rank {form.rank} need "
            f"{list(expected)}; it was trained on another base"
        )


def _checked_manifest(folder: Path, sha256: str, base: Base) -> Manifest | None:
    path = folder / MANIFEST_FILE
    if not path.is_file():
        return None
    try:
        manifest = Manifest.from_json(path.read_bytes(), where=MANIFEST_FILE)
    except RecordError as error:
        raise UnusableModelError(f"{folder}: {error}") from error
    if manifest.adapter_sha256 != sha256:
        raise UnusableModelError(f"{folder}: {WEIGHTS_FILE} is not the file that {MANIFEST_FILE} speaks of")
    if manifest.base_fingerprint != base.fingerprint:
        raise UnusableModelError(
            f"{folder}: the adapter was trained on other base weights than {base.folder}"
        )
    if manifest.chat_template_sha256 != base.chat_template_sha256:
        raise UnusableModelError(
            f"{folder}: the adapter was trained with another chat template than {base.folder} has now, so its prompts "
            "would look unfamiliar; restore that template or train again"
        )
    return manifest
