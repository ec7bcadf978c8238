"""Checks a base model's folder before any model library opens it. Standard library only."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from run_directory.weights import Tensor, UnusableModelError, pickles_in, read_header, read_object

_TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json")
_SAMPLES = 64
_SAMPLE_BYTES = 65536


@dataclass(frozen=True)
class Base:
    """A base model that can be trained on and generated with."""

    folder: Path
    model_type: str
    """transformers' name of the architecture, for example `llama`."""
    tensors: dict[str, Tensor]
    context: int
    """The most tokens of prompt and answer together."""
    chat_template: str
    chat_template_sha256: str
    fingerprint: str
    """Names these weights: SHA-256 over all tensor names, types and shapes and over 64 evenly spaced
    blocks of each weights file. Two fine-tunes of one model differ; it is no proof against forgery."""

    @property
    def parameters(self) -> int:
        """Weights in the files; tied ones count once."""
        return sum(_product(tensor.shape) for tensor in self.tensors.values())


def check_base(folder: Path | str) -> Base:
    """The base in a folder in transformers' layout.

    Raises UnusableModelError when something is missing, damaged, or might run code: weights must be
    safetensors, and a tokenizer and a chat template must be there.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UnusableModelError(f"the base folder {folder} does not exist")
    if not (folder / "config.json").is_file():
        raise UnusableModelError(
            f"{folder} has no config.json; a model folder in transformers' layout is needed"
        )
    config = read_object(folder / "config.json")
    files = _weights_files(folder)
    tensors: dict[str, Tensor] = {}
    for file in files:
        tensors |= read_header(file)
    if not tensors:
        raise UnusableModelError(f"{folder}: the weights files hold no tensors")
    if not any((folder / name).is_file() for name in _TOKENIZER_FILES):
        raise UnusableModelError(
            f"{folder} has no tokenizer ({', '.join(_TOKENIZER_FILES)}); copy it from the model's source"
        )
    template = _chat_template(folder)
    return Base(
        folder=folder,
        model_type=str(config.get("model_type", "")),
        tensors=tensors,
        context=_context(config),
        chat_template=template,
        chat_template_sha256=hashlib.sha256(template.encode()).hexdigest(),
        fingerprint=_fingerprint(files, tensors),
    )


def _weights_files(folder: Path) -> list[Path]:
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        shards = read_object(index).get("weight_map")
        if not isinstance(shards, dict) or not all(isinstance(name, str) for name in shards.values()):
            raise UnusableModelError(f"{index.name} has no weight_map; copy it again")
        names = sorted(set(shards.values()))
        if outside := [name for name in names if Path(name).name != name]:
            raise UnusableModelError(f"{index.name} names the file {outside[0]!r} outside the folder")
        if missing := [name for name in names if not (folder / name).is_file()]:
            raise UnusableModelError(f"{folder} lacks the weights file {missing[0]} that {index.name} names")
        return [folder / name for name in names]
    if (folder / "model.safetensors").is_file():
        return [folder / "model.safetensors"]
    if pickles := pickles_in(folder):
        raise UnusableModelError(
            f"{folder} has its weights as a pickle ({pickles[0]}), which can run any code when it is opened, so "
            "it was not; convert it to safetensors where you trust it"
        )
    raise UnusableModelError(
        f"{folder} has no model.safetensors; save the model with transformers' save_pretrained"
    )


def _chat_template(folder: Path) -> str:
    """The template that transformers would use: its own file first, then the tokenizer's settings."""
    file = folder / "chat_template.jinja"
    if file.is_file():
        return file.read_text(encoding="utf-8")
    settings = folder / "tokenizer_config.json"
    found = read_object(settings).get("chat_template") if settings.is_file() else None
    if isinstance(found, list):
        named = {entry.get("name"): entry.get("template") for entry in found if isinstance(entry, dict)}
        found = named.get("default")
    if isinstance(found, str) and found:
        return found
    raise UnusableModelError(
        f"{folder} has no chat template (chat_template.jinja, or chat_template in tokenizer_config.json), so "
        "conversations cannot be put into the model's form; add the template that the model was tuned with"
    )


def _context(config: dict[str, object]) -> int:
    text = config.get("text_config")
    for settings in (config, text if isinstance(text, dict) else {}):
        for name in ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length"):
            found = settings.get(name)
            if isinstance(found, int) and found > 0:
                return found
    raise UnusableModelError("config.json does not give the model's context (max_position_embeddings)")


def _fingerprint(files: list[Path], tensors: dict[str, Tensor]) -> str:
    shapes = sorted((name, tensor.dtype, tensor.shape) for name, tensor in tensors.items())
    digest = hashlib.sha256(json.dumps(shapes).encode())
    for path in files:
        size = path.stat().st_size
        digest.update(str(size).encode())
        with path.open("rb") as file:
            for number in range(_SAMPLES):
                file.seek(max(0, size - _SAMPLE_BYTES) * number // (_SAMPLES - 1))
                digest.update(file.read(_SAMPLE_BYTES))
    return digest.hexdigest()


def _product(shape: tuple[int, ...]) -> int:
    total = 1
    for length in shape:
        total *= length
    return total
