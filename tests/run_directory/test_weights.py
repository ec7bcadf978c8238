import io
import json
import struct
from pathlib import Path

import pytest

from run_directory.model_files import UnusableModelError
from run_directory.weights import Tensor, not_finite_in, read_header, tensors_in


def entry(shape: object = (2, 2), offsets: object = (0, 16), dtype: object = "F32") -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


def written(path: Path, header: dict[str, object] | str, data: int = 16) -> Path:
    text = (header if isinstance(header, str) else json.dumps(header)).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(data))
    return path


def test_a_header_gives_types_and_shapes(tmp_path: Path) -> None:
    header = {
        "__metadata__": {"format": "pt"},
        "b": entry((2, 2), (4, 20)),
        "a": entry((2,), (0, 4), "BF16"),
        "empty": entry((0, 3), (4, 4)),
    }
    found = read_header(written(tmp_path / "x.safetensors", header, 20))
    assert found == {"a": Tensor("BF16", (2,)), "b": Tensor("F32", (2, 2)), "empty": Tensor("F32", (0, 3))}


@pytest.mark.parametrize(
    "header",
    [
        {"a": entry((-2, -2))},
        {"a": entry((True, 4), (0, 16))},
        {"a": entry((2.0, 2))},
        {"a": entry(("2", "2"))},
        {"a": entry((2, 2), (0, "16"))},
        {"a": entry((2, 2), (16, 0))},
        {"a": entry((2, 2), (0, 16, 32))},
        {"a": entry((2, 3))},
        {"a": entry((10**3000,))},
        {"a": entry([1] * 10_000)},
        {"a": entry(7)},
        {"a": entry(dtype="F31")},
        {"a": entry(dtype=["F32"])},
        {"a": [1]},
        {"a": entry((2,), (8, 16))},
        {"a": entry((3,), (0, 12)), "b": entry((2,), (8, 16))},
        {"\ud800" * 9_000: entry((2, 3))},
        '{"a": {"dtype": "F32", "shape": [1e999], "data_offsets": [0, 16]}}',
        '{"a": {"dtype": "F32", "shape": [NaN], "data_offsets": [0, 16]}}',
        '{"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 1e999]}}',
        "[" * 50_000,
    ],
)
def test_a_header_that_no_library_would_take_is_refused(
    tmp_path: Path, header: dict[str, object] | str
) -> None:
    with pytest.raises(UnusableModelError, match=r"x\.safetensors has a damaged header") as caught:
        read_header(written(tmp_path / "x.safetensors", header))
    assert len(str(caught.value).encode()) < 800


def test_only_the_header_of_a_stream_is_read() -> None:
    text = json.dumps({"a": entry((2**28, 4), (0, 2**32))}).encode()
    stream = io.BytesIO(struct.pack("<Q", len(text)) + text + b"weights")
    found = tensors_in(stream, size=8 + len(text) + 2**32, name="x")
    assert (found, stream.read()) == ({"a": Tensor("F32", (2**28, 4))}, b"weights")


@pytest.mark.parametrize("dtype", ["F32", "BF16", "F16"])
@pytest.mark.parametrize("value", ["inf", "-inf", "nan", "largest", "-1.5", "0.0"])
def test_the_tensor_that_holds_no_finite_number_is_named(tmp_path: Path, dtype: str, value: str) -> None:
    import torch
    from safetensors.torch import save_file

    kind = {"F32": torch.float32, "BF16": torch.bfloat16, "F16": torch.float16}[dtype]
    last = torch.finfo(kind).max if value == "largest" else float(value)
    # Longer than what is read at once, with the number at the very end.
    bad = torch.full((700_001,), torch.finfo(kind).max, dtype=kind)
    bad[-1] = last
    tensors = {"z good": torch.full((3, 5), -2.5, dtype=kind), "a": bad, "b": torch.ones(2, dtype=kind)}
    save_file(tensors, tmp_path / "x.safetensors")
    expected = "a" if value in ("inf", "-inf", "nan") else None
    assert not_finite_in(tmp_path / "x.safetensors") == expected


def test_numbers_of_other_types_are_taken_for_finite(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    ones = torch.full((3,), -1, dtype=torch.int16)
    save_file({"a": ones, "b": torch.tensor([float("nan")])}, tmp_path / "x.safetensors")
    assert not_finite_in(tmp_path / "x.safetensors") == "b"
    assert not_finite_in(written(tmp_path / "y.safetensors", {"a": entry((2, 4), (0, 4), "F4")}, 4)) is None
