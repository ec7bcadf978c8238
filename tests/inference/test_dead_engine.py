"""An engine that dies, or hangs: the run says so, nothing is lost, and the next start works."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from inference.spec import GenerationReport
from run_directory.protocol import ExitCode
from tests.inference.runs import make_spec, outputs_of, rows, texts_of
from tests.run_directory.tiny import ROOT, result_of, run, write_run

pytestmark = pytest.mark.verification

PROGRAM = """
import sys, time
from pathlib import Path
from run_directory import program
from inference.__main__ import main, set_environment

set_environment()
program.ORDERLY_SECONDS = 0.2
does, folder = sys.argv[1], sys.argv[2]
from inference.transformers_engine import TransformersGenerator
original = TransformersGenerator._answers_to

class EngineDeadError(Exception):
    pass

def failing(self, asked):
    if asked.number < 3:
        return original(self, asked)
    if does == "die":
        raise EngineDeadError("EngineCore encountered an issue. See stack trace (above) for the root cause.")
    (Path(folder) / "hangs").touch()
    time.sleep(300)

TransformersGenerator._answers_to = failing
sys.exit(main([folder]))
"""
"""The real program with an engine that dies, or does not return, in its fourth batch."""


def start(does: str, folder: Path) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", PROGRAM, does, str(folder)], cwd=ROOT)


def test_a_dead_engine_ends_the_run_with_its_reason_and_the_next_start_goes_on(
    base: Path, adapter: Path, generated: tuple[Path, GenerationReport], tmp_path: Path
) -> None:
    folder = write_run(tmp_path / "run", make_spec(base, adapter), rows())

    assert start("die", folder).wait(300) == ExitCode.CRASHED

    assert result_of(folder)["message"].startswith(
        "Unexpected EngineDeadError: EngineCore encountered an issue"
    )
    assert len(outputs_of(folder)) == 6
    assert run("inference", folder) == (ExitCode.SUCCEEDED, "")
    assert texts_of(folder) == texts_of(generated[0])


def test_an_engine_that_does_not_return_is_left_within_seconds(
    base: Path, adapter: Path, generated: tuple[Path, GenerationReport], tmp_path: Path
) -> None:
    folder = write_run(tmp_path / "run", make_spec(base, adapter), rows())
    process = start("hang", folder)
    deadline = time.monotonic() + 120
    while not (folder / "hangs").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)

    process.terminate()

    assert process.wait(300) == ExitCode.CANCELLED
    assert len(outputs_of(folder)) == 6
    assert run("inference", folder) == (ExitCode.SUCCEEDED, "")
    assert texts_of(folder) == texts_of(generated[0])
