"""An objective is one module and one line: what a new one is found in without another."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse
from drf_spectacular.generators import SchemaGenerator

from evalapp.accounts.models import Project, User
from evalapp.artifacts.card import body_of, card_of
from evalapp.datasets.models import DatasetVersion
from evalapp.datasets.services import create_dataset, create_version
from evalapp.registry.models import ModelVersion
from evalapp.registry.services import register_base
from evalapp.runs.models import Run
from evalapp.runs.tasks import carry_out_training
from tests.api.conftest import Program, problem_in, program_for
from tests.form_addresses import run_form
from tests.run_directory.tiny import make_base
from tests.runs.conftest import rows_of
from tests.runs.test_views import training_form
from tests.runs.toy_objective import WITH_IT
from training import objectives

__all__ = ["program_for"]
ClientFor = Callable[[User | None], Client]
PAIR = {"chosen": "You save 300 a month.", "rejected": "The portfolio holds shares."}


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, settings) -> None:
    """The objective, in the web and in the program that it starts."""
    monkeypatch.setattr(objectives, "OBJECTIVES", WITH_IT)
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tests.runs.toy_objective "$@"\n')
    python.chmod(0o755)
    settings.RUNS_FOLDER, settings.MODEL_PYTHON = tmp_path / "runs", python


@pytest.fixture
def base(project: Project, engineer: User, model_folders: Path) -> ModelVersion:
    return register_base(project=project, name="Tiny", folder=make_base(model_folders / "tiny"), by=engineer)


def pairs(project: Project, by: User, count: int) -> DatasetVersion:
    rows = [replace(row, references=[], pairs=[PAIR]) for row in rows_of("train", count)]
    return create_version(
        dataset=create_dataset(project=project, name=f"{count} pairs", by=by), rows=rows, by=by
    )


def test_the_form_has_it_with_its_words_its_limits_and_what_it_refuses(
    project: Project, engineer: User, base: ModelVersion, client_for: ClientFor
) -> None:
    client, address = client_for(engineer), run_form(project, "training")
    form = client.get(address).content.decode()
    for words in (
        "Better: learn the better answer of each pair. In tests alone.",
        "Better 3e-05 (1e-05 for full fine-tuning)",
        "Beta (DPO, KTO and Better)",
        "Better: from 2 to 64.",
        "DPO, KTO and Better use the pairs",
    ):
        assert words in form, words

    few, enough = pairs(project, engineer, 4), pairs(project, engineer, 5)
    refused = client.post(address, training_form(few, base, objective="better"))
    assert refused.status_code == 400
    assert (
        "have 4 pairs of a better and a worse answer, and Better needs at least 5."
        in refused.content.decode()
    )
    refused = client.post(address, training_form(enough, base, objective="better", batch_size=65))
    assert "batch_size 65 is not between 2 and 64: better wants small batches." in refused.content.decode()
    assert not Run.objects.exists()

    upload = reverse("dataset_upload", args=[project.slug, few.dataset_id])
    assert "Pairs are for DPO and Better" in client.get(upload).content.decode()


def test_two_steps_on_a_tiny_model_are_on_the_runs_page_and_on_the_card(
    project: Project, engineer: User, base: ModelVersion, client_for: ClientFor
) -> None:
    client = client_for(engineer)
    settings = {"objective": "better", "max_steps": 2, "batch_size": 2, "beta": "0.2", "validation_share": 0}
    client.post(
        run_form(project, "training"),
        training_form(pairs(project, engineer, 5), base, **settings),
    )
    carry_out_training(Run.objects.get().job_id)
    run = Run.objects.select_related("job", "produced").get()
    assert run.job.state == "succeeded", run.job.error
    assert list(run.points.order_by("step").values_list("step", flat=True)) == [1, 2]
    assert 0 <= run.points.get(step=2).values["token_accuracy"] <= 1

    page = client.get(reverse("run_detail", args=[project.slug, run.pk])).content.decode()
    assert "LoRA by Better" in page
    assert "Token accuracy</th>" in page
    assert "3e-05" in page

    assert run.produced is not None
    card = card_of(run.produced, reader=None)
    assert "- better\n" in card
    assert "LoRA by Better." in body_of(card)
    assert "| beta | 0.2 |" in card and "| loss on |" not in card


def test_the_api_offers_it_and_names_it_where_another_is_asked_for(
    project: Project, engineer: User, base: ModelVersion, program_for: Callable[[User | None], Program]
) -> None:
    schema = SchemaGenerator().get_schema(request=None, public=True)
    for body in ("TrainingBody", "SweepBody"):
        chosen = schema["components"]["schemas"][body]["properties"]["hyperparameters"]["properties"][
            "objective"
        ]
        assert chosen["enum"] == [each.key for each in WITH_IT]
        assert "better: learn the better answer of each pair" in chosen["description"]

    program, trainings = program_for(engineer), f"projects/{project.slug}/runs/training/"
    asked = {"dataset_version": pairs(project, engineer, 5).pk, "base": base.pk, "name": "v1"}
    answer = program.post(trainings, {**asked, "hyperparameters": {"objective": "better"}})
    assert (answer.status_code, answer.json()["settings"]["objective"]) == (202, "better")
    problem = problem_in(program.post(trainings, {**asked, "hyperparameters": {"objective": "best"}}), 400)
    known = ", ".join(repr(each.key) for each in WITH_IT)
    assert f"'best' is not one of {known}" in problem["message"]
