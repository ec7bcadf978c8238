"""A generation whose rows are split: every row once, whoever answers it, and whatever becomes of them."""

import json
import signal
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from evalapp.accounts.models import Project, User
from evalapp.core.errors import InvalidError
from evalapp.datasets.models import DatasetVersion
from evalapp.jobs.models import Job, JobState
from evalapp.jobs.services import reap_lost_jobs, request_cancel
from evalapp.registry.models import ModelVersion
from evalapp.runs.execution.shard_workers import HELP_TASK
from evalapp.runs.models import Run
from evalapp.runs.services import start_generation
from evalapp.runs.tasks import carry_out_generation, carry_out_help
from tests.form_addresses import run_form
from tests.runs.conftest import Behave
from tests.runs.test_killed_worker import start, wait_until
from tests.runs.test_machines import Machine

Start = Callable[..., Run]
HELPER = """
import django, sys
django.setup()
from evalapp.runs.tasks import carry_out_help
carry_out_help(int(sys.argv[1]))
"""
LEADER = HELPER.replace("carry_out_help", "carry_out_generation")


@pytest.fixture
def begin(
    project: Project, engineer: User, version: DatasetVersion, base: ModelVersion, behave: Behave
) -> Start:
    def begin(shards: int, name: str = "Answers") -> Run:
        return start_generation(
            project=project, dataset_version=version, splits=["train", "test"], candidates=[base],
            sampling={"max_tokens": 8, "shards": shards}, name=name, by=engineer,
        )  # fmt: skip

    return begin


def helpers(run: Run) -> list[Job]:
    return list(Job.objects.filter(task=HELP_TASK, params__run=run.pk).order_by("pk"))


def answers(run: Run) -> list[tuple[int, str]]:
    return list(run.outputs.order_by("example").values_list("example", "text"))


def test_one_worker_alone_answers_all_parts_as_it_would_answer_the_whole(begin: Start) -> None:
    split, whole = begin(4), begin(1, "Whole")
    carry_out_generation(split.job_id)
    carry_out_generation(whole.job_id)

    split.refresh_from_db()
    split.job.refresh_from_db()
    assert (split.job.error, split.job.state) == ("", JobState.SUCCEEDED)
    assert (split.job.progress_done, split.job.progress_total) == (9, 9)
    assert answers(split) == answers(whole)
    assert (split.rows["in"], split.rows["used"], split.rows["dropped"]) == (9, 9, 0)
    assert [(shard.outputs, shard.done, shard.takes) for shard in split.shards.order_by("number")] == [
        (3, 3, 1), (2, 2, 1), (2, 2, 1), (2, 2, 1),
    ]  # fmt: skip
    assert split.result["outputs"] == 9

    late = helpers(split)
    assert len(late) == 3
    carry_out_help(late[0].pk)
    late[0].refresh_from_db()
    assert late[0].state == JobState.CANCELLED, "a helper that comes when all is over has nothing to do"


def test_there_are_never_more_parts_than_rows(begin: Start) -> None:
    run = begin(64)
    carry_out_generation(run.job_id)
    assert run.shards.count() == 9
    assert len(answers(run)) == 9


@pytest.mark.parametrize("shards", [0, 65, True, "4", 2.5])
def test_a_number_of_parts_that_cannot_be_is_refused(begin: Start, shards: object) -> None:
    with pytest.raises(InvalidError, match="Split the rows into 1 to 64 shards"):
        begin(shards)  # type: ignore[arg-type]


@pytest.mark.django_db(transaction=True)
def test_helpers_share_the_parts_and_a_lost_leader_is_replaced_by_another_machine(
    begin: Start, base: ModelVersion, tmp_path: Path, settings
) -> None:
    store, python, folder = f"file://{tmp_path / 'store'}", settings.MODEL_PYTHON, Path(base.path)
    hanging = {"do": "succeed", "hang_at": 1}
    first = Machine(tmp_path / "first", folder, store, python, behaviour=hanging)
    second = Machine(tmp_path / "second", folder, store, python, behaviour={"do": "succeed"})
    third = Machine(tmp_path / "third", folder, store, python, behaviour={"do": "succeed"})
    run = begin(3)
    leader = start(["-c", LEADER, str(run.job_id)], first.home, python, **first.variables)
    wait_until(lambda: len(helpers(run)) == 2)

    helper = start(["-c", HELPER, str(helpers(run)[0].pk)], second.home, python, **second.variables)
    assert helper.wait(60) == 0

    assert helpers(run)[0].result == {"shards": 2}
    assert [shard.finished_at is not None for shard in run.shards.order_by("number")] == [False, True, True]
    assert run.outputs.count() == 0, "answers are taken in all together"
    leader.send_signal(signal.SIGKILL)
    leader.wait()
    Job.objects.filter(pk=run.job_id).update(lease_expires_at=timezone.now() - timedelta(hours=1))
    reap_lost_jobs()
    assert start(["-c", LEADER, str(run.job_id)], third.home, python, **third.variables).wait(60) == 0

    run = Run.objects.select_related("job").get(pk=run.pk)
    assert (run.job.error, run.job.state, run.job.attempt) == ("", JobState.SUCCEEDED, 2)
    whole = begin(1, "Whole")
    carry_out_generation(whole.job_id)
    assert answers(run) == answers(whole)
    assert run.result["resumed_from"] == 1, "the first row of the lost leader is not answered again"


@pytest.mark.django_db(transaction=True)
def test_a_cancel_stops_helpers_too(begin: Start, base: ModelVersion, tmp_path: Path, settings) -> None:
    store, python, folder = f"file://{tmp_path / 'store'}", settings.MODEL_PYTHON, Path(base.path)
    hanging = {"do": "succeed", "hang_at": 1}
    first = Machine(tmp_path / "first", folder, store, python, behaviour=hanging)
    second = Machine(tmp_path / "second", folder, store, python, behaviour=hanging)
    run = begin(3)
    leader = start(["-c", LEADER, str(run.job_id)], first.home, python, **first.variables)
    wait_until(lambda: len(helpers(run)) == 2)
    helper = start(["-c", HELPER, str(helpers(run)[0].pk)], second.home, python, **second.variables)
    wait_until(lambda: len([*first.runs.glob("*/hangs"), *second.runs.glob("*/hangs")]) == 2)

    request_cancel(job=run.job, by=None)

    assert leader.wait(30) == 0
    assert helper.wait(30) == 0
    assert Job.objects.get(pk=run.job_id).state == JobState.CANCELLED
    assert helpers(run)[0].state == JobState.CANCELLED
    carry_out_help(helpers(run)[1].pk)
    assert helpers(run)[1].state == JobState.CANCELLED
    assert run.outputs.count() == 0


def test_the_page_and_the_api_show_the_parts(
    begin: Start, engineer: User, project: Project, client_for: Callable[[User], Client]
) -> None:
    run = begin(2)
    carry_out_generation(run.job_id)
    client = client_for(engineer)
    page = client.get(reverse("run_detail", args=[project.slug, run.pk])).content.decode()
    assert "The rows are split into 2 shards." in page
    assert "5 of 5" in page and "4 of 4" in page
    form = client.get(run_form(project, "generation")).content.decode()
    assert "Free workers take one shard each" in form
    unsplit = begin(1, "Whole")
    assert (
        'id="run-shards"'
        not in client.get(reverse("run_detail", args=[project.slug, unsplit.pk])).content.decode()
    )


def test_a_helper_that_cannot_answer_leaves_the_part_to_others(
    begin: Start, behave: Behave, settings
) -> None:
    run = begin(2)
    behave("succeed")
    from evalapp.runs.generation.shards import make_shards

    make_shards(run, rows=9, candidates=1)
    Job.objects.filter(pk=run.job_id).update(
        state=JobState.RUNNING, lease_expires_at=timezone.now() + timedelta(hours=1), attempt=1
    )
    Run.objects.filter(pk=run.pk).update(engine="vllm")
    behave("refuse")
    helper = Job.objects.create(project=run.project, task=HELP_TASK, title="Help", params={"run": run.pk})
    carry_out_help(helper.pk)
    helper.refresh_from_db()
    assert (helper.state, helper.error) == (JobState.FAILED, "spec.json: rank 7 is unlucky.")
    spec = json.loads(next(settings.RUNS_FOLDER.glob("*-1/spec.json")).read_text())
    assert spec["engine"] == "vllm", "all parts are answered by the engine that began"

    Job.objects.filter(pk=run.job_id).update(state=JobState.QUEUED, lease_expires_at=None)
    behave("succeed")
    carry_out_generation(run.job_id)
    run.job.refresh_from_db()
    assert (run.job.error, run.job.state) == ("", JobState.SUCCEEDED)
    assert len(answers(run)) == 9
