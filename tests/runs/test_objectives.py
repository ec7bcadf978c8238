"""What a training reads of a dataset version by its objective, and what its page says of it."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from evalapp.accounts.models import Project, User
from evalapp.core.errors import InvalidError
from evalapp.datasets.models import DatasetVersion
from evalapp.datasets.rows import ExampleRow
from evalapp.datasets.services import create_dataset, create_version
from evalapp.registry.models import ModelVersion
from evalapp.runs.contamination.contamination_guard import ContaminatedError
from evalapp.runs.models import Run
from evalapp.runs.programs.directory import folder_for
from evalapp.runs.services import start_training
from evalapp.runs.tasks import carry_out_training
from tests.form_addresses import run_form
from tests.runs.conftest import Behave, rows_of
from tests.runs.test_views import training_form

PAIRS = [{"chosen": "Good 1.", "rejected": "Bad 1."}, {"chosen": "Good 2.", "rejected": "Bad 2."}]
RATED = [{"answer": "Fine.", "good": True}, {"answer": "Poor.", "good": False}]


@pytest.fixture
def preferred(project: Project, engineer: User, behave: Behave) -> DatasetVersion:
    """Rows 1 and 2 have an answer; 2 and 3 have pairs, 4 ratings, 5 nothing; 6 is validation with a pair."""
    plain = rows_of("train", 6)
    bare = [replace(row, references=[]) for row in plain]
    rows = [
        plain[0],
        replace(plain[1], pairs=PAIRS[:1]),
        replace(bare[2], pairs=PAIRS),
        replace(bare[3], rated=RATED),
        bare[4],
        replace(bare[5], split="validation", pairs=PAIRS[:1], rated=RATED[:1]),
    ]
    dataset = create_dataset(project=project, name="Preferred", by=engineer)
    return create_version(dataset=dataset, rows=[*rows, *rows_of("test", 1)], by=engineer)


def started(project: Project, version: DatasetVersion, base: ModelVersion, by: User, **settings: Any) -> Run:
    return start_training(
        project=project, dataset_version=version, base=base, name="v1", by=by, hyperparameters=settings
    )


@pytest.mark.parametrize(
    ("objective", "wanted", "passed_over"),
    [
        (
            "sft",
            [("row-1", "train answer 0"), ("row-2", "train answer 1"), ("row-5", "")],
            3,
        ),
        (
            "dpo",
            [
                ("row-2", "Good 1.", "Bad 1."),
                ("row-3", "Good 1.", "Bad 1."),
                ("row-3.2", "Good 2.", "Bad 2."),
                ("row-6", "Good 1.", "Bad 1."),
            ],
            3,
        ),
        (
            "kto",
            [
                ("row-4", "Fine.", True),
                ("row-4.2", "Poor.", False),
                ("row-6", "Fine.", True),
            ],
            4,
        ),
    ],
)
def test_each_objective_reads_what_it_learns_from_and_counts_the_rest(
    project: Project, engineer: User, preferred: DatasetVersion, base: ModelVersion,
    objective: str, wanted: list[Any], passed_over: int,
) -> None:  # fmt: skip
    run = started(project, preferred, base, engineer, objective=objective)
    carry_out_training(run.job_id)
    run.refresh_from_db()
    lines = [json.loads(line) for line in (folder_for(run) / "data.jsonl").read_text().splitlines()]
    parts = ("completion", "chosen", "rejected")
    assert [
        (
            line["id"],
            *(line[part][0]["content"] for part in parts if part in line),
            *([line["label"]] if "label" in line else []),
        )
        for line in lines
    ] == wanted
    assert run.rows["passed_over"] == passed_over
    assert run.spec["rows"] == len(wanted)
    if objective != "sft":
        # The answers to one prompt are never on both sides of the validation split.
        assert {line["group"] for line in lines if line["id"].startswith("row-3")} <= {"row-3"}
    # Of SFT the only validation row has nothing, so the program holds some out.
    assert lines[-1]["split"] == (None if objective == "sft" else "validation")


def made(project: Project, by: User, rows: list[ExampleRow]) -> DatasetVersion:
    return create_version(dataset=create_dataset(project=project, name="Made", by=by), rows=rows, by=by)


def trained(run: Run) -> tuple[list[dict[str, Any]], Run]:
    """What the program was given, and the run as it is then."""
    carry_out_training(run.job_id)
    run.refresh_from_db()
    assert run.job.state == "succeeded", run.job.error
    return [json.loads(line) for line in (folder_for(run) / "data.jsonl").read_text().splitlines()], run


def page_of(run: Run, client: Client) -> str:
    return client.get(reverse("run_detail", args=[run.project.slug, run.pk])).content.decode()


def test_kto_learns_no_side_of_a_pair_as_bad_where_people_said_which_answers_are(
    project: Project, engineer: User, preferred: DatasetVersion, base: ModelVersion,
    client_for: Callable[[User | None], Client],
) -> None:  # fmt: skip
    lines, run = trained(started(project, preferred, base, engineer, objective="kto"))
    assert [line["completion"][0]["content"] for line in lines if not line["label"]] == ["Poor."]
    assert (run.rows["judged_by"], run.rows["unrated_pairs"]) == ("ratings", 2)
    page = page_of(run, client_for(engineer))
    assert "2 of these have pairs but no rated answer." in page


def test_kto_takes_the_sides_of_pairs_where_no_answer_is_rated_and_says_so(
    project: Project, engineer: User, base: ModelVersion, behave: Behave,
    client_for: Callable[[User | None], Client],
) -> None:  # fmt: skip
    rows = [replace(row, references=[], pairs=PAIRS[:1]) for row in rows_of("train", 3)]
    lines, run = trained(started(project, made(project, engineer, rows), base, engineer, objective="kto"))
    assert [line["label"] for line in lines] == [True, False] * 3
    assert (run.rows["judged_by"], run.rows["passed_over"]) == ("pairs", 0)
    assert "No answer of the version is rated, so the better answers of its pairs" in page_of(
        run, client_for(engineer)
    )


@pytest.mark.parametrize("objective", ["dpo", "kto"])
def test_validation_rows_without_preferences_leave_the_holding_out_to_the_program(
    project: Project, engineer: User, base: ModelVersion, behave: Behave, objective: str,
    client_for: Callable[[User | None], Client],
) -> None:  # fmt: skip
    rows = [replace(row, pairs=PAIRS[:1], rated=RATED) for row in rows_of("train", 5)]
    version = made(project, engineer, [*rows, *rows_of("train", 1, start=5), *rows_of("validation", 2)])
    lines, run = trained(started(project, version, base, engineer, objective=objective, validation_share=0.2))
    assert {line["split"] for line in lines} == {None}
    page = page_of(run, client_for(engineer))
    assert "3 more rows (1 for training, 2 for validation) have nothing for" in page
    assert "any held-out rows are drawn from its training rows" in page


@pytest.mark.parametrize(
    ("objective", "said"),
    [("dpo", "no pair of a better and a worse answer"), ("kto", "no answer that is rated good or bad")],
)
def test_a_version_without_preferences_is_refused_with_the_way_to_some(
    project: Project, engineer: User, version: DatasetVersion, base: ModelVersion, behave: Behave,
    objective: str, said: str,
) -> None:  # fmt: skip
    with pytest.raises(InvalidError, match=said) as caught:
        started(project, version, base, engineer, objective=objective)
    assert list(caught.value.fields) == ["dataset_version"]
    assert "an export of feedback" in caught.value.message


def test_preferences_that_quote_an_evaluation_row_are_compared_with_it(
    project: Project, engineer: User, base: ModelVersion, behave: Behave
) -> None:
    rows = [replace(rows_of("test", 1)[0], split="train", references=[], pairs=PAIRS), *rows_of("test", 1)]
    dataset = create_dataset(project=project, name="Leaky", by=engineer)
    leaky = create_version(dataset=dataset, rows=rows, by=engineer)
    with pytest.raises(ContaminatedError, match="same prompt"):
        started(project, leaky, base, engineer, objective="dpo")


def test_the_form_says_when_to_use_what_and_the_page_what_was_used(
    project: Project, engineer: User, preferred: DatasetVersion, base: ModelVersion,
    client_for: Callable[[User | None], Client],
) -> None:  # fmt: skip
    client = client_for(engineer)
    address = run_form(project, "training")
    form = client.get(address).content.decode()
    for words in (
        "For bases that do not fit into memory",
        "For use after SFT, with pairs",
        "the result is a full model",
    ):
        assert words in form

    wanted = training_form(preferred, base, objective="dpo", method="full", beta="0.2")
    answer = client.post(address, wanted)
    run = Run.objects.get()
    assert answer.status_code == 302
    assert (run.spec["objective"], run.spec["method"], run.spec["beta"]) == ("dpo", "full", 0.2)
    carry_out_training(run.job_id)
    run.refresh_from_db()
    page = client.get(reverse("run_detail", args=[project.slug, run.pk])).content.decode()
    assert "Full fine-tuning by DPO" in page
    assert "3 more training rows have nothing for Full fine-tuning by DPO and were not used." in page
    assert "32 of 96 parameters (33.0%)" in page
    assert "1e-06" in page
    made = client.get(reverse("model_version", args=[project.slug, run.produced_id])).content.decode()
    assert "Full model of Small, version 2." in made
    assert "33.0% of the parameters" in made
    assert "Full fine-tuning by DPO" in made


def test_kto_in_batches_of_one_stays_in_the_form(
    project: Project, engineer: User, preferred: DatasetVersion, base: ModelVersion,
    client_for: Callable[[User | None], Client],
) -> None:  # fmt: skip
    answer = client_for(engineer).post(
        run_form(project, "training"),
        training_form(preferred, base, objective="kto", batch_size=1),
    )
    assert answer.status_code == 400
    assert "kto compares each row with another row of its batch" in answer.content.decode()
