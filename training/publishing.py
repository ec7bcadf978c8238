"""Publishes the best weights as the run's adapter or full model, completely or not at all."""

import json
import shutil
from pathlib import Path
from typing import Any

from run_directory.adapters import CONFIG_FILE, WEIGHTS_FILE
from run_directory.bases import Base, check_base
from run_directory.files import sha256_of, sync_folder, sync_tree, write_whole
from run_directory.model_files import read_object
from run_directory.program import Refusal
from run_directory.protocol import ADAPTER_FOLDER, MANIFEST_FILE, MODEL_FOLDER, Manifest, ModelManifest
from run_directory.weights import not_finite_in

LARGEST_FILE = "4GB"
"""Maximum size of a weights file. Larger models are split, so that an interrupted download does not start
over.
"""

_READING_FILES = (
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "chat_template.jinja",
    "generation_config.json",
)
"""Files of a base folder beside its weights, copied byte for byte so that prompts are tokenised as before."""


def publish_adapter(source: Path, run: Path, made_from: dict[str, Any], base_name: str) -> Manifest:
    """Create the run's adapter folder from a folder that peft saved. Raises Refusal for weights that are not
    finite.
    """
    _require_finite(not_finite_in(source / WEIGHTS_FILE))
    fresh = fresh_folder(run, ADAPTER_FOLDER)
    shutil.copyfile(source / WEIGHTS_FILE, fresh / WEIGHTS_FILE)
    # The adapter is used on other machines, where a path of this one means nothing.
    config = {**read_object(source / CONFIG_FILE), "base_model_name_or_path": base_name}
    write_whole(fresh / CONFIG_FILE, json.dumps(config, indent=2, sort_keys=True).encode())
    files = {name: sha256_of(fresh / name) for name in (CONFIG_FILE, WEIGHTS_FILE)}
    manifest = Manifest(format=1, files=files, adapter_sha256=files[WEIGHTS_FILE], **made_from)
    publish(fresh, run / ADAPTER_FOLDER, manifest.to_json())
    return manifest


def publish_model(model: Any, base: Base, run: Path, made_from: dict[str, Any]) -> ModelManifest:
    """Create the run's model folder from a model in memory and the base's other files.

    Raises Refusal for weights that are not finite.
    """
    weights = ((name, weight.detach()) for name, weight in model.named_parameters())
    _require_finite(next((name for name, weight in weights if not weight.isfinite().all()), None))
    fresh = fresh_folder(run, MODEL_FOLDER)
    files = write_model(model, base, fresh)
    fingerprint = check_base(fresh).fingerprint
    manifest = ModelManifest(format=1, files=files, fingerprint=fingerprint, **made_from)
    publish(fresh, run / MODEL_FOLDER, manifest.to_json())
    return manifest


def _require_finite(name: str | None) -> None:
    # The last step's loss was computed before its update, so it does not reveal bad weights.
    if name is not None:
        raise Refusal(
            f"the training has diverged: its weights in {name} have infinite or NaN values, so nothing is"
            " kept; use a lower learning_rate or weight_decay, or fp32"
        )


def write_model(model: Any, base: Base, fresh: Path) -> dict[str, str]:
    """Write a model in memory and the base's other files; returns each file's SHA-256 by name."""
    model.save_pretrained(fresh, max_shard_size=LARGEST_FILE)
    for name in _READING_FILES:
        if (base.folder / name).is_file():
            shutil.copyfile(base.folder / name, fresh / name)
    return {path.name: sha256_of(path) for path in sorted(fresh.iterdir())}


def fresh_folder(run: Path, name: str) -> Path:
    """Create an empty temporary folder in the run, which `publish` renames to ``name``."""
    fresh = run / f".{name}.new"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    return fresh


def publish(fresh: Path, target: Path, manifest: str) -> None:
    """Move a finished folder into place with its manifest: it appears complete or not at all."""
    write_whole(fresh / MANIFEST_FILE, manifest.encode())
    sync_tree(fresh)
    shutil.rmtree(target, ignore_errors=True)
    fresh.rename(target)
    sync_folder(target.parent)
