import bz2
import io
import json
import lzma
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from evalapp.accounts.models import Project, User
from evalapp.core.errors import InvalidError
from evalapp.registry import archives
from evalapp.registry.archives import AdapterArchive
from evalapp.registry.models import ModelVersion
from evalapp.registry.services import register_adapter_upload
from tests.registry.handmade import LAYER, make_adapter_folder

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
Register = Callable[[io.BytesIO], ModelVersion]


@pytest.fixture
def good(tmp_path: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in make_adapter_folder(tmp_path / "good").iterdir()}


@pytest.fixture
def upload(base: ModelVersion, project: Project, engineer: User) -> Register:
    return lambda packed: register_adapter_upload(
        project=project, base=base, label="Sent", upload=packed, by=engineer
    )


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> io.BytesIO:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    packed.seek(0)
    return packed


def refusal(upload: Register, packed: io.BytesIO) -> str:
    with pytest.raises(InvalidError) as caught:
        upload(packed)
    assert len(caught.value.message.encode()) < 800
    return caught.value.message


def weights_of(rows: int, width: int) -> bytes:
    """Weights of the adapter's only layer whose header is sound, and all of whose numbers are zero."""
    sizes = {"A": (rows, width), "B": (width, rows)}
    header, end = {}, 0
    for side, shape in sizes.items():
        size = 4 * rows * width
        header[f"base_model.model.{LAYER}.lora_{side}.weight"] = {
            "dtype": "F32",
            "shape": shape,
            "data_offsets": [end, end + size],
        }
        end += size
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(end)


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        (bytes(2**26), "not a safetensors file"),
        (weights_of(2, 2**21), "trained on another base"),
        (weights_of(2, 8) + bytes(2**26), "its header says"),
    ],
)
def test_weights_that_the_base_has_no_use_for_are_not_unpacked(
    good: dict[str, bytes],
    upload: Register,
    monkeypatch: pytest.MonkeyPatch,
    weights: bytes,
    said: str,
) -> None:
    packed = zipped({**good, WEIGHTS: weights})
    unpacked: list[str] = []
    blocks = AdapterArchive.blocks
    monkeypatch.setattr(
        AdapterArchive, "blocks", lambda self, name: (unpacked.append(name), blocks(self, name))[1]
    )
    assert said in refusal(upload, packed)
    assert unpacked == [CONFIG]


def test_settings_that_unpack_to_gigabytes_are_stopped(good: dict[str, bytes], upload: Register) -> None:
    packed = zipped({**good, CONFIG: bytes(2**24)})
    assert "adapter_config.json has more than 8,388,608 bytes" in refusal(upload, packed)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_method_that_unpacks_to_gigabytes_within_one_read_is_refused(
    good: dict[str, bytes], upload: Register, monkeypatch: pytest.MonkeyPatch, method: int
) -> None:
    packed = zipped({**good, CONFIG: bytes(2**20)}, method)
    for module, name in ((bz2, "BZ2Decompressor"), (lzma, "LZMADecompressor")):
        monkeypatch.setattr(module, name, lambda *_: pytest.fail("it was unpacked"))
    assert "with an unsupported method" in refusal(upload, packed)


def patched(packed: io.BytesIO, name: str, field: int, form: str, value: int) -> io.BytesIO:
    """The archive with a number in its list of files changed; ``field`` counts from the entry's beginning."""
    content = bytearray(packed.getvalue())
    entry = content.rindex(name.encode()) - 46
    assert content[entry : entry + 4] == b"PK\x01\x02"
    struct.pack_into(form, content, entry + field, value)
    return io.BytesIO(bytes(content))


def test_files_that_share_their_bytes_are_refused(good: dict[str, bytes], upload: Register) -> None:
    packed = patched(zipped(good), CONFIG, 42, "<L", 0)
    assert "overlap in the archive" in refusal(upload, packed)


@pytest.mark.parametrize("size", [0, 2**31])
def test_a_size_that_is_not_the_real_one_is_not_believed(
    good: dict[str, bytes], upload: Register, size: int
) -> None:
    message = refusal(upload, patched(zipped(good), WEIGHTS, 24, "<L", size))
    assert ("its header says" if size else "Bad CRC-32") in message


def test_a_list_of_100_000_files_is_not_read(
    good: dict[str, bytes], upload: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = zipped({**good, **{f"{number:060}": b"" for number in range(100_000)}})
    read: list[int] = []
    real = zipfile.ZipInfo.__init__
    monkeypatch.setattr(
        zipfile.ZipInfo, "__init__", lambda self, *values: (read.append(1), real(self, *values))[1]
    )
    assert "list of files is longer than 1,048,576 bytes" in refusal(upload, packed)
    assert not read


def test_an_archive_in_the_archive_stays_shut(good: dict[str, bytes], upload: Register) -> None:
    inner = zipped(good).getvalue()
    assert "has no adapter_config.json" in refusal(upload, zipped({"adapter.zip": inner}))
    upload(zipped({**good, "adapter.zip": inner}))
    assert ModelVersion.objects.filter(label="Sent").exists()


@pytest.mark.parametrize("first", ["./", "adapter//", "adapter/./"])
def test_one_file_under_two_spellings_is_there_twice(
    good: dict[str, bytes], upload: Register, first: str
) -> None:
    folder = "" if first == "./" else "adapter/"
    files = {f"{folder}{name}": content for name, content in good.items()}
    assert "file twice" in refusal(upload, zipped({**files, f"{first}{CONFIG}": good[CONFIG]}))


def test_backslashes_part_folders_as_some_programs_write_them(
    good: dict[str, bytes], upload: Register
) -> None:
    upload(zipped({f"adapter\\{name}": content for name, content in good.items()}))
    assert ModelVersion.objects.filter(label="Sent").exists()


def test_a_file_without_a_name_is_passed_over(good: dict[str, bytes], upload: Register) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in {"nameless": b"", **good}.items():
            archive.writestr(name, content)
        archive.infolist()[0].filename = ""
    assert zipfile.ZipFile(packed).infolist()[0].filename == ""

    upload(packed)
    assert ModelVersion.objects.filter(label="Sent").exists()


def test_capitals_make_another_name(good: dict[str, bytes], upload: Register) -> None:
    capitals = {name.upper(): content for name, content in good.items()}
    assert "has no adapter_config.json" in refusal(upload, zipped(capitals))
    upper = {**good, "ADAPTER_MODEL.BIN": b"never opened"}
    assert "a pickle" in refusal(upload, zipped(upper))


def test_a_place_beyond_every_file_is_damage(good: dict[str, bytes], upload: Register) -> None:
    packed = patched(zipped(good), CONFIG, 42, "<L", 2**32 - 2)
    assert "not a whole zip archive" in refusal(upload, packed)


def test_a_header_that_is_no_safetensors_is_told_without_our_folder(
    good: dict[str, bytes], upload: Register, tmp_path: Path
) -> None:
    for files in ({**good, CONFIG: b'{"peft_type": "IA3"}'}, {CONFIG: good[CONFIG]}):
        assert str(tmp_path) not in refusal(upload, zipped(files))


def test_the_limit_of_the_list_is_no_limit_of_the_weights(
    good: dict[str, bytes], upload: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "MOST_DIRECTORY_BYTES", 512)
    upload(zipped({**good, WEIGHTS: good[WEIGHTS]}, zipfile.ZIP_STORED))
    assert ModelVersion.objects.filter(label="Sent").exists()
