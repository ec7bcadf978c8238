"""Model folders made by hand: sound to every check, of a few kilobytes, without a model library."""

import json
import struct
from pathlib import Path

LAYER = "model.layers.0.self_attn.q_proj"


def write_safetensors(path: Path, shapes: dict[str, tuple[int, ...]], fill: int = 0) -> None:
    header, data = {}, b""
    for name, shape in shapes.items():
        size = 4
        for length in shape:
            size *= length
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [len(data), len(data) + size]}
        data += bytes([fill]) * size
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def make_base_folder(folder: Path, *, width: int = 8, fill: int = 0) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"model_type": "llama", "max_position_embeddings": 512}))
    write_safetensors(folder / "model.safetensors", {f"{LAYER}.weight": (width, width)}, fill)
    (folder / "tokenizer.json").write_text("{}")
    (folder / "chat_template.jinja").write_text("{{ messages }}")
    return folder


def make_adapter_folder(
    folder: Path, *, width: int = 8, rank: int = 2, fill: int = 1, **config: object
) -> Path:
    folder.mkdir(parents=True)
    settings = {
        "peft_type": "LORA",
        "r": rank,
        "lora_alpha": 4,
        "lora_dropout": 0.0,
        "target_modules": ["q_proj"],
        **config,
    }
    (folder / "adapter_config.json").write_text(json.dumps(settings))
    shapes = {
        f"base_model.model.{LAYER}.lora_A.weight": (rank, width),
        f"base_model.model.{LAYER}.lora_B.weight": (width, rank),
    }
    write_safetensors(folder / "adapter_model.safetensors", shapes, fill)
    return folder
