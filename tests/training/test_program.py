"""The real program, started, killed and stopped as a worker would."""

import fcntl
import os
import signal
from pathlib import Path

import pytest

from run_directory.protocol import ExitCode
from tests.run_directory.tiny import events_of, result_of, run, spoiled, start, wait_for, write_run
from tests.training.runs import STEPS, make_spec, rows
from training.checkpoints import latest_checkpoint
from training.spec import TrainingReport, TrainingResult


def test_killed_and_started_again_it_replays_the_same_losses(
    base: Path, trained: tuple[Path, TrainingReport], tmp_path: Path
) -> None:
    folder = write_run(tmp_path / "run", make_spec(base), rows())
    with start("training", folder) as process:
        wait_for(process, f"5/{STEPS}")
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert not (folder / "result.json").exists()
    assert not (folder / "adapter").exists()

    # A kill in the middle of a save leaves such a folder, and one in the middle of an event such a line.
    (folder / "checkpoints" / "checkpoint-99").mkdir()
    with (folder / "events.jsonl").open("a") as events:
        events.write('{"kind": "progr')

    assert run("training", folder) == (ExitCode.SUCCEEDED, "")
    result = TrainingResult.from_json((folder / "result.json").read_bytes())
    assert result.report is not None
    assert result.report.resumed_from == 3
    _, whole = trained
    assert result.report.losses == whole.losses
    assert result.report.tokens == whole.tokens
    assert result.report.adapter_sha256 == whole.adapter_sha256
    assert [event["fields"]["attempt"] for event in events_of(folder) if event["kind"] == "started"] == [1, 2]

    # A worker that died before it took the result in starts the program once more.
    before = (folder / "events.jsonl").read_bytes()
    assert run("training", folder) == (ExitCode.SUCCEEDED, "")
    assert (folder / "events.jsonl").read_bytes() == before


def test_a_cancel_saves_and_a_new_start_continues(base: Path, tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", make_spec(base, max_steps=400, checkpoint_steps=1000), rows())
    with start("training", folder) as process:
        wait_for(process, "2/400")
        process.terminate()
        process.communicate(timeout=600)
    assert process.returncode == ExitCode.CANCELLED
    assert result_of(folder)["outcome"] == "cancelled"
    assert "continues from it" in result_of(folder)["message"]
    assert latest_checkpoint(folder) is not None
    assert not (folder / "adapter").exists()


def test_it_ends_when_the_pipe_to_its_parent_closes(base: Path, tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", make_spec(base, max_steps=400), rows())
    reading, writing = os.pipe()
    with start("training", folder, "--parent-pipe", str(reading), pass_fds=[reading]) as process:
        os.close(reading)
        wait_for(process, "2/400")
        os.close(writing)
        process.communicate(timeout=600)
    assert process.returncode == ExitCode.ABANDONED
    assert events_of(folder)[-1]["fields"]["outcome"] == "abandoned"
    assert latest_checkpoint(folder) is not None


def test_a_locked_run_directory_is_left_alone(base: Path, tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", make_spec(base), rows())
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        code, errors = run("training", folder)
    assert code == ExitCode.LOCKED
    assert "another program works in it" in errors
    assert sorted(path.name for path in folder.iterdir()) == ["data.jsonl", "lock", "spec.json"]


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("{", "spec.json: not valid JSON"),
        ('{"base_folder": "/b", "rows": 1, "colour": "red"}', "spec.json: unknown field 'colour'"),
        ('{"base_folder": "/nowhere", "rows": 1}', "the base folder /nowhere does not exist"),
    ],
)
def test_a_garbage_spec_ends_in_one_sentence(tmp_path: Path, spec: str, said: str) -> None:
    folder = write_run(tmp_path / "run", spec, rows(1))
    assert run("training", folder) == (ExitCode.FAILED, "")
    result = result_of(folder)
    assert (result["outcome"], result["exit_code"]) == ("failed", ExitCode.FAILED)
    assert result["message"].startswith(said)
    assert "Traceback" not in result["message"]
    assert "Traceback" in (folder / "program.log").read_text()
    assert events_of(folder)[-1]["message"] == result["message"]


def test_a_base_from_which_no_training_could_come_is_refused(base: Path, tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", make_spec(spoiled(base, tmp_path / "base")), rows())
    assert run("training", folder)[0] == ExitCode.FAILED
    assert "model.norm.weight' has infinite or NaN values" in result_of(folder)["message"]


def test_a_missing_spec_and_a_spec_that_changed_are_refused(base: Path, tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", "{", rows())
    run("training", folder)
    (folder / "spec.json").write_text(make_spec(base).to_json())
    assert run("training", folder)[0] == ExitCode.FAILED
    assert "changed after the first start" in result_of(folder)["message"]
    (folder / "spec.json").unlink()
    assert run("training", folder)[0] == ExitCode.FAILED
    assert "missing" in result_of(folder)["message"]


def test_a_folder_that_is_none_is_a_wrong_command_line(tmp_path: Path) -> None:
    code, errors = run("training", tmp_path / "nowhere")
    assert code == ExitCode.USAGE
    assert "is not a folder" in errors


def test_a_pipe_that_was_not_passed_on_is_a_wrong_command_line(tmp_path: Path) -> None:
    code, errors = run("training", tmp_path, "--parent-pipe", "99")
    assert code == ExitCode.USAGE
    assert "not an open file descriptor" in errors
    assert list(tmp_path.iterdir()) == []
