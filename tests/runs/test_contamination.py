"""Nothing is trained on what evaluates, but by an owner's recorded decision on exactly those rows."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from evalapp.accounts.models import Project, User
from evalapp.accounts.tokens import create_api_token
from evalapp.audit.models import AuditEvent
from evalapp.core.errors import ConflictError, InvalidError
from evalapp.datasets.models import Dataset, DatasetVersion
from evalapp.datasets.rows import ExampleRow
from evalapp.datasets.services import create_dataset, create_version
from evalapp.jobs.models import Job, JobState
from evalapp.jobs.services import retry_job
from evalapp.registry.models import ModelVersion
from evalapp.runs.contamination import contamination_guard
from evalapp.runs.contamination.contamination_decisions import allow_contamination, rows_hash_of
from evalapp.runs.contamination.contamination_guard import (
    ContaminatedError,
    compared_with_evaluation,
    known_leaks,
)
from evalapp.runs.contamination.contamination_pairs import named_pairs
from evalapp.runs.models import ContaminationDecision, Run
from evalapp.runs.services import start_dry_run, start_training
from evalapp.runs.tasks import carry_out_dry_run, carry_out_training
from tests.api.conftest import program_of
from tests.runs.conftest import Behave, rows_of

ClientFor = Callable[[User | None], Client]
REASON = "The first test row is a public example that no score counts."


def row(text: str, split: str) -> ExampleRow:
    return ExampleRow(split, [{"role": "user", "content": text}], [f"Answer to {text}"])


@pytest.fixture
def leaky(project: Project, engineer: User, version: DatasetVersion) -> DatasetVersion:
    """Its first training row is a test row of ``version``."""
    dataset = create_dataset(project=project, name="Leaky", by=engineer)
    leaked = [replace(row, split="train") for row in rows_of("test", 1)]
    return create_version(dataset=dataset, rows=[*leaked, *rows_of("train", 3)], by=engineer)


def train(version: DatasetVersion, base: ModelVersion, by: User) -> Run:
    return start_training(
        project=version.dataset.project,
        dataset_version=version,
        base=base,
        name="v1",
        hyperparameters={},
        by=by,
    )


def decide(version: DatasetVersion, owner: User) -> ContaminationDecision:
    found = known_leaks(version)
    assert found is not None
    return allow_contamination(
        version=version, reason=REASON, rows_hash=rows_hash_of(found.leaks["pairs"]), by=owner
    )


def page(client: Client, name: str, *args: object) -> str:
    answer = client.get(reverse(name, args=args))
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_tests_of_every_version_evaluate(project: Project, engineer: User) -> None:
    dataset = create_dataset(project=project, name="Questions", by=engineer)

    def made(*rows: ExampleRow) -> DatasetVersion:
        return create_version(dataset=dataset, rows=rows, by=engineer)

    made(row("Held out?", "test"), row("Open?", "train"))
    clean = made(row("Open?", "train"), row("Held out?", "test"))
    leaking = made(row("Open?", "train"), row("Held out?", "train"), row("Mine?", "feedback"))
    assert not compared_with_evaluation(clean).is_refused
    assert [match.training_row for match in compared_with_evaluation(leaking).exact] == [2]


@pytest.mark.parametrize("split", ["validation", "feedback", "test"])
def test_what_is_held_out_in_the_same_version_is_not_trained_on(
    project: Project, engineer: User, split: str
) -> None:
    dataset = create_dataset(project=project, name="Questions", by=engineer)
    rows = [row("First?", "train"), row("Second?", "train"), row("Second?", split), row("Third?", split)]
    report = compared_with_evaluation(create_version(dataset=dataset, rows=rows, by=engineer))
    assert [(match.training_row, match.evaluation_row) for match in report.exact] == [(2, 3)]


@pytest.mark.parametrize("split", ["validation", "feedback"])
def test_what_is_open_in_another_dataset_is_not_trained_on_until_a_newer_version_of_it_is_without(
    project: Project, engineer: User, split: str
) -> None:
    other = create_dataset(project=project, name="Others", by=engineer)
    create_version(dataset=other, rows=[row("Second?", split), row("Third?", split)], by=engineer)
    dataset = create_dataset(project=project, name="Questions", by=engineer)
    version = create_version(
        dataset=dataset, rows=[row("First?", "train"), row("Second?", "train")], by=engineer
    )
    assert compared_with_evaluation(version).refused_rows == [2]
    create_version(dataset=other, rows=[row("Third?", split)], by=engineer)
    assert not compared_with_evaluation(version).is_refused


def test_two_datasets_may_be_validated_on_the_same_rows(project: Project, engineer: User) -> None:
    held_out = [row("Held out?", "validation"), row("And this?", "validation")]
    made = []
    for name in ("First", "Second"):
        dataset = create_dataset(project=project, name=name, by=engineer)
        rows = [row(f"{name} to learn?", "train"), *held_out]
        made.append(create_version(dataset=dataset, rows=rows, by=engineer))
    for version in made:
        report = compared_with_evaluation(version)
        # The rows that both hold out are counted once.
        assert (report.is_refused, report.training_rows, report.evaluation_rows) == (False, 1, 2)


def test_a_row_of_several_versions_is_told_once(project: Project, engineer: User) -> None:
    other = create_dataset(project=project, name="Others", by=engineer)
    for extra in ("Third?", "Fourth?"):
        create_version(dataset=other, rows=[row("Second?", "test"), row(extra, "feedback")], by=engineer)
    twin = create_dataset(project=project, name="Twins", by=engineer)
    create_version(dataset=twin, rows=[row("Second?", "feedback")], by=engineer)
    dataset = create_dataset(project=project, name="Questions", by=engineer)
    version = create_version(
        dataset=dataset, rows=[row("First?", "train"), row("Second?", "train")], by=engineer
    )
    assert [match.training_row for match in compared_with_evaluation(version).exact] == [2]


@pytest.mark.parametrize("is_stored_with_its_version", [True, False])
def test_the_version_that_evaluates_is_named_and_no_other_that_holds_the_row(
    project: Project, engineer: User, base: ModelVersion, behave: Behave, client_for: ClientFor,
    is_stored_with_its_version: bool,
) -> None:  # fmt: skip
    other = create_dataset(project=project, name="Others", by=engineer)
    create_version(dataset=other, rows=[row("Second?", "validation"), row("Old?", "train")], by=engineer)
    newest = create_version(
        dataset=other, rows=[row("Second?", "validation"), row("New?", "train")], by=engineer
    )
    dataset = create_dataset(project=project, name="Questions", by=engineer)
    version = create_version(
        dataset=dataset, rows=[row("First?", "train"), row("Second?", "train")], by=engineer
    )
    with pytest.raises(ContaminatedError, match=r"row 2 \(evaluation row 1 of Others v2\)"):
        train(version, base, engineer)
    assert "Row 1 of Others v2" in page(
        client_for(engineer), "contamination", project.slug, dataset.pk, version.number
    )
    pairs = known_leaks(version).leaks["pairs"]  # type: ignore[union-attr]  # it is quick
    if not is_stored_with_its_version:
        del pairs[0]["evaluation_version"]
    assert named_pairs(version, pairs)[0]["evaluation_data"]["dataset_version"] == newest.pk


def test_a_decision_is_credited_with_its_own_rows_alone(
    project: Project, owner: User, engineer: User, base: ModelVersion, behave: Behave, client_for: ClientFor
) -> None:
    alike = " ".join(f"word{number}" for number in range(13))
    longer = " ".join(f"other{number}" for number in range(60))
    dataset = create_dataset(project=project, name="Leaky", by=engineer)
    learnt = [row("Same?", "train"), row(f"{alike} and this", "train")]
    rows = [*learnt, row("Same?", "test"), row(f"{longer} {alike}", "test")]
    version = create_version(dataset=dataset, rows=rows, by=engineer)
    with pytest.raises(ContaminatedError) as refused:
        train(version, base, engineer)
    assert "13 words" not in refused.value.message
    decide(version, owner)
    run = train(version, base, engineer)
    carry_out_training(run.job_id)
    same, shared = run.job.events.filter(text__contains="an evaluation row").values_list("text", flat=True)
    assert "row 1 (evaluation row 3 of Leaky v1)" in same
    assert "by an owner's decision" in same
    assert "row 2 (evaluation row 4 of Leaky v1)" in shared
    assert "decision" not in shared


def test_a_prompt_with_a_word_more_is_refused_and_shown(
    project: Project, engineer: User, base: ModelVersion, client_for: ClientFor
) -> None:
    dataset = create_dataset(project=project, name="Calls", by=engineer)
    learnt = row("HOW do I now cancel my card", "train")
    rows = [learnt, row("How do I cancel my bank account?", "train"), row("How do I cancel my card?", "test")]
    version = create_version(dataset=dataset, rows=rows, by=engineer)
    with pytest.raises(ContaminatedError, match=r"nearly the same prompt as an evaluation row: row 1 \("):
        train(version, base, engineer)
    shown = page(client_for(engineer), "contamination", project.slug, dataset.pk, version.number)
    assert "nearly the same prompt" in shown and "Row 2 of" not in shown
    told = program_of(engineer).get(
        f"projects/{project.slug}/datasets/{dataset.pk}/versions/1/contamination/"
    )
    assert [(each["kind"], each["training_row"]) for each in told.json()["pairs"]] == [("near", 1)]


def test_an_owner_decides_on_the_page_and_the_training_goes_on_and_says_so_everywhere(
    project: Project, owner: User, engineer: User, leaky: DatasetVersion, base: ModelVersion, behave: Behave,
    client_for: ClientFor,
) -> None:  # fmt: skip
    with pytest.raises(ContaminatedError, match="Contamination check"):
        train(leaky, base, engineer)
    place = [project.slug, leaky.dataset_id, leaky.number]
    client = client_for(owner)
    shown = page(client, "contamination", *place)
    assert "test question 0" in shown
    assert "Row 7 of Questions v1" in shown
    assert "the same prompt" in shown
    rows_hash = rows_hash_of(known_leaks(leaky).leaks["pairs"])  # type: ignore[union-attr]  # it is quick
    answer = client.post(reverse("contamination", args=place), {"reason": REASON, "rows_hash": rows_hash})
    assert answer.status_code == 302
    decision = ContaminationDecision.objects.get()
    (pair,) = decision.rows
    assert (pair["kind"], pair["training_row"], pair["evaluation_row"]) == ("exact", 1, 7)
    assert pair["training_hash"] == leaky.examples.get(row_number=1).content_hash
    event = AuditEvent.objects.get(action="contamination.allowed")
    assert (event.actor_id, event.data["rows"], event.data["reason"]) == (owner.pk, 1, REASON)

    run = train(leaky, base, engineer)
    carry_out_training(run.job_id)
    run.refresh_from_db()
    assert (run.job.state, run.contamination_decision) == (JobState.SUCCEEDED, decision)
    assert run.produced is not None
    reader = client_for(engineer)
    for told in (
        page(reader, "run_detail", project.slug, run.pk),
        page(reader, "model_version", project.slug, run.produced.pk),
        page(reader, "contamination", *place),
    ):
        assert REASON in told
        assert "Owner" in told


@pytest.mark.parametrize("role", ["manager", "engineer"])
def test_nobody_but_an_owner_decides(
    request: pytest.FixtureRequest, role: str, leaky: DatasetVersion, project: Project, client_for: ClientFor
) -> None:
    client = client_for(request.getfixturevalue(role))
    place = [project.slug, leaky.dataset_id, leaky.number]
    assert "Only an owner" in page(client, "contamination", *place)
    rows_hash = rows_hash_of(known_leaks(leaky).leaks["pairs"])  # type: ignore[union-attr]  # it is quick
    answer = client.post(reverse("contamination", args=place), {"reason": REASON, "rows_hash": rows_hash})
    assert answer.status_code == 403
    assert "Ask an owner of the project." in answer.content.decode()
    assert not ContaminationDecision.objects.exists()


def test_a_decision_covers_exactly_its_rows(
    project: Project, owner: User, engineer: User, leaky: DatasetVersion, base: ModelVersion, behave: Behave
) -> None:
    decide(leaky, owner)
    train(leaky, base, engineer)
    with pytest.raises(ConflictError, match="already have a decision"):
        decide(leaky, owner)
    # Another version with the same row needs a decision of its own.
    rows = [*(replace(row, split="train") for row in rows_of("test", 1)), *rows_of("train", 2)]
    with pytest.raises(ContaminatedError):
        train(create_version(dataset=leaky.dataset, rows=rows, by=engineer), base, engineer)
    # One more row of the decided version is held out: refused again, until that is decided on as well.
    dataset = create_dataset(project=project, name="More tests", by=engineer)
    sealed = [replace(row, split="test") for row in rows_of("train", 1)]
    create_version(dataset=dataset, rows=[*sealed, *rows_of("feedback", 1, start=9)], by=engineer)
    with pytest.raises(ContaminatedError, match="2 training rows"):
        train(leaky, base, engineer)
    assert decide(leaky, owner).training_rows == [1, 2]
    train(leaky, base, engineer)


def test_rows_that_were_not_shown_are_not_decided_on(owner: User, leaky: DatasetVersion) -> None:
    with pytest.raises(ConflictError, match="since you opened the page"):
        allow_contamination(version=leaky, reason=REASON, rows_hash="0" * 64, by=owner)
    with pytest.raises(InvalidError, match="Say in 10"):
        allow_contamination(version=leaky, reason="  because ", rows_hash="0" * 64, by=owner)


def test_where_nothing_evaluates_there_is_nothing_to_decide(owner: User, version: DatasetVersion) -> None:
    with pytest.raises(ConflictError, match="nothing to decide"):
        decide(version, owner)


def test_a_decision_is_never_changed(owner: User, leaky: DatasetVersion) -> None:
    decide(leaky, owner)
    with pytest.raises(IntegrityError, match="never changed"), transaction.atomic():
        ContaminationDecision.objects.update(reason="Something else.")


def test_of_a_large_version_the_refused_training_names_the_rows_and_is_tried_again(
    project: Project, owner: User, engineer: User, leaky: DatasetVersion, base: ModelVersion, behave: Behave,
    client_for: ClientFor, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(contamination_guard, "ROWS_WHILE_SOMEBODY_WAITS", 1)
    place = [project.slug, leaky.dataset_id, leaky.number]
    client = client_for(owner)
    assert "too large to check on this page" in page(client, "contamination", *place)
    run = train(leaky, base, engineer)
    carry_out_training(run.job_id)
    job = Job.objects.get(pk=run.job_id)
    assert job.state == JobState.FAILED
    assert "1 training row has the same prompt as an evaluation row: row 1" in job.error
    assert reverse("contamination", args=place) in page(client, "run_detail", project.slug, run.pk)
    assert "test question 0" in page(client, "contamination", *place)

    decision = decide(leaky, owner)
    retry_job(job=job, by=engineer)
    carry_out_training(run.job_id)
    run.refresh_from_db()
    assert (run.job.state, run.contamination_decision) == (JobState.SUCCEEDED, decision)
    # What it was let go on with is still known, and so is the decision on it.
    assert "is allowed despite these rows" in page(client, "contamination", *place)


def test_a_look_at_decided_rows_leads_to_its_training(
    project: Project, owner: User, engineer: User, leaky: DatasetVersion, base: ModelVersion, behave: Behave,
    client_for: ClientFor,
) -> None:  # fmt: skip
    dry_run = start_dry_run(
        project=project, dataset_version=leaky, base=base, name="v1", hyperparameters={}, by=engineer
    )
    carry_out_dry_run(dry_run.job_id)
    client = client_for(engineer)
    assert "Start training" not in page(client, "run_detail", project.slug, dry_run.pk)
    decide(leaky, owner)
    shown = page(client, "run_detail", project.slug, dry_run.pk)
    assert "Start training" in shown
    assert REASON in shown


def test_by_the_api(
    project: Project, owner: User, engineer: User, leaky: DatasetVersion, version: DatasetVersion,
    base: ModelVersion, behave: Behave,
) -> None:  # fmt: skip
    address = f"/api/v1/projects/{project.slug}/datasets/{leaky.dataset_id}/versions/1/contamination/"

    def headers(of: User) -> dict[str, str]:
        return {"Authorization": f"Bearer {create_api_token(user=of, name='Test', by=of).secret}"}

    found = Client().get(address, headers=headers(engineer)).json()
    assert (found["is_known"], found["standing"], len(found["pairs"])) == (True, None, 1)
    (pair,) = found["pairs"]
    assert pair["training_data"] == {
        "dataset": leaky.dataset_id, "name": "Leaky", "number": 1, "dataset_version": leaky.pk,
        "split": "train",
    }  # fmt: skip
    assert pair["evaluation_data"] == {
        "dataset": version.dataset_id, "name": "Questions", "number": 1, "dataset_version": version.pk,
        "split": "test",
    }  # fmt: skip
    body = {"reason": REASON, "rows_hash": found["rows_hash"]}
    asked = {"data": body, "content_type": "application/json"}
    assert Client().post(address, **asked, headers=headers(engineer)).status_code == 403
    made = Client().post(address, **asked, headers=headers(owner))
    assert (made.status_code, made.json()["decided_by"]) == (201, str(owner))
    assert made.json()["rows"] == [pair]
    assert Client().get(address, headers=headers(engineer)).json()["standing"]["id"] == made.json()["id"]
    run = train(leaky, base, engineer)
    shown = Client().get(f"/api/v1/projects/{project.slug}/runs/{run.pk}/", headers=headers(engineer)).json()
    assert shown["contamination_decision"] == made.json()["id"]

    version.delete()
    (left,) = ContaminationDecision.objects.get().rows
    named = Client().get(address, headers=headers(engineer)).json()["decisions"][0]["rows"]
    assert (left["evaluation_row"], named[0]["evaluation_data"]) == (7, None)


def test_another_project_s_rows_are_nobody_s_business(
    other_project: Project, version: DatasetVersion, owner: User, client_for: ClientFor
) -> None:
    dataset = Dataset.objects.create(project=other_project, name="Elsewhere")
    rows = [replace(row, split="train") for row in rows_of("test", 1)]
    assert not compared_with_evaluation(create_version(dataset=dataset, rows=rows, by=None)).is_refused
