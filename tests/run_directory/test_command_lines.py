"""Each program's help lists every option, and the documentation the same ones."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTED = dict(
    re.findall(
        r"^python -m (\S+) +(RUN_DIR.*)$",
        (ROOT / "docs/run-directory.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
)


@pytest.mark.parametrize("program", ["training", "training.dry_run", "training.merge", "inference", "hub"])
def test_help_lists_the_options_that_are_documented(program: str) -> None:
    told = subprocess.run(
        [sys.executable, "-m", program, "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert "RUN_DIR  " in told
    described = set(re.findall(r"^  (--[a-z-]+)", told, re.MULTILINE))
    assert described == set(re.findall(r"--[a-z-]+", DOCUMENTED[program]))


@pytest.mark.parametrize("count", ["0", "-1", "two"])
def test_a_number_of_processes_that_is_none_is_refused(count: str, tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "training", str(tmp_path), "--processes", count],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 2
    assert "is not a whole number from 1" in ended.stderr or "expected one argument" in ended.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("program", ["training", "inference", "hub"])
def test_a_folder_that_cannot_be_written_into_is_said_in_one_sentence(program: str) -> None:
    """The kernel's own folder takes no file, whoever asks."""
    ended = subprocess.run(
        [sys.executable, "-m", program, "/sys"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert re.search(r"/sys is not writable \(.+\)", ended.stderr)
    assert "Traceback" not in ended.stderr
