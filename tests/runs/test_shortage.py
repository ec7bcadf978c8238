"""A run whose memory was not enough says the numbers and what to do, and is tried again with
half the batch.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse

from evalapp.accounts.models import Project, User
from evalapp.core.errors import ConflictError
from evalapp.jobs import executor, lease
from evalapp.jobs.models import JobState
from evalapp.runs.execution.shortage import half_batch, shortage_of, start_with_half_batch
from evalapp.runs.models import Run
from evalapp.runs.tasks import carry_out_generation, carry_out_training
from tests.api.conftest import Program, program_for
from tests.runs.conftest import Behave

__all__ = ["program_for"]

ClientFor = Callable[[User | None], Client]
GROUPS = Path("/sys/fs/cgroup/memory")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor, "POLL_SECONDS", 0.05)
    monkeypatch.setattr(lease, "TICK_SECONDS", 0.05)


@pytest.fixture
def failed(training: Run, behave: Behave) -> Run:
    behave("lack memory")
    carry_out_training(training.job_id)
    return Run.objects.select_related("job").get(pk=training.pk)


@pytest.fixture
def group() -> Iterator[Path]:
    """A control group of the kernel's with 64 MB."""
    if not os.access(GROUPS, os.W_OK) or not (GROUPS / "memory.limit_in_bytes").exists():
        pytest.skip("making a control group of one's own needs root and cgroup v1")
    folder = GROUPS / f"evalapp-run-{os.getpid()}"
    folder.mkdir()
    (folder / "memory.limit_in_bytes").write_text(str(64 * 2**20))
    yield folder
    folder.rmdir()


def test_what_was_lacking_is_known_and_the_training_starts_anew_with_half_the_rows(
    failed: Run, engineer: User, behave: Behave
) -> None:
    shortage = shortage_of(failed)
    assert failed.job.state == JobState.FAILED and shortage is not None
    assert (shortage.had_bytes, shortage.asked_bytes, shortage.length) == (16 * 10**9, 2 * 10**9, 512)

    again = start_with_half_batch(run=failed, by=engineer)

    assert again.name == "v1 (batch 4)"
    assert (again.spec["batch_size"], again.spec["accumulation_steps"]) == (4, 4)
    assert {**failed.spec, "batch_size": 4, "accumulation_steps": 4, "data_sha256": None} == again.spec
    behave("succeed")
    carry_out_training(again.job_id)
    again.job.refresh_from_db()
    assert again.job.state == JobState.SUCCEEDED


@pytest.mark.parametrize(
    ("rows", "objective", "smaller"),
    [(8, "sft", (4, 4)), (7, "sft", (2, 7)), (1, "sft", None), (2, "kto", None), (5, "kto", (2, 5))],
)
def test_the_effective_batch_stays_exactly_the_same(
    training: Run, behave: Behave, rows: int, objective: str, smaller: tuple[int, int] | None
) -> None:
    behave("lack memory", batch_size=rows)
    carry_out_training(training.job_id)
    run = Run.objects.select_related("job").get(pk=training.pk)
    run.spec["objective"] = objective
    found = half_batch(run)
    assert (tuple(found.values()) if found else None) == smaller


@pytest.mark.django_db(transaction=True)
def test_a_program_that_the_kernel_killed_for_memory_is_not_started_again_and_says_why(
    training: Run, behave: Behave, group: Path
) -> None:
    behave("be killed for memory", group=str(group))

    carry_out_training(training.job_id)

    run = Run.objects.select_related("job").get(pk=training.pk)
    assert (run.job.state, run.job.attempt) == (JobState.FAILED, 1)
    assert run.job.error.startswith("This machine ran out of memory: it used ")
    assert (
        "with 8 rows at a time of up to 512 tokens. In this order: half the rows at a time" in run.job.error
    )
    assert half_batch(run) == {"batch_size": 4, "accumulation_steps": 4}


def test_a_generation_is_tried_again_with_the_same_questions(
    generation: Run, behave: Behave, engineer: User
) -> None:
    behave("lack memory")
    carry_out_generation(generation.job_id)
    failed = Run.objects.select_related("job").get(pk=generation.pk)

    again = start_with_half_batch(run=failed, by=engineer)
    again.refresh_from_db()

    assert again.spec["batch_size"] == 4
    assert again.spec["sampling"] == failed.spec["sampling"]
    assert [entry.model_version for entry in again.candidates.all()] == [
        entry.model_version for entry in failed.candidates.all()
    ]
    assert (again.splits, again.dataset_version) == (failed.splits, failed.dataset_version)


def test_the_button_is_there_only_where_memory_lacked(
    project: Project, failed: Run, generation: Run, engineer: User, client_for: ClientFor
) -> None:
    client = client_for(engineer)
    page = client.get(reverse("run_detail", args=[project.slug, failed.pk])).content.decode()
    assert "Retry with half the batch size: 4 rows, 4 accumulation steps" in page
    other = client.get(reverse("run_detail", args=[project.slug, generation.pk])).content.decode()
    assert "half the batch" not in other

    answer = client.post(reverse("run_half_batch", args=[project.slug, failed.pk]))

    again = Run.objects.latest("pk")
    assert answer["Location"] == reverse("run_detail", args=[project.slug, again.pk])
    with pytest.raises(ConflictError, match="ran out of memory"):
        start_with_half_batch(run=generation, by=engineer)


def test_the_same_by_api(
    project: Project, failed: Run, generation: Run, engineer: User, program_for: Callable[[User], Program]
) -> None:
    program = program_for(engineer)
    answer = program.post(f"projects/{project.slug}/runs/{failed.pk}/half-batch/", {})
    assert (answer.status_code, answer.json()["settings"]["batch_size"]) == (202, 4)
    assert program.post(f"projects/{project.slug}/runs/{generation.pk}/half-batch/", {}).status_code == 409
