"""A dry run: started from the training's form, shown on a page and by the API, followed by the training."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from django.test import Client
from django.urls import reverse

from evalapp.accounts.models import Project, User
from evalapp.accounts.tokens import create_api_token
from evalapp.core.errors import ConflictError, InvalidError
from evalapp.datasets.models import DatasetVersion
from evalapp.datasets.services import create_dataset, create_version
from evalapp.jobs.models import Job, JobState
from evalapp.registry.models import ModelVersion
from evalapp.runs.models import Run, RunKind
from evalapp.runs.services import start_dry_run, start_training_of
from evalapp.runs.tasks import carry_out_dry_run
from tests.api.conftest import Program, program_for
from tests.form_addresses import run_form
from tests.runs.conftest import Behave, rows_of
from tests.runs.test_views import training_form
from training.dry_run_report import Estimate

__all__ = ["program_for"]

ClientFor = Callable[[User | None], Client]


@pytest.fixture
def dry_run(
    project: Project, engineer: User, version: DatasetVersion, base: ModelVersion, behave: Behave
) -> Run:
    return start_dry_run(
        project=project, dataset_version=version, base=base, name="v1", by=engineer,
        hyperparameters={"epochs": 3.0, "lora": {"rank": 2}},
    )  # fmt: skip


@pytest.fixture
def leaky(project: Project, engineer: User, version: DatasetVersion) -> DatasetVersion:
    dataset = create_dataset(project=project, name="Leaky", by=engineer)
    leaked = [replace(row, split="train") for row in rows_of("test", 1)]
    return create_version(dataset=dataset, rows=[*leaked, *rows_of("train", 2)], by=engineer)


def page_of(run: Run, client: Client) -> str:
    answer = client.get(reverse("run_detail", args=[run.project.slug, run.pk]))
    assert answer.status_code == 200
    return answer.content.decode()


def test_a_look_is_asked_for_in_the_form_and_followed_by_the_training(
    project: Project, engineer: User, version: DatasetVersion, base: ModelVersion, behave: Behave,
    client_for: ClientFor,
) -> None:  # fmt: skip
    client = client_for(engineer)
    form = training_form(version, base, dry_run="1", epochs="3", max_length="96")
    client.post(run_form(project, "training"), form)
    dry_run = Run.objects.select_related("project").get()
    assert dry_run.kind == RunKind.DRY_RUN
    assert "Start training" not in page_of(dry_run, client)

    carry_out_dry_run(dry_run.job_id)
    page = page_of(dry_run, client)
    for shown in (
        "3 min",  # 180 s estimated
        "0.9%",
        "of 1,000 parameters",
        "3.0\N{NO-BREAK SPACE}GB",
        "of 7.5\N{NO-BREAK SPACE}GB, with the longest batch",
        # The weights, and what the longest batch needs beside them.
        "1.9\N{NO-BREAK SPACE}MB",
        "The longest batch, and libraries",
        "Input, not trained on: 500 tokens",
        "Trained on: 1 token<",
        "Truncated, not used: 2 tokens",
        "495 more tokens",
        "&lt;b&gt;",
        "1 dropped: empty completion.",
        "Half of the rows have at most 40 tokens, the longest has 503. 1 is longer than 128.",
        "5 rows are few",
        "arxiv.org/abs/2305.11206",
        "None repeats a prompt or shares a long passage.",
    ):
        assert shown in page, shown

    answer = client.post(reverse("dry_run_start", args=[project.slug, dry_run.pk]))
    training = Run.objects.get(kind=RunKind.TRAINING)
    assert answer["Location"] == reverse("run_detail", args=[project.slug, training.pk])
    assert training.name == "v1"
    dry_run.refresh_from_db()
    assert training.spec == {**dry_run.spec, "data_sha256": None}


def test_a_look_names_the_rows_that_also_evaluate_and_its_training_is_refused(
    project: Project, engineer: User, leaky: DatasetVersion, base: ModelVersion, behave: Behave,
    client_for: ClientFor,
) -> None:  # fmt: skip
    dry_run = start_dry_run(
        project=project, dataset_version=leaky, base=base, name="v1", by=engineer, hyperparameters={}
    )
    carry_out_dry_run(dry_run.job_id)
    client = client_for(engineer)
    page = page_of(dry_run, client)
    assert "This training would be refused" in page
    assert "has the same prompt as an evaluation row" in page
    assert "Start training" not in page
    dry_run.refresh_from_db()
    assert dry_run.result["leaks"]["rows"] == [1]

    answer = client.post(reverse("dry_run_start", args=[project.slug, dry_run.pk]), follow=True)
    assert "has the same prompt as an evaluation row" in answer.content.decode()
    assert not Run.objects.filter(kind=RunKind.TRAINING).exists()


def test_sample_answers_that_take_long_are_named_on_the_page_and_by_the_interface(
    dry_run: Run, engineer: User, client_for: ClientFor, program_for: Callable[[User], Program]
) -> None:
    carry_out_dry_run(dry_run.job_id)
    dry_run.refresh_from_db()
    estimate = dry_run.result["estimate"]
    spent = Estimate.from_dict({**estimate, "sampling_seconds": 180.0})
    dry_run.result |= {"estimate": spent.to_dict(), "notes": list(spent.notes)}
    dry_run.save(update_fields=["result"])

    sentence = "About 50% of the time is for sample answers; fewer prompts"
    page = page_of(dry_run, client_for(engineer))
    assert sentence in page and "Sample answers" in page
    told = program_for(engineer).get(f"projects/{dry_run.project.slug}/runs/{dry_run.pk}/").json()["result"]
    assert told["notes"][0].startswith(sentence)


def test_the_page_tells_one_estimate_of_time(dry_run: Run, engineer: User, client_for: ClientFor) -> None:
    carry_out_dry_run(dry_run.job_id)
    dry_run.refresh_from_db()
    parts = {
        "preparing_seconds": 20.6,
        "training_seconds": 0.0,
        "evaluating_seconds": 0.0,
        "saving_seconds": 0.0,
    }
    dry_run.result["estimate"] |= parts
    dry_run.save(update_fields=["result"])
    page = page_of(dry_run, client_for(engineer))
    # Above, as the part that takes it, and together.
    assert (page.count("21 s<"), page.count("20 s<")) == (3, 0)


def test_a_batch_that_does_not_fit_leaves_the_rest_of_the_look(
    dry_run: Run, behave: Behave, engineer: User, client_for: ClientFor
) -> None:
    behave("no memory")
    carry_out_dry_run(dry_run.job_id)
    page = page_of(dry_run, client_for(engineer))
    assert "Not enough memory for the longest batch" in page
    assert "did not fit" in page
    assert "Trained on: 1 token<" in page
    assert "estimated" not in page


def test_the_form_begins_with_the_settings_of_a_look(
    dry_run: Run, project: Project, engineer: User, client_for: ClientFor
) -> None:
    address = run_form(project, "training")
    page = client_for(engineer).get(address, {"of": dry_run.pk}).content.decode()
    for field in ('name="name" value="v1"', 'name="epochs" value="3.0"', 'name="rank" value="2"'):
        assert field in page, field
    assert client_for(engineer).get(address, {"of": "nothing"}).status_code == 404


def test_what_an_older_product_found_does_not_break_the_page(
    dry_run: Run, engineer: User, client_for: ClientFor
) -> None:
    carry_out_dry_run(dry_run.job_id)
    Run.objects.filter(pk=dry_run.pk).update(result={"leaks": {}, "colour": "red"})
    page = page_of(dry_run, client_for(engineer))
    assert "This dry run was made by another version of evalapp" in page
    assert "Trained on:" not in page


def test_a_killed_look_is_made_again_whole(dry_run: Run, behave: Behave) -> None:
    behave("die", hang_at=1)
    carry_out_dry_run(dry_run.job_id)
    assert Job.objects.get(pk=dry_run.job_id).state == JobState.QUEUED
    carry_out_dry_run(dry_run.job_id)
    dry_run.refresh_from_db()
    assert (Job.objects.get(pk=dry_run.job_id).state, dry_run.rows["in"]) == (JobState.SUCCEEDED, 6)


def test_a_look_is_no_run_with_answers(
    dry_run: Run, project: Project, engineer: User, client_for: ClientFor
) -> None:
    assert client_for(engineer).post(reverse("run_score", args=[project.slug, dry_run.pk])).status_code == 404


def test_what_is_refused_of_a_training_is_refused_of_a_look(
    project: Project, engineer: User, version: DatasetVersion, base: ModelVersion, behave: Behave
) -> None:
    with pytest.raises(InvalidError, match="no pair of a better and a worse answer"):
        start_dry_run(
            project=project, dataset_version=version, base=base, name="v1", by=engineer,
            hyperparameters={"objective": "dpo"},
        )  # fmt: skip
    assert not Run.objects.exists()


def test_only_a_look_is_followed_by_its_training(training: Run, engineer: User) -> None:
    with pytest.raises(ConflictError, match="Only a dry run"):
        start_training_of(dry_run=training, by=engineer)


def test_a_program_looks_as_a_person_does(
    project: Project, engineer: User, version: DatasetVersion, base: ModelVersion, behave: Behave
) -> None:
    secret = create_api_token(user=engineer, name="Test", by=engineer).secret
    headers = {"Authorization": f"Bearer {secret}"}
    body = {
        "dataset_version": version.pk, "base": base.pk, "name": "v1", "hyperparameters": {"epochs": 1.0},
    }  # fmt: skip
    address = f"/api/v1/projects/{project.slug}/runs/"
    answer = Client().post(
        f"{address}training/dry-run/", body, content_type="application/json", headers=headers
    )
    assert (answer.status_code, answer.json()["kind"]) == (202, "dry_run")
    run = Run.objects.get()
    carry_out_dry_run(run.job_id)
    found = Client().get(f"{address}{run.pk}/", headers=headers).json()
    assert (
        found["rows"]["in"] == found["rows"]["used"] + found["rows"]["truncated"] + found["rows"]["dropped"]
    )
    assert found["result"]["estimate"]["training_seconds"] == 120.0
    assert found["result"]["leaks"]["is_refused"] is False
