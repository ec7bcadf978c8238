"""Reads safetensors headers without a model library."""

import math
import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from run_directory.model_files import UnusableModelError, opened, reading, shown
from run_directory.records import RecordError, parse_json

_LONGEST_HEADER = 16 * 2**20
"""Maximum header size; a hundred thousand tensors need two thirds of it."""
_MOST_DIMENSIONS = 64
_LONGEST_DIMENSION = 2**63 - 1

_BITS = (
    dict.fromkeys(("F4",), 4)
    | dict.fromkeys(("F6_E2M3", "F6_E3M2"), 6)
    | dict.fromkeys(("BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E5M2FNUZ", "F8_E4M3FNUZ"), 8)
    | dict.fromkeys(("U16", "I16", "F16", "BF16"), 16)
    | dict.fromkeys(("U32", "I32", "F32"), 32)
    | dict.fromkeys(("U64", "I64", "F64", "C64"), 64)
)

_CHECKED = ("F32", "BF16", "F16")
_BLOCK = 2**20
"""A multiple of the size of every number type."""
# The exponent of F16 lies within the highest byte; that of F32 and BF16 extends into the top bit of the next
# byte.
_TOPS_OF_F16 = tuple(bytes([top]) for top in range(256) if top & 0x7C == 0x7C)
_HAS_OTHER_BITS = bytes(byte & 0x7F == 0x7F for byte in range(256))
_HAS_LOWEST_BIT = bytes(byte >= 0x80 for byte in range(256))


@dataclass(frozen=True)
class Tensor:
    dtype: str
    """As in safetensors: F32, BF16, …"""
    shape: tuple[int, ...]


def read_header(path: Path) -> dict[str, Tensor]:
    """Read the tensors by name, in file order. Raises UnusableModelError for a truncated or invalid
    safetensors file.
    """
    with reading(path), opened(path) as file:
        return tensors_in(file, size=os.fstat(file.fileno()).st_size, name=path.name)


def tensors_in(file: IO[bytes], *, size: int, name: str) -> dict[str, Tensor]:
    """Like `read_header`, for a stream at its beginning with ``size`` bytes in total; reads only the header.

    Accepts no file that the safetensors library would reject: the tensors fill the file without gaps or
    overlaps, so ``size`` is what their shapes need.
    """
    start = file.read(8)
    length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
    if not 2 <= length <= size - 8:
        raise UnusableModelError(f"{name} is not a safetensors file, or is cut short; copy it again")
    if length > _LONGEST_HEADER:
        raise UnusableModelError(
            f"{name} has a header of {length:,} bytes; more than {_LONGEST_HEADER:,} are not read. "
            "Save the model in several files"
        )
    try:
        found = parse_json(file.read(length), where=name)
    except RecordError as error:
        raise UnusableModelError(f"{name} has a damaged header; copy it again") from error
    if not isinstance(found, dict):
        raise UnusableModelError(f"{name} has a damaged header; copy it again")
    found.pop("__metadata__", None)
    placed = {key: _placed(entry, name, key) for key, entry in found.items()}
    placed = dict(sorted(placed.items(), key=lambda one: one[1][1:]))
    end = 0
    for key, (_, first, last) in placed.items():
        if first != end:
            raise _damaged(name, key, f"it begins at byte {first:,}, where {end:,} is due")
        end = last
    if size != 8 + length + end:
        raise UnusableModelError(
            f"{name} has {size:,} bytes, its header says {8 + length + end:,}; copy it again"
        )
    return {key: tensor for key, (tensor, _, _) in placed.items()}


def not_finite_in(path: Path) -> str | None:
    """Name of the first tensor with an infinite or NaN value; None if all values are finite.

    Checks F32, BF16 and F16; values of other types count as finite. Raises UnusableModelError like
    `read_header`.
    """
    tensors = read_header(path)
    with reading(path), opened(path) as file:
        file.seek(8 + struct.unpack("<Q", file.read(8))[0])
        for name, tensor in tensors.items():
            left = math.prod(tensor.shape) * _BITS[tensor.dtype] // 8
            if tensor.dtype not in _CHECKED:
                file.seek(left, os.SEEK_CUR)
                continue
            while left:
                block = file.read(min(left, _BLOCK))
                left -= len(block)
                if not block:
                    raise UnusableModelError(f"{path.name} is cut short; copy it again")
                if not _is_finite(block, tensor.dtype):
                    return name
    return None


def _is_finite(block: bytes, dtype: str) -> bool:
    """Whether no number in the block has an all-ones exponent. Checks bytes, which is many times faster than
    decoding numbers.
    """
    width = _BITS[dtype] // 8
    highest = block[width - 1 :: width]
    if dtype == "F16":
        return not any(map(highest.__contains__, _TOPS_OF_F16))
    if b"\x7f" not in highest and b"\xff" not in highest:
        return True
    of_next = block[width - 2 :: width].translate(_HAS_LOWEST_BIT)
    of_highest = highest.translate(_HAS_OTHER_BITS)
    return not int.from_bytes(of_next) & int.from_bytes(of_highest)


def _placed(entry: object, name: str, key: str) -> tuple[Tensor, int, int]:
    """A tensor with the offsets of its first byte and of the byte after its last."""
    match entry:
        case {"dtype": str(dtype), "shape": [*shape], "data_offsets": [first, last]}:
            pass
        case _:
            raise _damaged(name, key, "no type, shape and place")
    if dtype not in _BITS:
        raise _damaged(name, key, f"the type {shown(dtype)} is not known")
    lengths = [*shape, first, last]
    if len(shape) > _MOST_DIMENSIONS or not all(
        type(one) is int and 0 <= one <= _LONGEST_DIMENSION for one in lengths
    ):
        raise _damaged(name, key, f"{shown(shape)} at {shown([first, last])} is no shape and place")
    if (last - first) * 8 != math.prod(shape) * _BITS[dtype]:
        raise _damaged(name, key, f"{last - first:,} bytes do not hold the shape {shown(shape)} of {dtype}")
    return Tensor(dtype, tuple(shape)), first, last


def _damaged(name: str, key: str, why: str) -> UnusableModelError:
    return UnusableModelError(f"{name} has a damaged header at {shown(key)}: {why}; copy it again")
