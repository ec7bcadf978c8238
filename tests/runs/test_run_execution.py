"""A run from its row to its outputs, with a program at the process edge that does what it is told."""

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from evalapp.accounts.models import User
from evalapp.artifacts.card import card_of
from evalapp.jobs import executor, lease
from evalapp.jobs.lease import worker_name
from evalapp.jobs.models import Job, JobState
from evalapp.jobs.processes import process_state
from evalapp.jobs.services import request_cancel, retry_job
from evalapp.registry.folders import folder_of
from evalapp.runs.models import Output, Run, TrainingPoint
from evalapp.runs.programs.directory import folder_for
from evalapp.runs.tasks import carry_out_generation, carry_out_training
from tests.runs.conftest import Behave


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor, "POLL_SECONDS", 0.05)
    monkeypatch.setattr(lease, "TICK_SECONDS", 0.05)


def logged(run: Run) -> str:
    return "\n".join(run.job.events.values_list("text", flat=True))


def starts(run: Run) -> list[int]:
    return [int(line) for line in (folder_for(run) / "starts").read_text().split()]


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} did not appear"
        threading.Event().wait(0.02)


def reload(run: Run) -> Run:
    return Run.objects.select_related("job", "produced").get(pk=run.pk)


def test_every_answer_is_stored_once_with_what_it_cost(generation: Run) -> None:
    carry_out_generation(generation.job_id)

    run = reload(generation)
    assert (run.job.error, run.job.state, run.job.result) == ("", JobState.SUCCEEDED, {"outputs": 3})
    key = run.candidates.get().key
    stored = run.outputs.order_by("example__row_number")
    assert [(output.example.row_number, output.text) for output in stored] == [
        (number, f"{key} answers test question {number - 7}") for number in (7, 8, 9)
    ]
    assert {(output.finish_reason, output.completion_tokens) for output in stored} == {("stop", 3)}
    assert run.rows == {"in": 3, "used": 3, "truncated": 0, "dropped": 0, "reasons": {}}
    assert (run.engine, run.engine_reason) == ("transformers", "it is the only one")
    assert run.device == "Abacus (fp32, 2 threads)"
    assert run.job.progress_done == 3


def test_the_spec_that_was_written_is_the_spec_that_is_shown(generation: Run) -> None:
    carry_out_generation(generation.job_id)

    run = reload(generation)
    assert run.spec == json.loads((folder_for(run) / "spec.json").read_text())
    assert run.spec["sampling"]["max_tokens"] == 8
    assert run.spec["data_sha256"] is not None


def test_a_training_becomes_an_adapter_with_its_curve(training: Run) -> None:
    carry_out_training(training.job_id)

    run = reload(training)
    assert (run.job.error, run.job.state) == ("", JobState.SUCCEEDED)
    assert run.produced is not None
    assert (run.produced.label, run.produced.kind, run.produced.base_id) == ("v1", "lora", run.base_id)
    assert (folder_of(run.produced) / "adapter_model.safetensors").is_file()
    losses = [(point.step, point.values["loss"]) for point in run.points.order_by("step")]
    assert losses == [(1, 2.0), (2, 1.0), (3, 2.0 / 3), (4, 0.5)]
    assert run.points.get(step=4).values["validation_loss"] == 0.6
    assert run.rows == {
        "in": 6, "used": 4, "truncated": 1, "dropped": 1, "reasons": {"empty_completion": 1},
        "train": 5, "validation": 0, "passed_over": 0, "passed_over_validation": 0, "draws_validation": False,
    }  # fmt: skip
    assert run.rows["in"] == run.rows["used"] + run.rows["truncated"] + run.rows["dropped"]


def test_only_training_rows_are_trained_on(training: Run) -> None:
    carry_out_training(training.job_id)

    lines = (folder_for(training) / "data.jsonl").read_text().splitlines()
    assert [json.loads(line)["prompt"][-1]["content"] for line in lines] == [
        f"train question {number}" for number in range(6)
    ]


def test_a_training_that_stopped_early_says_so_on_its_page_and_card(
    training: Run, behave: Behave, engineer: User, client_for: Callable[[User | None], Client]
) -> None:
    behave(planned_steps=9)
    carry_out_training(training.job_id)
    run = reload(training)
    why = "after 4 of 9 steps, because the validation loss had not fallen for 3 evaluations"
    assert run.stopped_early == why
    page = client_for(engineer).get(reverse("run_detail", args=[run.project.slug, run.pk])).content.decode()
    assert f"<dt>Stopped early</dt><dd>{why}</dd>" in page
    assert run.produced is not None
    card = card_of(run.produced, reader=engineer)
    assert f"It stopped early: {why}." in card
    assert "| patience of early stopping | 3 (without effect: no row was held out) |" in card


@pytest.mark.parametrize(
    ("do", "said"),
    [
        ("refuse", "rank 7 is unlucky"),
        ("broken events", "events.jsonl in a form that cannot be read"),
        ("unknown example", "row-999"),
        ("torn result", "a result that cannot be read"),
        ("unstorable result", "result.json.report.packages.python: has a NUL character"),
        ("too many tokens", "line 2: completion_tokens is not between 0 and 2147483647"),
        ("say and leave", "No module named torch"),
    ],
)
def test_garbage_fails_the_run_with_a_sentence_and_stores_nothing(
    generation: Run, behave: Behave, do: str, said: str
) -> None:
    behave(do)

    carry_out_generation(generation.job_id)

    run = reload(generation)
    assert run.job.state == JobState.FAILED
    assert said in run.job.error
    assert "Traceback" not in run.job.error
    assert not Output.objects.exists()
    assert run.rows == {}


@pytest.mark.parametrize(
    "line", ["{", '{"kind": "stage", "time": "t", "message": "m", "fields": {"device": 7}}']
)
def test_a_run_that_failed_for_garbage_can_be_tried_again(
    training: Run, behave: Behave, engineer: User, line: str
) -> None:
    for again in (False, True):
        behave("broken events", line=line)
        if again:
            retry_job(job=training.job, by=engineer)
        carry_out_training(training.job_id)
        assert reload(training).job.state == JobState.FAILED
    behave("succeed")
    retry_job(job=training.job, by=engineer)

    carry_out_training(training.job_id)

    run = reload(training)
    assert (run.job.error, run.job.state) == ("", JobState.SUCCEEDED)
    if line == "{":
        assert "set aside as events-unreadable-2.jsonl" in logged(run)
        assert (folder_for(run) / "events-unreadable-1.jsonl").read_text().endswith("{\n")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("kind", "changes", "said"),
    [
        ("warning", '"message": "x", "fields": {"name": "x\\u0000y"}', "line 2: fields.name: has a NUL"),
        (
            "warning",
            '"message": "x", "fields": {"a": [{"b\\ud800": 1}]}',
            "line 2: fields.a[0]: a field's name",
        ),
        ("stage", '"message": "x\\u0000y"', "line 2: message: has a NUL"),
        (
            "progress",
            '"message": "x", "step": 1, "fields": {"loss": 1e999}',
            "line 2: fields.loss: the number",
        ),
        (
            "progress",
            '"message": "x", "step": 1000000000000000000000, "total": 3',
            "line 2: step is not between",
        ),
        ("progress", '"message": "x", "step": 1, "total": -3', "line 2: total is not between"),
    ],
)
def test_an_event_that_no_database_takes_fails_the_run_and_names_the_line(
    training: Run, behave: Behave, kind: str, changes: str, said: str
) -> None:
    line = f'{{"kind": "{kind}", "time": "2026-01-01T00:00:00.000Z", {changes}}}'
    behave("broken events", line=line)

    carry_out_training(training.job_id)

    run = reload(training)
    assert run.job.state == JobState.FAILED
    assert said in run.job.error
    assert process_state(starts(run)[0]) is None


def test_an_adapter_that_is_not_the_reported_one_is_not_registered(training: Run, behave: Behave) -> None:
    behave("another adapter")

    carry_out_training(training.job_id)

    run = reload(training)
    assert (run.job.state, run.produced) == (JobState.FAILED, None)
    assert "not what result.json describes" in run.job.error


def test_a_killed_program_is_started_again_and_continues(generation: Run, behave: Behave) -> None:
    behave("die", hang_at=2)

    carry_out_generation(generation.job_id)
    first = reload(generation)
    assert (first.job.state, first.job.lost_attempts) == (JobState.QUEUED, 1)
    assert "SIGKILL" in logged(first)
    carry_out_generation(generation.job_id)

    run = reload(generation)
    assert (run.job.state, run.job.lost_attempts) == (JobState.SUCCEEDED, 0)
    assert run.result["resumed_from"] == 2
    assert run.outputs.count() == 3
    assert logged(run).count("program has started") == 2


def test_a_program_that_keeps_crashing_is_given_up_after_three_attempts(
    generation: Run, behave: Behave
) -> None:
    behave("crash")
    for _ in range(3):
        carry_out_generation(generation.job_id)

    run = reload(generation)
    assert run.job.state == JobState.DEAD
    assert "the disk is full" in run.job.error
    assert not Output.objects.exists()


def test_a_failed_run_is_tried_again_from_what_was_saved(
    training: Run, behave: Behave, engineer: User
) -> None:
    behave("refuse")
    carry_out_training(training.job_id)
    behave("succeed")
    retry_job(job=training.job, by=engineer)

    carry_out_training(training.job_id)

    run = reload(training)
    assert run.job.state == JobState.SUCCEEDED
    assert len(starts(run)) == 2


def test_taking_in_twice_adds_nothing(generation: Run, training: Run) -> None:
    carry_out_generation(generation.job_id)
    carry_out_training(training.job_id)
    produced = reload(training).produced
    # As if the worker had died after the commit and before it could say so.
    for run in (generation, training):
        Job.objects.filter(pk=run.job_id).update(state=JobState.QUEUED, finished_at=None)

    carry_out_generation(generation.job_id)
    carry_out_training(training.job_id)

    assert Output.objects.count() == 3
    assert TrainingPoint.objects.count() == 4
    assert reload(training).produced == produced


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("do", ["succeed", "ignore the stop"])
def test_a_cancel_saves_and_stops_or_kills_after_the_grace(
    training: Run, behave: Behave, engineer: User, settings, do: str
) -> None:
    settings.JOB_STOP_SECONDS = 10 if do == "succeed" else 0.2
    behave(do, hang_at=2)
    folder = folder_for(training)

    def cancel() -> None:
        wait_for(folder / ("hangs" if do == "succeed" else "lock"))
        request_cancel(job=Job.objects.get(pk=training.job_id), by=engineer)
        connection.close()

    canceller = threading.Thread(target=cancel)
    canceller.start()
    carry_out_training(training.job_id)
    canceller.join()

    run = reload(training)
    assert run.job.state == JobState.CANCELLED
    assert ("was killed" in logged(run)) is (do == "ignore the stop")
    assert run.job.stage == ("Training" if do == "succeed" else "Deaf"), "also before the first step"
    if do == "succeed":  # where it ran is told while it runs, not by its report
        assert (run.engine, run.device) == ("trl", "Abacus (fp32, 2 threads)")
        assert run.rows["in"] == run.rows["used"] + run.rows["truncated"] + run.rows["dropped"] == 6
        assert (run.rows["train"], run.rows_read, run.rows_read_so_far) == (5, None, 5)
    assert process_state(starts(run)[0]) is None


@pytest.mark.django_db(transaction=True)
def test_what_a_killed_worker_left_running_is_ended_before_the_next_attempt(
    training: Run, behave: Behave, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The orphan holds the run directory's lock and would write on; its process group goes first."""
    import subprocess

    monkeypatch.setattr(executor, "ORPHAN_SECONDS", 0.0)
    orphan = subprocess.Popen(["sleep", "60"], start_new_session=True)
    state = process_state(orphan.pid)
    assert state is not None
    Job.objects.filter(pk=training.job_id).update(
        process_id=orphan.pid, process_started=state.started, worker=worker_name()
    )

    carry_out_training(training.job_id)

    assert orphan.wait(300) == -9
    assert reload(training).job.state == JobState.SUCCEEDED


def test_a_process_that_only_took_over_the_number_is_left_alone(training: Run) -> None:
    import subprocess

    bystander = subprocess.Popen(["sleep", "60"], start_new_session=True)
    try:
        state = process_state(bystander.pid)
        assert state is not None
        Job.objects.filter(pk=training.job_id).update(
            process_id=bystander.pid, process_started=state.started - 3600
        )
        carry_out_training(training.job_id)
        assert bystander.poll() is None
        assert reload(training).job.state == JobState.SUCCEEDED
    finally:
        bystander.kill()
        bystander.wait()


def test_no_secret_of_the_web_reaches_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://user:secret@host/db")
    monkeypatch.setenv("EVALAPP_SECRET_KEY_FILE", "/secret")
    variables = executor.program_environment({})
    assert not [name for name in variables if name.startswith(("DATABASE", "REDIS", "EVALAPP", "DJANGO"))]
