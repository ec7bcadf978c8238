"""A stop ends the program within seconds, however long a step takes, and the training goes on exactly."""

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from run_directory.protocol import ExitCode
from tests.run_directory.tiny import ROOT, opened, result_of, run, wait_for, write_run
from tests.training.runs import make_spec, rows, train
from training.program import train as train_in
from training.spec import TrainingResult, TrainingSpec

pytestmark = pytest.mark.verification

STUCK_PROGRAM = """
import sys, time
from pathlib import Path
from run_directory import program
from training.__main__ import main, set_environment

set_environment()
program.ORDERLY_SECONDS = 0.2
where, step, folder = sys.argv[1], int(sys.argv[2]), sys.argv[3]
from trl import SFTTrainer
method = {"step": "training_step", "evaluation": "prediction_step"}[where]
original = getattr(SFTTrainer, method)

def stuck(self, *arguments, **options):
    done = original(self, *arguments, **options)
    if self.state.global_step == step:
        print(f"{where} is stuck", flush=True)
        (Path(folder) / "stuck").touch()
        time.sleep(300)
    return done

setattr(SFTTrainer, method, stuck)
sys.exit(main([folder]))
"""
"""The real program with a step, or a batch of an evaluation, that does not end."""


def spec_of(base: Path) -> TrainingSpec:
    return make_spec(
        base, accumulation_steps=2, batch_size=2, evaluations=4, patience=None, checkpoint_steps=3
    )


def given() -> list[dict[str, Any]]:
    return [{**one, "split": "validation" if n < 4 else "train"} for n, one in enumerate(rows())]


def report_of(folder: Path) -> Any:
    report = TrainingResult.from_json((folder / "result.json").read_bytes()).report
    assert report is not None
    return report


@pytest.fixture(scope="module")
def whole(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What an undisturbed training comes to."""
    return train(tmp_path_factory.mktemp("whole") / "run", spec_of(base), given())


@pytest.mark.parametrize(("where", "step"), [("step", 4), ("evaluation", 4), ("evaluation", 8)])
def test_stopped_in_the_middle_of_a_step_or_an_evaluation_it_goes_on_exactly(
    base: Path, whole: Any, tmp_path: Path, where: str, step: int
) -> None:
    folder = write_run(tmp_path / "run", spec_of(base), given())
    process = subprocess.Popen([sys.executable, "-c", STUCK_PROGRAM, where, str(step), str(folder)], cwd=ROOT)
    deadline = time.monotonic() + 600
    while not (folder / "stuck").exists():
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    process.terminate()
    # Left alone it is stuck for ever.
    assert process.wait(600) == ExitCode.CANCELLED
    assert result_of(folder)["outcome"] == "cancelled"
    assert "the work so far is saved" in result_of(folder)["message"]

    _, resumed = train_in(opened(folder))
    assert resumed.resumed_from == step, "not a step was lost"
    assert resumed.losses == whole.losses
    assert resumed.validation_losses == whole.validation_losses
    assert (resumed.kept_step, resumed.steps) == (whole.kept_step, whole.steps)
    assert resumed.adapter_sha256 == whole.adapter_sha256


def test_a_state_that_cannot_be_saved_is_told_and_the_last_checkpoint_stands(
    base: Path, tmp_path: Path
) -> None:
    folder = write_run(tmp_path / "run", spec_of(base), given())
    broken = STUCK_PROGRAM.replace(
        "setattr(SFTTrainer, method, stuck)",
        "setattr(SFTTrainer, method, stuck)\n"
        "save = SFTTrainer._save_checkpoint\n"
        "def full(self, *a, **o):\n"
        "    if self.state.global_step == 5: raise OSError(28, 'No space left on device')\n"
        "    return save(self, *a, **o)\n"
        "SFTTrainer._save_checkpoint = full",
    )
    with subprocess.Popen(
        [sys.executable, "-c", broken, "step", "5", str(folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        wait_for(process, "5/8")
        while not (folder / "stuck").exists():
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        assert process.wait(600) == ExitCode.CANCELLED
    message = result_of(folder)["message"]
    assert "could not be saved ([Errno 28] No space left on device)" in message
    assert "continues from the last checkpoint" in message

    assert run("training", folder) == (ExitCode.SUCCEEDED, "")
    assert report_of(folder).resumed_from == 3
