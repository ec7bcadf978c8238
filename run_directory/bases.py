"""Checks a base model's folder before any model library opens it. Standard library only."""

import contextlib
import hashlib
import json
import math
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from run_directory.model_files import (
    UnusableModelError,
    object_in,
    opened,
    pickles_in,
    read_bytes,
    read_object,
    read_text,
    reading,
    shown,
)
from run_directory.quantization import quantization_of, why_not_registrable, why_not_trainable
from run_directory.weights import Tensor, not_finite_in, read_header

_TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json")
# Other files that determine how text is tokenised.
_BESIDE_TOKENIZER = ("merges.txt", "added_tokens.json", "special_tokens_map.json")
_TOKENIZER_SETTINGS = "tokenizer_config.json"
SETTINGS = {
    "config_sha256": "config.json",
    "chat_template_sha256": "chat template",
    "tokenizer_sha256": "tokenizer",
}
"""A base's settings besides its weights: the field of `Base` with the hash, and the name shown to people."""
_MOST_TOKENIZER_BYTES = 256 * 2**20
_MOST_INDEX_BYTES = 32 * 2**20
_MOST_TEMPLATE_BYTES = 2**20
_MOST_TENSORS = 500_000
_LONGEST_CONTEXT = 2**31 - 1
_LINE_END = re.compile(r"\r\n?")
_SURROGATE = re.compile("[\ud800-\udfff]")
_MODEL_TYPE = re.compile(r"[A-Za-z0-9._-]{1,100}")
_SAMPLES = 64
_SAMPLE_BYTES = 65536


@dataclass(frozen=True)
class Base:
    """A checked base model for training and generation."""

    folder: Path
    model_type: str
    """transformers' name of the architecture, for example `llama`."""
    config_sha256: str
    """SHA-256 of config.json."""
    tensors: dict[str, Tensor]
    context: int
    """Maximum number of tokens of prompt and answer together."""
    chat_template: str
    chat_template_sha256: str
    tokenizer_sha256: str
    """SHA-256 of its files, without a chat template in their settings."""
    quantization: str
    """Method by which the weights are quantised, for example `gptq`; empty for plain weights."""
    fingerprint: str
    """Identifies these weights: SHA-256 over all tensor names, types and shapes and over 64 evenly spaced
    blocks of each weights file. It tells fine-tunes of one model apart but does not protect against forgery.
    """

    @property
    def parameters(self) -> int:
        """Number of weights in the files; tied ones count once."""
        return sum(math.prod(tensor.shape) for tensor in self.tensors.values())

    @property
    def settings(self) -> dict[str, str]:
        """SHA-256 of the settings that tell models with the same weights apart."""
        return {name: getattr(self, name) for name in SETTINGS}


def check_base(folder: Path | str) -> Base:
    """Read and check the base in a folder in transformers' layout.

    Raises UnusableModelError when something is missing, damaged or might run code: weights must be
    safetensors, and a tokenizer and a chat template are required.
    """
    folder = Path(folder)
    with reading(folder):
        return _checked(folder)


def check_weights(base: Base) -> None:
    """Raises UnusableModelError for infinite or NaN weights: such a base would silently generate garbage.
    Reads all weights, at about 1 GB per second.
    """
    with reading(base.folder):
        for file in _weights_files(base.folder):
            if (name := not_finite_in(file)) is not None:
                raise UnusableModelError(
                    f"{file}: {shown(name)} has infinite or NaN values, so it can neither generate nor be"
                    " trained; copy or download the model again"
                )


def require_plain_weights(base: Base) -> None:
    """Raises UnusableModelError for a base whose quantised weights cannot be trained."""
    if reason := why_not_trainable(base.quantization):
        raise UnusableModelError(f"the base in {base.folder} {reason}")


def check_settings(folder: Path) -> None:
    """Check everything in a folder but the weights, which need not exist yet. Raises UnusableModelError."""
    with reading(folder):
        config = object_in(_config_text(folder), where="config.json")
        _check_tokenizer(folder)
        _chat_template(folder)
        _model_type(config)
        _context(config)
        if reason := why_not_registrable(quantization_of(config, {})):
            raise UnusableModelError(f"the model {reason}")


def _config_text(folder: Path) -> bytes:
    if not folder.is_dir():
        raise UnusableModelError(f"the base folder {folder} does not exist")
    if not (folder / "config.json").exists():
        raise UnusableModelError(
            f"{folder} has no config.json; a model folder in transformers' layout is needed"
        )
    if (folder / "adapter_config.json").exists():
        # transformers would load the base named in this file instead of the checked one.
        raise UnusableModelError(
            f"{folder} holds an adapter (adapter_config.json) beside the base; move the adapter to a folder"
            " of its own"
        )
    return read_bytes(folder / "config.json")


def _checked(folder: Path) -> Base:
    config_text = _config_text(folder)
    config = object_in(config_text, where="config.json")
    files = _weights_files(folder)
    tensors = _tensors(folder, files)
    _check_tokenizer(folder)
    template = _chat_template(folder)
    return Base(
        folder=folder,
        model_type=_model_type(config),
        config_sha256=hashlib.sha256(config_text).hexdigest(),
        tensors=tensors,
        context=_context(config),
        chat_template=template,
        chat_template_sha256=hashlib.sha256(template.encode()).hexdigest(),
        tokenizer_sha256=_tokenizer_sha256(folder),
        quantization=quantization_of(config, tensors),
        fingerprint=_fingerprint(files, tensors),
    )


def _weights_files(folder: Path) -> list[Path]:
    single = folder / "model.safetensors"
    index = folder / "model.safetensors.index.json"
    if index.exists():
        return _shards(folder, index, single)
    if single.exists():
        return [single]
    if pickles := pickles_in(folder):
        raise UnusableModelError(
            f"{folder} has its weights as a pickle ({shown(pickles[0])}), which can run code when opened, so"
            " it was not opened; convert it to safetensors on a machine that you trust with it"
        )
    raise UnusableModelError(
        f"{folder} has no model.safetensors; save the model with transformers' save_pretrained"
    )


def _shards(folder: Path, index: Path, single: Path) -> list[Path]:
    shards = read_object(index, most=_MOST_INDEX_BYTES).get("weight_map")
    if not isinstance(shards, dict) or not all(isinstance(name, str) for name in shards.values()):
        raise UnusableModelError(f"{index.name} has no weight_map; copy it again")
    names = sorted(set(shards.values()))
    if outside := [name for name in names if Path(name).name != name]:
        raise UnusableModelError(f"{index.name} names the file {shown(outside[0])} outside the folder")
    if foreign := [name for name in names if Path(name).suffix != ".safetensors"]:
        raise UnusableModelError(
            f"{index.name} names the file {shown(foreign[0])}, which is not safetensors, so it was not"
            " opened; convert the model to safetensors on a machine that you trust with it"
        )
    if missing := [name for name in names if not (folder / name).is_file()]:
        raise UnusableModelError(
            f"{folder} lacks the weights file {shown(missing[0])} that {index.name} names"
        )
    if names != [single.name] and single.exists():
        # transformers would load the single file, vLLM the shards.
        raise UnusableModelError(
            f"{folder} has {single.name}, and {index.name} names other files; leave only those that belong to"
            " the model"
        )
    return [folder / name for name in names]


def _tensors(folder: Path, files: list[Path]) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    for file in files:
        tensors |= read_header(file)
        if len(tensors) > _MOST_TENSORS:
            raise UnusableModelError(
                f"{folder} has more than {_MOST_TENSORS:,} tensors, too many for a model"
            )
    if not tensors:
        raise UnusableModelError(f"{folder}: the weights files have no tensors")
    return tensors


def _check_tokenizer(folder: Path) -> None:
    found = [folder / name for name in _TOKENIZER_FILES if (folder / name).exists()]
    if not found:
        raise UnusableModelError(
            f"{folder} has no tokenizer ({', '.join(_TOKENIZER_FILES)}); copy it from the model's source"
        )
    for path in found:
        with opened(path) as file:
            if os.fstat(file.fileno()).st_size > _MOST_TOKENIZER_BYTES:
                raise UnusableModelError(
                    f"{path.name} has more than {_MOST_TOKENIZER_BYTES:,} bytes, too many for a tokenizer;"
                    " copy it again"
                )


def _tokenizer_sha256(folder: Path) -> str:
    digest = hashlib.sha256()
    for name in (*_TOKENIZER_FILES, *_BESIDE_TOKENIZER):
        if (folder / name).exists():
            content = read_bytes(folder / name, most=_MOST_TOKENIZER_BYTES)
            digest.update(f"{name} {len(content)}\n".encode())
            digest.update(content)
    if (folder / _TOKENIZER_SETTINGS).exists():
        content = read_bytes(folder / _TOKENIZER_SETTINGS)
        with contextlib.suppress(UnusableModelError):
            settings = object_in(content, where=_TOKENIZER_SETTINGS)
            settings.pop("chat_template", None)
            content = json.dumps(settings, sort_keys=True).encode()
        digest.update(content)
    return digest.hexdigest()


def _chat_template(folder: Path) -> str:
    """The template that transformers would use: chat_template.jinja, else the one in the tokenizer's
    settings.
    """
    file = folder / "chat_template.jinja"
    if file.exists():
        # Normalise line ends as transformers does.
        return _LINE_END.sub("\n", read_text(file, most=_MOST_TEMPLATE_BYTES))
    settings = folder / _TOKENIZER_SETTINGS
    found = read_object(settings).get("chat_template") if settings.exists() else None
    if isinstance(found, list):
        named = [entry for entry in found if isinstance(entry, dict) and entry.get("name") == "default"]
        found = named[-1].get("template") if named else None
    if not isinstance(found, str) or not found:
        raise UnusableModelError(
            f"{folder} has no chat template (chat_template.jinja, or chat_template in tokenizer_config.json),"
            " so conversations cannot be formatted for the model; add the template that the model was tuned"
            " with, as a file chat_template.jinja"
        )
    if _SURROGATE.search(found):
        raise UnusableModelError(
            f"chat_template in {settings.name} has half of a surrogate pair, which is not a character;"
            " remove it"
        )
    return found


def _model_type(config: dict[str, object]) -> str:
    found = config.get("model_type")
    if not isinstance(found, str) or not _MODEL_TYPE.fullmatch(found):
        raise UnusableModelError(
            f"config.json: model_type is {shown(found)}, not the name of an architecture such as “llama”;"
            " copy it from the model's source"
        )
    return found


def _context(config: dict[str, object]) -> int:
    text = config.get("text_config")
    for settings in (config, text if isinstance(text, dict) else {}):
        for name in ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length"):
            found = settings.get(name)
            if found is None:
                continue
            if type(found) is not int or not 1 <= found <= _LONGEST_CONTEXT:
                raise UnusableModelError(
                    f"config.json: {name} is {shown(found)}, not a whole number from 1 to"
                    f" {_LONGEST_CONTEXT:,}; copy it from the model's source"
                )
            return found
    raise UnusableModelError("config.json does not give the model's context (max_position_embeddings)")


def _fingerprint(files: list[Path], tensors: dict[str, Tensor]) -> str:
    shapes = sorted((name, tensor.dtype, tensor.shape) for name, tensor in tensors.items())
    digest = hashlib.sha256(json.dumps(shapes).encode())
    for path in files:
        size = path.stat().st_size
        digest.update(str(size).encode())
        with opened(path) as file:
            for number in range(_SAMPLES):
                file.seek(max(0, size - _SAMPLE_BYTES) * number // (_SAMPLES - 1))
                digest.update(file.read(_SAMPLE_BYTES))
    return digest.hexdigest()


def known_end_tokens(base: Base, tokenizer: Any) -> list[int]:
    """Ids of the tokens that end an answer, from the tokenizer and generation_config.json."""
    found = {tokenizer.eos_token_id} if tokenizer.eos_token_id is not None else set()
    settings = base.folder / "generation_config.json"
    named = read_object(settings).get("eos_token_id") if settings.is_file() else None
    found.update(token for token in (named if isinstance(named, list) else [named]) if isinstance(token, int))
    return sorted(found)
