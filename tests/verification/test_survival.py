"""Runs survive: a killed worker, a cancel, a pause and twenty kills, measured on the product as a person runs
it.
"""

import json
import os
import random
import signal
import time
import urllib.request
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from evalapp.embedded import programs
from inference.spec import SamplingParameters
from run_directory.protocol import ExitCode
from tests.inference.runs import make_spec as generation_spec
from tests.inference.runs import rows as generation_rows
from tests.inference.runs import texts_of
from tests.installations import Running, eventually, temporary_installation
from tests.run_directory.tiny import make_adapter, make_base, result_of, run, start, write_run

pytestmark = pytest.mark.verification

RESUMED_SECONDS, STOPPED_SECONDS = 30, 10
KILLS = 20
BUSY = {
    "training": {"max_steps": 3000, "batch_size": 2, "validation_share": 0.0},
    "generation": {"max_tokens": 400},
}


class Api:
    """Asks an installation as an engineer's program would."""

    def __init__(self, running: Running, base: Path) -> None:
        printed = running.installation.run_module("tests.verification.runs_to_disturb", str(base))
        self.made = json.loads(printed)
        self._root = f"{running.home.bind.url}/api/v1/projects/{self.made['project']}"

    def ask(self, path: str, body: dict[str, Any] | None = None) -> Any:
        request = urllib.request.Request(
            f"{self._root}/{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.made['token']}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)

    def started(self, kind: str) -> int:
        """A run that takes long, once it is in the middle; its job's id."""
        common = {"dataset_version": self.made["dataset_version"], "name": f"A {kind}"}
        if kind == "training":
            body = {**common, "base": self.made["base"], "hyperparameters": BUSY[kind]}
        else:
            sampling = {**BUSY[kind], "engine": "transformers", "batch_size": 2}
            body = {**common, "splits": ["test"], "candidates": [self.made["base"]], "sampling": sampling}
        job = int(self.ask(f"runs/{kind}/", body)["job"]["id"])
        self.wait(job, lambda found: found["progress_done"] >= 1, 300, "it is in the middle")
        return job

    def job(self, job: int) -> Any:
        return self.ask(f"jobs/{job}/")

    def wait(self, job: int, look: Any, seconds: float, what: str) -> Any:
        def found() -> Any:
            told = self.job(job)
            assert not (told["is_over"] and told["error"]), told["error"]
            return told if look(told) else None

        return eventually(found, seconds, what)


@pytest.fixture(scope="module", params=["tiny", "small"])
def installed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The product with all its workers, and a model of a million or of 135 million weights."""
    with temporary_installation(fetches_model=request.param == "small") as installation:
        running = Running(installation)
        try:
            models = installation.environment.home / "models"
            if request.param == "tiny":
                base = make_base(models / "tiny", context=2048)
            else:
                base = installation.environment.bundled_model_folder
                eventually(base.exists, 600, "the small model is there")
            yield running, Api(running, base)
        finally:
            running.stop()


@pytest.mark.parametrize("kind", ["training", "generation"])
def test_a_killed_worker_and_a_pause_lose_nothing_and_a_cancel_stops_at_once(
    installed: Any, kind: str
) -> None:
    running, api = installed
    job = api.started(kind)

    killed = time.time()
    os.killpg(running.pid(programs.MODEL_WORKER), signal.SIGKILL)
    resumed = api.wait(
        job, lambda found: found["attempt"] == 2, 2 * RESUMED_SECONDS, "a second attempt begins"
    )
    seconds = datetime.fromisoformat(resumed["claimed_at"]).timestamp() - killed
    done = resumed["progress_done"]
    api.wait(job, lambda found: found["progress_done"] > done, 300, "it comes farther")
    print(f"{kind}: resumed {seconds:.1f} s after the kill, farther after {time.time() - killed:.1f} s")
    assert seconds <= RESUMED_SECONDS

    asked = time.monotonic()
    api.ask(f"jobs/{job}/pause/", {})
    paused = api.wait(job, lambda found: found["state"] == "paused", 60, "it is paused")
    print(f"{kind}: paused after {time.monotonic() - asked:.1f} s")
    assert paused["lost_attempts"] <= 1
    api.ask(f"jobs/{job}/resume/", {})
    done = paused["progress_done"]
    api.wait(job, lambda found: found["progress_done"] > done, 300, "it goes on where it was")

    asked = time.monotonic()
    api.ask(f"jobs/{job}/cancel/", {})
    api.wait(job, lambda found: found["state"] == "cancelled", 60, "it is cancelled")
    seconds = time.monotonic() - asked
    print(f"{kind}: stopped {seconds:.1f} s after the cancel")
    assert seconds <= STOPPED_SECONDS


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    base = make_base(tmp_path_factory.mktemp("base") / "tiny")
    return base, make_adapter(base, tmp_path_factory.mktemp("adapter") / "v1")


def test_a_generation_killed_twenty_times_gives_what_an_undisturbed_one_gives(
    bases: tuple[Path, Path], tmp_path: Path
) -> None:
    """Kills at moments drawn by a seed: while it loads, between batches, and in the middle of a line."""
    spec = generation_spec(*bases, rows=60, sampling=SamplingParameters(max_tokens=24))
    whole = write_run(tmp_path / "whole", spec, generation_rows(60))
    assert run("inference", whole) == (ExitCode.SUCCEEDED, "")

    draw = random.Random(20)
    folder = write_run(tmp_path / "run", spec, generation_rows(60))
    outputs = folder / "outputs.jsonl"
    while_loading, torn = 0, 0
    for _ in range(KILLS):
        before = outputs.stat().st_size if outputs.exists() else 0
        loads = draw.random() < 0.25
        batches = draw.randint(1, 3)
        with start("inference", folder) as process:
            if loads:
                time.sleep(draw.uniform(0.1, 3))
            else:
                assert process.stdout is not None
                for line in process.stdout:
                    batches -= "tokens/s" in line
                    if batches == 0:
                        break
                time.sleep(draw.uniform(0, 0.05))
            process.kill()
        assert process.returncode == -signal.SIGKILL, "it ended before it was killed: give it more rows"
        while_loading += loads
        # What a kill of the machine leaves of the last batch; no kill of a process tears a line.
        if outputs.exists() and (size := outputs.stat().st_size) > before and draw.random() < 0.5:
            os.truncate(outputs, size - draw.randint(1, min(300, size - before)))
            torn += 1
    assert while_loading and torn

    assert run("inference", folder) == (ExitCode.SUCCEEDED, "")
    assert texts_of(folder) == texts_of(whole)
    assert result_of(folder)["report"]["outputs_sha256"], "each row once"
    print(f"{KILLS} kills, {while_loading} while it loaded, {torn} in the middle of a line: the same answers")
