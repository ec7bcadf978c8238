"""Reads safetensors headers without a model library; opens nothing that could be a pickle."""

import struct
from dataclasses import dataclass
from pathlib import Path

from run_directory.records import RecordError, parse_json

PICKLE_SUFFIXES = frozenset({".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt"})
"""Endings of files that may run code when they are opened as weights."""

_LONGEST_HEADER = 100_000_000


class UnusableModelError(ValueError):
    """A model folder that cannot be used; the message says which file, why, and how to mend it."""


@dataclass(frozen=True)
class Tensor:
    dtype: str
    """As in safetensors: F32, BF16, …"""
    shape: tuple[int, ...]


def pickles_in(folder: Path) -> list[str]:
    """Names of the files directly in the folder that may be pickles, sorted."""
    return sorted(path.name for path in folder.iterdir() if path.suffix.lower() in PICKLE_SUFFIXES)


def read_header(path: Path) -> dict[str, Tensor]:
    """Tensors by name. Raises UnusableModelError for a file that is cut short or is no safetensors."""
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 2 <= length <= min(_LONGEST_HEADER, size - 8):
            raise UnusableModelError(f"{path.name} is not a safetensors file, or is cut short; copy it again")
        header = file.read(length)
    try:
        found = parse_json(header, where=path.name)
        tensors = {
            name: Tensor(entry["dtype"], tuple(int(n) for n in entry["shape"]))
            for name, entry in found.items()  # type: ignore[attr-defined]  # the except below is the check
            if name != "__metadata__"
        }
        ends = [int(entry["data_offsets"][1]) for name, entry in found.items() if name != "__metadata__"]  # type: ignore[attr-defined]  # as above
    except (RecordError, AttributeError, KeyError, IndexError, TypeError, ValueError) as error:
        raise UnusableModelError(f"{path.name} has a damaged header; copy it again") from error
    if size != 8 + length + max(ends, default=0):
        raise UnusableModelError(
            f"{path.name} has {size} bytes, its header speaks of {8 + length + max(ends, default=0)}; copy it again"
        )
    return tensors


def read_object(path: Path) -> dict[str, object]:
    """A JSON file that holds an object. Raises UnusableModelError."""
    try:
        found = parse_json(path.read_bytes(), where=path.name)
    except OSError as error:
        raise UnusableModelError(f"{path.name} cannot be read: {error.strerror}") from error
    except RecordError as error:
        raise UnusableModelError(str(error)) from error
    if not isinstance(found, dict):
        raise UnusableModelError(f"{path.name} does not hold a JSON object")
    return found
