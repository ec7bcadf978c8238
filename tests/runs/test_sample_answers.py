"""What a model in training answers to prompts held out: stored as it comes, shown with the reference."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from evalapp.accounts.models import Project, User
from evalapp.datasets.rows import ExampleRow
from evalapp.datasets.services import create_dataset, create_version
from evalapp.jobs.models import Job, JobState
from evalapp.jobs.services import retry_job
from evalapp.registry.models import ModelVersion
from evalapp.runs.models import Run, SampleAnswer
from evalapp.runs.services import start_training
from evalapp.runs.tasks import carry_out_training
from evalapp.runs.training.sample_answers import shown_samples, store_sample_answers
from run_directory.records import RecordError
from tests.runs.conftest import Behave
from training.spec import SampleAnswers


def said(*texts: str, rows: list[str] | None = None) -> SampleAnswers:
    rows = rows or [f"row-{number}" for number in range(1, len(texts) + 1)]
    answers = [{"row": row, "text": text, "is_whole": True} for row, text in zip(rows, texts, strict=True)]
    return SampleAnswers.from_dict({"answers": answers})


def test_the_page_shows_prompt_reference_and_answers_and_asks_for_new_ones(
    training: Run, project: Project, engineer: User, client_for: Callable[[User], Client]
) -> None:
    client = client_for(engineer)
    carry_out_training(training.job_id)
    page = client.get(reverse("run_detail", args=[project.slug, training.pk])).content.decode()
    assert "Sample outputs" in page
    assert "train question 0" in page and "train answer 0" in page
    assert "Learned in 1 &lt;b&gt;passes&lt;/b&gt;." in page
    assert "step 4" in page

    part = reverse("run_samples", args=[project.slug, training.pk])
    Job.objects.filter(pk=training.job_id).update(
        state=JobState.RUNNING, finished_at=None, lease_expires_at="2100-01-01T00:00Z"
    )
    assert client.get(f"{part}?after=4").status_code == 204
    newer = client.get(f"{part}?after=2")
    assert "after=4" in newer.content.decode()


def test_they_survive_a_killed_program_and_are_stored_once(
    training: Run, behave: Behave, engineer: User
) -> None:
    store_sample_answers(training, 2, said("First.", "Second."))
    carry_out_training(training.job_id)
    retry = Job.objects.get(pk=training.job_id)
    Job.objects.filter(pk=retry.pk).update(state=JobState.FAILED)
    retry_job(job=retry, by=engineer)
    carry_out_training(training.job_id)
    found = training.sample_answers.order_by("step", "position").values_list("step", "text")
    assert list(found) == [(2, "First."), (2, "Second."), (4, "Learned in 1 <b>passes</b>.")]
    # An evaluation that a resumed training repeats counts as it came out last.
    store_sample_answers(training, 2, said("First again.", "Second."))
    [sample, _] = shown_samples(training)
    assert [answer.text for answer in sample.answers] == ["First again.", "Learned in 1 <b>passes</b>."]


def test_an_answer_to_no_row_of_the_run_is_refused(training: Run, behave: Behave) -> None:
    for row in ("row-99", "row-7", "row-x", "7", "row-"):
        # Row 7 is a test row: the program cannot have it.
        with pytest.raises(RecordError, match="which the run does not have"):
            store_sample_answers(training, 2, said("So.", rows=[row]))
    behave(sampled="row-99")
    carry_out_training(training.job_id)
    job = Job.objects.get(pk=training.job_id)
    assert job.state == JobState.FAILED
    assert "sample answers that cannot be read" in job.error
    assert not SampleAnswer.objects.exists()


@pytest.mark.parametrize(
    ("objective", "row", "reference", "name"),
    [
        ("dpo", "row-1", "Better one.", "The better answer"),
        ("dpo", "row-1.2", "Better two.", "The better answer"),
        ("kto", "row-1", "Fine.", "Rated good"),
        ("kto", "row-1.2", "Poor.", "Rated bad"),
    ],
)
def test_the_reference_is_what_the_objective_learns_from(
    project: Project, engineer: User, base: ModelVersion, behave: Behave, objective: str, row: str,
    reference: str,
    name: str,
) -> None:  # fmt: skip
    pairs: list[Any] = [{"chosen": f"Better {n}.", "rejected": f"Worse {n}."} for n in ("one", "two")]
    rated: list[Any] = [{"answer": "Fine.", "good": True}, {"answer": "Poor.", "good": False}]
    rows = [
        ExampleRow(split="train", messages=[{"role": "user", "content": "Why?"}], pairs=pairs, rated=rated)
    ]
    dataset = create_dataset(project=project, name="Preferences", by=engineer)
    version = create_version(dataset=dataset, rows=rows, by=engineer)
    run = start_training(
        project=project, dataset_version=version, base=base, name="v1", by=engineer,
        hyperparameters={"objective": objective},
    )  # fmt: skip
    store_sample_answers(run, 1, said("So.", rows=[row]))
    [sample] = shown_samples(run)
    assert (sample.reference, sample.reference_name) == (reference, name)
