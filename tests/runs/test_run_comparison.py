"""Trainings overlaid, and what differs between them."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from evalapp.accounts.models import Project, User
from evalapp.core.errors import InvalidError
from evalapp.datasets.models import DatasetVersion
from evalapp.registry.models import ModelVersion
from evalapp.runs.models import Run, TrainingPoint
from evalapp.runs.services import start_training
from evalapp.runs.tasks import carry_out_training
from evalapp.runs.training.run_comparison import chosen_runs, compare_runs
from tests.runs.conftest import Behave

ClientFor = Callable[[User], Client]


@pytest.fixture
def two(
    project: Project, engineer: User, version: DatasetVersion, base: ModelVersion, behave: Behave
) -> list[Run]:
    runs = [
        start_training(
            project=project, dataset_version=version, base=base, name=name, by=engineer,
            hyperparameters={"lora": {"rank": rank}, "seed": 7, "learning_rate": rate},
        )
        for name, rank, rate in (("small <i>", 2, 2e-4), ("large", 4, 2e-3))
    ]  # fmt: skip
    for run in runs:
        carry_out_training(run.job_id)
    return runs


def test_losses_and_the_settings_that_differ(two: list[Run], project: Project) -> None:
    compared = compare_runs(chosen_runs(project, [str(run.pk) for run in two]), x="step")
    assert [name for name, _ in compared.charts] == ["validation_loss", "loss"]
    validation, training = (chart for _, chart in compared.charts)
    assert training.rows[:4] == [["small <i>", str(step), f"{2 / step:.4f}"] for step in (1, 2, 3, 4)]
    assert [row[0] for row in validation.rows] == ["small <i>", "large"]
    assert validation.says.startswith("Validation loss, the lowest first: small <i>: lowest 0.9")
    assert [(each.name, each.values) for each in compared.settings] == [
        ("Learning rate", ["0.0002", "0.002"]),
        ("LoRA rank", ["2", "4"]),
    ]
    results = {each.name: each.values for each in compared.results}
    assert results["State"] == ["Succeeded", "Succeeded"]
    assert results["Tokens"] == ["100", "100"]
    assert compared.lacking == []


def test_a_cancelled_training_tells_how_far_it_came_and_its_default_rate(
    two: list[Run], project: Project
) -> None:
    """It has no result, and its points are there; the rate that both left out is one rate."""
    for run in two:
        run.refresh_from_db()
        run.spec["learning_rate"] = None
        run.result["learning_rate"] = 2e-4
        run.save()
    cancelled = two[1]
    cancelled.result = {}
    cancelled.save()
    TrainingPoint.objects.filter(run=cancelled, step=4).delete()
    TrainingPoint.objects.filter(run=cancelled, step=3).update(
        values={"loss": 0.7, "tokens": 3000, "seconds": 90, "epoch": 0.4}
    )

    compared = compare_runs(chosen_runs(project, [str(run.pk) for run in two]), x="step")

    assert [each.name for each in compared.settings] == ["LoRA rank"]
    results = {each.name: each.values[1] for each in compared.results}
    assert (results["Steps"], results["Tokens"], results["Rows read"]) == ("3", "3,000", "2")
    assert results["Rows to train on"] == "5"
    assert results["Time"].startswith("1")


def test_drawn_over_passes_tokens_or_time_where_the_program_told_them(
    two: list[Run], project: Project
) -> None:
    first = two[0]
    TrainingPoint.objects.filter(run=first).update(
        values={"loss": 1.0, "tokens": 3000, "seconds": 90, "epoch": 0.5}
    )
    chosen = chosen_runs(project, [str(run.pk) for run in two])
    for x, at in (("tokens", "3"), ("time", "1.5"), ("epoch", "0.5")):
        compared = compare_runs(chosen, x=x)
        [_, training] = compared.charts if len(compared.charts) == 2 else [None, compared.charts[-1]]
        assert training[1].rows[0] == ["small <i>", at, "1.0000"]
    assert compare_runs(chosen, x="tokens").lacking == ["large"]


def test_the_address_holds_the_choice(
    two: list[Run], project: Project, engineer: User, client_for: ClientFor
) -> None:
    client = client_for(engineer)
    address = reverse("run_compare", args=[project.slug])
    plain = client.get(address)
    assert plain.status_code == 200
    assert "small &lt;i&gt; (succeeded" in plain.content.decode()
    page = client.get(address, {"run": [run.pk for run in two], "x": "epoch"}).content.decode()
    assert 'data-chart="validation_loss"' in page and 'data-chart="loss"' in page
    assert "small &lt;i&gt;" in page and "small <i>" not in page.partition('type="application/json"')[0]
    assert page.count("checked") == 3
    assert "Settings that differ" in page


@pytest.mark.parametrize("ids", [["1"], ["999999", "2"], ["x"], ["9" * 30, "1"], ["-1", "2"]])
def test_what_is_no_choice_is_said_on_the_page(
    ids: list[str], two: list[Run], project: Project, engineer: User, client_for: ClientFor
) -> None:
    answer = client_for(engineer).get(reverse("run_compare", args=[project.slug]), {"run": ids})
    assert answer.status_code == 400
    assert "Choose" in answer.content.decode()


def test_another_projects_trainings_are_unknown(two: list[Run], other_project: Project) -> None:
    with pytest.raises(InvalidError, match="not in this project"):
        chosen_runs(other_project, [str(run.pk) for run in two])


def test_more_than_eight_are_refused(training: Run, project: Project) -> None:
    many = [training]
    for number in range(8):
        copy = Run.objects.get(pk=training.pk)
        job = copy.job
        job.pk = None
        job.save(force_insert=True)
        copy.pk, copy.job, copy.name = None, job, f"v{number}"
        copy.save(force_insert=True)
        many.append(copy)
    with pytest.raises(InvalidError, match="2 to 8 trainings"):
        chosen_runs(project, [str(run.pk) for run in many])
