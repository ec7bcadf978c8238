"""The page of a sweep: which training is best, and whether more examples would help."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from django.conf import settings
from django.test import Client, override_settings
from django.urls import reverse

from evalapp.accounts.models import Project, User
from evalapp.accounts.tokens import create_api_token
from evalapp.analysis.sweeps import versions
from evalapp.analysis.sweeps.curve import learning_curve
from evalapp.analysis.sweeps.measures import MeasureChoice, measure_choices, values_of
from evalapp.analysis.sweeps.versions import over_versions
from evalapp.campaigns.services import create_campaign, open_campaign
from evalapp.core.errors import InvalidError
from evalapp.datasets.diff import TrainingChanges
from evalapp.datasets.models import DatasetVersion
from evalapp.datasets.services import create_version
from evalapp.jobs.models import Job
from evalapp.registry.models import ModelVersion
from evalapp.registry.services import register_base
from evalapp.runs.models import Run, Sweep
from evalapp.runs.services import start_generation
from evalapp.runs.sweeps.results import SweepRun, SweepTable, sweep_table
from evalapp.runs.sweeps.services import start_sweep
from evalapp.runs.tasks import carry_out_generation, carry_out_training
from evalapp.runs.training.axes import VERSION
from evalapp.scoring.models import MetricResult
from tests.factories import answers, make_rubric, review_all
from tests.kept_cast import Cast, again
from tests.registry.conftest import make_model_folders
from tests.registry.handmade import make_base_folder
from tests.runs.conftest import make_fake_program, make_questions, rows_of

pytestmark = pytest.mark.django_db
ClientFor = Callable[[User], Client]
LOSS = MeasureChoice("validation_loss", "Validation loss", lower_is_better=True)


class Made(NamedTuple):
    """``sweep``: two shares with two seeds each, all trained; ``generation``: their answers."""

    version: DatasetVersion
    base: ModelVersion
    sweep: Sweep
    generation: Run


@pytest.fixture(scope="module")
def made(cast: Cast, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    """While it is there, trainings and generations are carried out by the fake program."""
    project, engineer, folder = cast.project, cast.engineer, tmp_path_factory.mktemp("sweeps")
    with override_settings(**make_model_folders(folder), **make_fake_program(folder)):
        version = make_questions(project, engineer)
        small = make_base_folder(settings.MODEL_FOLDERS[0] / "small")
        base = register_base(project=project, name="Small", folder=small, by=engineer)
        sweep = start_sweep(
            project=project, dataset_version=version, base=base, name="Sizes", hyperparameters={},
            axes={"data_share": [0.4, 1.0], "seed": [42, 43]}, by=engineer,
        )  # fmt: skip
        for run in sweep.runs.order_by("pk"):
            carry_out_training(run.job_id)
        trained = [run.produced for run in sweep.runs.select_related("produced").order_by("pk")]
        generation = start_generation(
            project=project, dataset_version=version, splits=["feedback"], candidates=trained,
            name="Answers", sampling={}, by=engineer,
        )  # fmt: skip
        carry_out_generation(generation.job_id)
        yield Made(version, base, sweep, generation)


@pytest.fixture
def version(made: Made) -> DatasetVersion:
    return again(made.version)


@pytest.fixture
def base(made: Made) -> ModelVersion:
    return again(made.base)


@pytest.fixture
def sweep(made: Made) -> Sweep:
    return again(made.sweep)


@pytest.fixture
def generation(made: Made) -> Run:
    return again(made.generation)


def page_of(client: Client, sweep: Sweep, **query: object) -> str:
    return client.get(reverse("sweep_detail", args=[sweep.project.slug, sweep.pk]), query).content.decode()


def table_of(*rows: tuple[float, int, int]) -> SweepTable:
    """Trainings of (share, seed, examples), done."""
    found = [
        SweepRun(
            Run(pk=position), {"data_share": share, "seed": seed}, [], share, examples, None, None, None, None
        )
        for position, (share, seed, examples) in enumerate(rows)
    ]
    return SweepTable([], found, [], "")


def answer_to(*losses: float, sizes: tuple[int, ...] = (100, 200, 400), seeds: int = 1) -> str:
    rows = [(size / sizes[-1], seed, size) for size in sizes for seed in range(seeds)]
    curve = learning_curve(table_of(*rows), LOSS, dict(enumerate(losses)))
    [sentence] = curve.answer
    return sentence


def test_the_page_marks_the_best_and_leads_on(sweep: Sweep, engineer: User, client_for: ClientFor) -> None:
    page = page_of(client_for(engineer), sweep)
    assert "4 of 4 done" in page
    assert page.count(">best<") == 1
    assert "Generate outputs of all 4" in page and "Generate outputs of the best" in page
    runs = [row.run for row in sweep_table(sweep).rows]
    assert all(f"candidates={run.produced_id}" in page for run in runs)
    assert "Overlay their losses" in page
    assert "100% of the data" in page, "means over seeds"
    # 0.2 for each doubling, and 2.5 times the examples.
    assert (
        "More examples would probably still help: from 2 to 5 the validation loss fell from 0.869 to 0.605"
        in page
    )
    assert "Two sizes give a line, not a curve" in page
    assert 'data-chart="learning-curve"' in page


def test_what_the_curve_says_of_more_examples() -> None:
    says = answer_to(2.0, 1.5, 1.25)
    assert says.startswith(
        "More examples may still help: from 200 to 400 the validation loss fell from 1.5 to 1.25"
    )
    assert "With only one seed, this difference may be chance" in says
    assert (
        "The previous doubling gained 0.5: the gain shrinks. If this continues, doubling to 800 would"
        " gain about 0.125." in says
    )
    assert "the gain does not shrink yet" in answer_to(2.0, 1.75, 1.5)
    assert answer_to(2.0, 1.5, 1.499).startswith("More of the same examples would change little")
    assert answer_to(2.0, 1.5, 1.6).startswith("More of the same examples do not seem to help")
    noisy = answer_to(2.0, 1.6, 1.9, 1.5, sizes=(100, 200), seeds=2)
    assert noisy.startswith("These trainings do not show whether more examples help")
    assert "within the spread between seeds" in noisy
    sure = answer_to(2.0, 2.01, 1.5, 1.51, sizes=(100, 200), seeds=2)
    assert sure.startswith("More examples would probably still help")


def test_the_curve_does_not_call_more_steps_more_examples(
    sweep: Sweep, engineer: User, client_for: ClientFor
) -> None:
    for run in sweep.runs.filter(spec__data_share=1.0):
        run.result = {**run.result, "steps": 9}
        run.save(update_fields=["result"])
    page = page_of(client_for(engineer), sweep)
    assert "More examples, or more steps on the same ones, may still help" in page
    assert "also took more optimiser steps (9 instead of 4), and of the earlier trainings all had" in page
    headers = {"Authorization": f"Bearer {create_api_token(user=engineer, name='Test', by=engineer).secret}"}
    address = f"/api/v1/projects/{sweep.project.slug}/sweeps/{sweep.pk}/curve/"
    told = Client().get(address, headers=headers).json()
    [gain] = told["curves"][0]["gains"]
    assert gain["may_be_steps"] is True
    assert [point["steps"] for point in told["curves"][0]["points"]] == [4, 9]
    assert "max steps" in told["answer"][0]


def test_too_few_sizes_say_nothing() -> None:
    assert "known for only one data size (100 examples)" in answer_to(2.0, sizes=(100,))
    assert "known for only one data size" in answer_to(2.0, 1.0, sizes=(100, 105))
    assert learning_curve(table_of((1.0, 1, 10)), LOSS, {}).answer == [
        "No answer yet: no finished training of this sweep has this measure."
    ]


def test_each_setting_has_a_curve_of_its_own(
    project: Project, engineer: User, version: DatasetVersion, base: ModelVersion
) -> None:
    sweep = start_sweep(
        project=project, dataset_version=version, base=base, name="Both", hyperparameters={},
        axes={"learning_rate": [2e-4, 2e-3], "data_share": [0.4, 1.0]}, by=engineer,
    )  # fmt: skip
    for run in sweep.runs.order_by("pk"):
        carry_out_training(run.job_id)
    table = sweep_table(sweep)
    curve = learning_curve(table, LOSS, {row.run.pk: row.validation_loss or 0 for row in table.rows})
    assert [course.words for course in curve.courses] == ["learning rate 0.0002", "learning rate 0.002"]
    assert curve.answer[0].startswith("Learning rate 0.0002: more examples may still help")
    assert curve.chart is not None and len(curve.chart.rows) == 4


def test_a_sweep_without_shares_says_that_it_cannot_tell(
    project: Project, engineer: User, version: DatasetVersion, base: ModelVersion,
    client_for: ClientFor,
) -> None:  # fmt: skip
    sweep = start_sweep(
        project=project, dataset_version=version, base=base, name="Seeds", hyperparameters={},
        axes={"seed": [1, 2]},
        by=engineer,
    )  # fmt: skip
    client = client_for(engineer)
    page = page_of(client, sweep)
    assert "all trainings used the same examples" in page
    assert "shares=25%25%2C+50%25%2C+100%25" in page
    assert "Generate outputs of all" not in page and "Cancel unfinished trainings" in page
    part = reverse("sweep_progress", args=[project.slug, sweep.pk])
    assert "HX-Refresh" not in client.get(f"{part}?unfinished=2", headers={"HX-Request": "true"})
    carry_out_training(sweep.runs.order_by("pk")[0].job_id)
    assert client.get(f"{part}?unfinished=2", headers={"HX-Request": "true"})["HX-Refresh"] == "true"


def test_versions_of_the_data_are_trained_on_and_compared(
    project: Project, engineer: User, version: DatasetVersion, base: ModelVersion,
    client_for: ClientFor,
) -> None:  # fmt: skip
    rows = [*rows_of("train", 12), *rows_of("test", 3)]
    create_version(dataset=version.dataset, rows=rows, by=engineer)
    with pytest.raises(InvalidError, match="Questions has no version 9"):
        start_sweep(
            project=project, dataset_version=version, base=base, name="Gone", hyperparameters={},
            axes={"dataset_version": [1, 9]}, by=engineer,
        )  # fmt: skip
    sweep = start_sweep(
        project=project, dataset_version=version, base=base, name="Versions", hyperparameters={},
        axes={"dataset_version": [1, 2], "seed": [1, 2]}, by=engineer,
    )  # fmt: skip
    assert [run.dataset_version.number for run in sweep.runs.order_by("pk")] == [1, 1, 2, 2]
    for run in sweep.runs.order_by("pk"):
        carry_out_training(run.job_id)
    page = page_of(client_for(engineer), sweep)
    assert "these versions are not validated on the same rows" in page and ">best<" not in page
    assert "v1 to v2 (6 training rows added, 0 changed, 0 removed): the validation loss" in page
    headers = {"Authorization": f"Bearer {create_api_token(user=engineer, name='Test', by=engineer).secret}"}
    told = Client().get(f"/api/v1/projects/{project.slug}/sweeps/{sweep.pk}/curve/", headers=headers).json()
    (course,) = told["versions"]
    assert [point["version"] for point in course["points"]] == [1, 2]
    assert (course["steps"][0]["added"], course["points"][1]["trainings"]) == (6, 2)


@pytest.mark.parametrize(
    ("examples", "changes", "values", "said"),
    [
        ((100, 200), (100, 0, 100, 0), (0.4, 0.41, 0.5, 0.51), "More rows of the same kind helped."),
        ((100, 100), (60, 40, 0, 0), (0.4, 0.41, 0.5, 0.51), "Better rows helped"),
        ((100, 10), (5, 5, 0, 90), (0.4, 0.41, 0.5, 0.51), "Better rows helped"),
        ((100, 200), (50, 50, 100, 0), (0.4, 0.41, 0.5, 0.51), "it is unclear which of the two helped"),
        ((100, 200), (100, 0, 100, 0), (0.4, 0.6, 0.5, 0.51), "do not show whether these rows help"),
        ((100, 200), (100, 0, 100, 0), (0.5, 0.51, 0.4, 0.41), "These rows did not help."),
    ],
)
def test_more_rows_better_rows_or_not_to_be_told(
    version: DatasetVersion,
    monkeypatch: pytest.MonkeyPatch,
    examples: tuple[int, int],
    changes: tuple[int, int, int, int],
    values: tuple[float, ...],
    said: str,
) -> None:
    later = DatasetVersion(dataset=version.dataset, number=2)
    rows = [
        SweepRun(
            Run(pk=place, dataset_version=of), {VERSION: of.number, "seed": place}, [], 1.0, size,
            None, None, None, None,
        )
        for place, (of, size) in enumerate(
            [(version, examples[0])] * 2 + [(later, examples[1])] * 2
        )
    ]  # fmt: skip
    monkeypatch.setattr(versions, "training_changes", lambda *_: TrainingChanges(*changes))
    score = MeasureChoice("people-1-tone", "Tone", lower_is_better=False)
    (course,) = over_versions(SweepTable([], rows, [], ""), score, dict(enumerate(values)))
    assert said in course.answer[0]


def test_metrics_of_their_answers_are_a_choice(
    sweep: Sweep, generation: Run, engineer: User, client_for: ClientFor
) -> None:
    MetricResult.objects.all().delete()
    by_version = {}
    for position, row in enumerate(sweep_table(sweep).rows):
        assert row.run.produced_id is not None
        for output in generation.outputs.filter(candidate=row.run.produced_id):
            MetricResult.objects.create(output=output, metric="rougeL", signature="s", value=0.1 * position)
        by_version[row.run.pk] = pytest.approx(0.1 * position)
    choices = measure_choices(sweep, engineer)
    choice = choices.chosen(f"metric-{generation.pk}-rougeL")
    assert (choice.words, choice.lower_is_better) == ("ROUGE-L, in Answers", False)
    assert values_of(choice, sweep, sweep_table(sweep)) == by_version
    page = page_of(client_for(engineer), sweep, by=choice.key)
    assert "the ROUGE-L rose from 0.05 to 0.25" in page
    assert "selected>ROUGE-L, in Answers" in page


def test_peoples_scores_are_a_choice_but_not_for_who_reviews_there_blind(
    sweep: Sweep, generation: Run, project: Project, engineer: User, reviewer: User, manager: User,
    client_for: ClientFor,
) -> None:  # fmt: skip
    from evalapp.campaigns.design import CampaignDesign

    made = [run.produced for run in sweep.runs.select_related("produced").order_by("pk") if run.produced]
    design = CampaignDesign(
        name="Round", rubric_version=make_rubric(project), dataset_version=sweep.dataset_version,
        split="feedback",
        candidates=made, overlap=2, reviewers=[reviewer, engineer],
    )  # fmt: skip
    campaign = open_campaign(campaign=create_campaign(project=project, design=design, by=manager), by=manager)
    labels = {version.label: position for position, version in enumerate(made)}
    by_label: dict[Any, Any] = {
        (label, number): answers(tone=1 + labels[label]) for label in labels for number in (10, 11)
    }
    review_all(campaign, reviewer, by_label)

    key = f"people-{campaign.pk}-tone"
    choices = measure_choices(sweep, manager)
    choice = choices.chosen(key)
    assert choice.words == "Tone, in Round"
    found = values_of(choice, sweep, sweep_table(sweep))
    assert list(found.values()) == [1, 2, 3, 4]
    assert "the Tone rose from 1.5 to 3.5" in page_of(client_for(manager), sweep, by=key)

    # The engineer has reviews to give there yet.
    blind = page_of(client_for(engineer), sweep, by=key)
    assert "You review “Round” blind" in blind
    assert "Tone" not in blind
    assert key not in [each.key for each in measure_choices(sweep, engineer).choices]


def test_only_its_own_project_sees_a_sweep(
    sweep: Sweep, other_project: Project, stranger: User, reviewer: User, client_for: ClientFor
) -> None:
    own, jobs = reverse("sweep_detail", args=[sweep.project.slug, sweep.pk]), Job.objects.count()
    assert client_for(reviewer).get(own).status_code == 403
    assert client_for(stranger).get(own).status_code == 404
    assert (
        client_for(stranger).get(reverse("sweep_detail", args=[other_project.slug, sweep.pk])).status_code
        == 404
    )
    assert Job.objects.count() == jobs
