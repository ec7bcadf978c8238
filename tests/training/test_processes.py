"""Two processes that train together come to what one comes to, and end as one does."""

import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import psutil
import pytest

from run_directory.program import Refusal
from run_directory.protocol import ExitCode
from tests.installations import eventually
from tests.run_directory.tiny import events_of, result_of, start, wait_for, write_run
from tests.training.runs import make_spec, pairs, rows
from training.launcher import Failure, exit_code_of
from training.processes import share_of
from training.spec import LoraParameters, TrainingSpec

together = pytest.mark.verification
TOLERANCE = 1e-4
"""Measured: 1e-6 at most after nine steps."""


def spec_of(base: Path, **fields: Any) -> TrainingSpec:
    # Dropout's draws are each process's own.
    settings: dict[str, Any] = {
        "rows": 30, "batch_size": 4, "accumulation_steps": 2, "evaluations": 3, "patience": None,
        "max_steps": 9, "lora": LoraParameters(rank=8, dropout=0.0),
    }  # fmt: skip
    return make_spec(base, **(settings | fields))


def given() -> list[dict[str, Any]]:
    """25 to train on, so that the last step of a pass is short, and a part of a batch to validate on."""
    return [{**row, "split": "validation" if n < 5 else "train"} for n, row in enumerate(rows(30))]


def trained(folder: Path, processes: int) -> tuple[int, str]:
    with start("training", folder, "--processes", str(processes)) as process:
        _, errors = process.communicate(timeout=240)
    return process.returncode, errors


def report_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = result_of(folder)["report"]
    return found


def numbers(report: dict[str, Any], name: str) -> list[Any]:
    return [(found["step"], pytest.approx(found["loss"], abs=TOLERANCE)) for found in report[name]]


def plain(report: dict[str, Any], name: str) -> list[Any]:
    return [(found["step"], found["loss"]) for found in report[name]]


@pytest.mark.parametrize(
    ("batch", "accumulation", "processes", "share"),
    [(8, 2, 1, (8, 2)), (8, 2, 2, (8, 1)), (8, 2, 4, (4, 1)), (2, 3, 2, (1, 3)), (6, 2, 3, (4, 1)), (1, 8, 4,
    (1, 2))],
)  # fmt: skip
def test_a_step_keeps_its_rows_and_no_pass_grows(
    batch: int, accumulation: int, processes: int, share: tuple[int, int]
) -> None:
    spec = make_spec(Path("/base"), batch_size=batch, accumulation_steps=accumulation)
    assert share_of(spec, processes) == share
    assert share[0] * share[1] * processes == batch * accumulation


def test_what_cannot_be_shared_is_refused_with_what_to_do() -> None:
    with pytest.raises(Refusal, match=r"a step has 8 rows .* 3 processes cannot share evenly; make it 9"):
        share_of(make_spec(Path("/base"), batch_size=4, accumulation_steps=2), 3)
    for fields in ({"objective": "dpo"}, {"objective": "kto"}, {"method": "qlora"}):
        with pytest.raises(Refusal, match="is trained by one process"):
            share_of(make_spec(Path("/base"), **fields), 2)


@pytest.fixture(scope="module")
def whole(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What two processes come to undisturbed."""
    folder = write_run(tmp_path_factory.mktemp("whole") / "run", spec_of(base, max_steps=150), given())
    assert trained(folder, 2)[0] == ExitCode.SUCCEEDED
    return report_of(folder)


@together
@pytest.mark.parametrize("method", ["lora", "full"])
def test_two_come_to_what_one_comes_to(base: Path, tmp_path: Path, method: str) -> None:
    reports, tokens = [], []
    for processes in (1, 2):
        fields = {"learning_rate": 1e-3} if method == "full" else {}
        folder = write_run(tmp_path / str(processes), spec_of(base, method=method, **fields), given())
        assert trained(folder, processes)[0] == ExitCode.SUCCEEDED, (folder / "program.log").read_text()[
            -2000:
        ]
        reports.append(report_of(folder))
        events = events_of(folder)
        assert [event["kind"] for event in events].count("started") == 1
        tokens.append([event["fields"]["tokens"] for event in events if event["kind"] == "progress"])
    one, two = reports
    assert tokens[0] == tokens[1]
    assert plain(two, "losses") == numbers(one, "losses")
    assert plain(two, "validation_losses") == numbers(one, "validation_losses")
    assert (len(two["losses"]), len(two["validation_losses"])) == (9, 3)
    for name in ("tokens", "rows", "kept_step", "epochs", "max_length"):
        assert two[name] == one[name], name
    assert (one["processes"], two["processes"]) == (1, 2)
    furthest = max(abs(a[1] - b[1]) for a, b in zip(plain(one, "losses"), plain(two, "losses"), strict=True))
    print(f"{method}: losses of two processes differ from those of one by {furthest:.1e} at most")


@together
def test_a_stop_ends_both_and_the_next_start_goes_on_exactly(base: Path, whole: Any, tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", spec_of(base, max_steps=150), given())
    with running(folder) as process:
        wait_for(process, "20/150")
        below = ranks_of(process)
        process.terminate()
        assert process.wait(600) == ExitCode.CANCELLED
    assert (result_of(folder)["outcome"], len(below)) == ("cancelled", 2)
    assert_gone(below)
    assert trained(folder, 2)[0] == ExitCode.SUCCEEDED
    report = report_of(folder)
    assert report["resumed_from"] >= 20
    assert (report["losses"], report["tokens"]) == (whole["losses"], whole["tokens"])
    assert report["adapter_sha256"] == whole["adapter_sha256"]


@together
@pytest.mark.parametrize("killed", [0, 1])
def test_a_killed_process_ends_all_with_a_sentence_and_the_next_start_goes_on(
    base: Path, whole: Any, tmp_path: Path, killed: int
) -> None:
    folder = write_run(tmp_path / "run", spec_of(base, max_steps=150), given())
    with running(folder) as process:
        wait_for(process, "20/150")
        below = ranks_of(process)
        below[killed].kill()
        assert process.wait(600) == ExitCode.CRASHED
    result = result_of(folder)
    assert result["outcome"] == "crashed"
    assert result["message"].startswith(
        f"Process {killed + 1} of the 2 that train together was ended by SIGKILL"
    )
    assert events_of(folder)[-1]["message"] == result["message"]
    assert_gone(below)
    assert trained(folder, 2)[0] == ExitCode.SUCCEEDED
    assert report_of(folder)["losses"] == whole["losses"]


@together
def test_another_number_of_processes_goes_on_from_a_checkpoint(
    base: Path, whole: Any, tmp_path: Path
) -> None:
    folder = write_run(tmp_path / "run", spec_of(base, max_steps=150), given())
    with running(folder) as process:
        wait_for(process, "20/150")
        process.terminate()
        assert process.wait(600) == ExitCode.CANCELLED
    assert trained(folder, 1)[0] == ExitCode.SUCCEEDED
    report = report_of(folder)
    assert (report["processes"], report["tokens"]) == (1, whole["tokens"])
    # Rounding adds up over 150 steps at this rate.
    begun = report["losses"][: report["resumed_from"] + 10]
    assert begun == [
        {"step": found["step"], "loss": pytest.approx(found["loss"], abs=TOLERANCE)}
        for found in whole["losses"][: len(begun)]
    ]


@together
def test_nothing_is_left_when_the_parent_goes_or_the_whole_is_killed(base: Path, tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", spec_of(base, max_steps=5000), given())
    with running(folder, "--parent-pipe", "0", stdin=subprocess.PIPE) as process:
        wait_for(process, "5/5000")
        below = ranks_of(process)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(600) == ExitCode.ABANDONED
    assert_gone(below)
    with running(folder) as process:
        wait_for(process, "Training on")
        below = ranks_of(process)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(600)
        assert_gone(below)


@together
def test_a_refusal_is_said_once_and_as_one_process_says_it(base: Path, tmp_path: Path) -> None:
    folder = write_run(tmp_path / "three", spec_of(base), given())
    assert trained(folder, 3)[0] == ExitCode.FAILED
    assert "which 3 processes cannot share evenly" in result_of(folder)["message"]
    folder = write_run(tmp_path / "dpo", spec_of(base, objective="dpo", rows=24), pairs())
    assert trained(folder, 2)[0] == ExitCode.FAILED
    assert "is trained by one process" in result_of(folder)["message"]
    kinds = [event["kind"] for event in events_of(folder)]
    assert (kinds[-1], kinds.count("finished")) == ("finished", 1)


def test_a_refusal_is_the_end_although_the_first_process_was_stopped_before_it_could_refuse(
    base: Path, tmp_path: Path
) -> None:
    stopped, refused = (
        Failure(0, -signal.SIGTERM, ""),
        Failure(1, ExitCode.FAILED, "spec.json: no such method"),
    )
    for place, failures in enumerate(([stopped, refused], [refused, stopped])):
        folder = write_run(tmp_path / str(place), spec_of(base), given())
        assert exit_code_of(folder, 2, failures, was_asked=False) == ExitCode.FAILED
        assert result_of(folder)["message"] == "spec.json: no such method"


@pytest.mark.gpu
def test_two_gpus_come_to_what_one_comes_to(base: Path, tmp_path: Path) -> None:
    import torch

    if torch.cuda.device_count() < 2:
        pytest.skip("needs two GPUs")
    reports = []
    for processes in (1, 2):
        folder = write_run(tmp_path / str(processes), spec_of(base, device="cuda"), given())
        assert trained(folder, processes)[0] == ExitCode.SUCCEEDED, (folder / "program.log").read_text()[
            -2000:
        ]
        reports.append(report_of(folder))
    one, two = reports
    assert plain(two, "losses") == [
        (found["step"], pytest.approx(found["loss"], abs=0.01)) for found in one["losses"]
    ]


def running(folder: Path, *arguments: str, **popen: Any) -> Any:
    return start("training", folder, "--processes", "2", *arguments, start_new_session=True, **popen)


def ranks_of(process: "subprocess.Popen[str]") -> list[psutil.Process]:
    """The processes that train, the first one first."""
    found = [child for child in psutil.Process(process.pid).children() if "RANK" in child.environ()]
    return sorted(found, key=lambda child: child.environ()["RANK"])


def assert_gone(processes: list[psutil.Process]) -> None:
    assert processes
    eventually(lambda: not [one for one in processes if one.is_running()], 20, "the processes are gone")
