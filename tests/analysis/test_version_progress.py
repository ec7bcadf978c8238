"""What each version of a dataset did to the models trained on it."""

from collections.abc import Mapping
from typing import Any

import pytest

from evalapp.accounts.models import Project, User
from evalapp.analysis.versions.progress import ProgressRow, progress_of
from evalapp.analysis.versions.reasons import reason_changes
from evalapp.campaigns.design import CampaignDesign
from evalapp.campaigns.models import Campaign
from evalapp.campaigns.services import create_campaign, open_campaign
from evalapp.datasets.models import Dataset, DatasetVersion
from evalapp.datasets.services import create_dataset, create_version
from evalapp.registry.models import ModelVersion
from evalapp.reviews.answers import ReviewAnswers
from evalapp.rubrics.models import RubricVersion
from tests.api.conftest import program_of
from tests.cast import client_of
from tests.factories import (
    answers,
    example_row,
    make_adapter,
    make_outputs,
    make_rubric,
    review_all,
    run_scoring,
    tagged,
)

pytestmark = pytest.mark.django_db
SHORT, LONG = "Portfolio {n} pays.", "Portfolio {n} pays every year, as long as the market does not fall."


@pytest.fixture
def rubric(project: Project) -> RubricVersion:
    return make_rubric(project)


@pytest.fixture
def dataset(project: Project) -> Dataset:
    return create_dataset(project=project, name="Clients", by=None)


def version_with(dataset: Dataset, train: range, test: range, **fields: object) -> DatasetVersion:
    rows = [example_row(n, split="test") for n in test]
    rows += [example_row(1000 + n, split="train", **fields) for n in train]
    return create_version(dataset=dataset, rows=rows, by=None, parent=None)


def reviewed(
    version: DatasetVersion,
    models: Mapping[ModelVersion, str],
    rubric: RubricVersion,
    reviewer: User,
    said: Mapping[Any, ReviewAnswers],
) -> Campaign:
    """A campaign of the models' outputs for the version's test rows, with every review in."""
    project = version.dataset.project
    make_outputs(version, models, split="test")
    campaign = create_campaign(
        project=project,
        design=CampaignDesign(
            name=f"Round {project.campaigns.count()}",
            rubric_version=rubric,
            dataset_version=version,
            split="test",
            candidates=list(models),
            overlap=1,
            reviewers=[reviewer],
        ),
        by=project.created_by,
    )
    campaign = open_campaign(campaign=campaign, by=project.created_by)
    review_all(campaign, reviewer, said)
    run_scoring(campaign)
    return campaign


def rows_by_key(dataset: Dataset, reader: User) -> dict[str, ProgressRow]:
    return {row.key: row for row in progress_of(dataset, reader).rows}


def test_versions_are_compared_on_the_items_that_all_answered(
    dataset: Dataset, rubric: RubricVersion, reviewer: User, manager: User
) -> None:
    first = version_with(dataset, range(2), range(1, 9))
    second = version_with(dataset, range(5), range(1, 13))
    old = make_adapter(dataset.project, "old", dataset_version=first)
    new = make_adapter(dataset.project, "new", dataset_version=second)
    said_old = {("old", n): answers(error=1, tone=1 + n % 2) for n in range(1, 9)}
    reviewed(first, {old: LONG}, rubric, reviewer, said_old)
    said_new = {("new", n): answers(tone=4 + n % 2 if n < 9 else 1) for n in range(1, 13)}
    reviewed(second, {new: SHORT}, rubric, reviewer, said_new)
    rows = rows_by_key(dataset, manager)
    tone = rows["people-tone"]
    assert (tone.shared, [step.others for step in tone.steps]) == (8, [0, 4])
    before, after = tone.steps
    assert (before.mean.value, after.mean.value, before.change) == (1.5, 4.5, None)
    assert after.change is not None and after.change.value == 3.0 and tone.improved(after) is True
    error = rows["people-material-factual-error"]
    assert error.is_share and [step.mean.value for step in error.steps] == [1.0, 0.0]
    length = rows["words"]
    assert length.lower_is_better is None and length.improved(length.steps[1]) is None
    assert length.steps[1].change is not None and length.steps[1].change.value == -10
    page = client_of(manager).get(f"/projects/{dataset.project.slug}/data/{dataset.pk}/progress/").text
    assert "Progress over versions of Clients" in page and "better" in page and "+3" in page
    told = program_of(manager).get(f"projects/{dataset.project.slug}/datasets/{dataset.pk}/progress/").json()
    assert told["versions"] == [1, 2]
    assert next(each for each in told["measures"] if each["key"] == "people-tone")["shared"] == 8


def test_items_that_a_version_trains_on_are_left_out(
    dataset: Dataset, rubric: RubricVersion, reviewer: User, manager: User
) -> None:
    first = version_with(dataset, range(2), range(1, 9))
    rows = [example_row(n, split="train" if n < 3 else "test") for n in range(1, 9)]
    second = create_version(dataset=dataset, rows=rows, by=None)
    models = {
        make_adapter(dataset.project, "old", dataset_version=first): LONG,
        make_adapter(dataset.project, "new", dataset_version=second): SHORT,
    }
    reviewed(first, models, rubric, reviewer, {})
    assert rows_by_key(dataset, manager)["people-tone"].shared == 6


def test_a_version_with_other_items_is_left_out(
    dataset: Dataset, rubric: RubricVersion, reviewer: User, manager: User
) -> None:
    ranges = (range(20, 26), range(1, 7), range(1, 7))
    versions = [version_with(dataset, range(2 + n), of) for n, of in enumerate(ranges)]
    for number, version in enumerate(versions):
        model = make_adapter(dataset.project, f"model {number}", dataset_version=version)
        reviewed(version, {model: LONG}, rubric, reviewer, {})
    row = rows_by_key(dataset, manager)["people-tone"]
    assert (row.left_out, [step.version for step in row.steps]) == ([versions[0]], versions[1:])
    page = client_of(manager).get(f"/projects/{dataset.project.slug}/data/{dataset.pk}/progress/").text
    assert "other items" in page


def test_reasons_stand_beside_the_rows_that_came_of_them(
    dataset: Dataset, rubric: RubricVersion, reviewer: User, manager: User
) -> None:
    first = version_with(dataset, range(2), range(1, 7))
    old = make_adapter(dataset.project, "old", dataset_version=first)
    stiff = tagged(answers(tone=1), tone=["too-formal"])
    campaign = reviewed(first, {old: LONG}, rubric, reviewer, {"old": stiff})
    review = campaign.reviews.first()
    assert review is not None
    second = version_with(dataset, range(4), range(1, 7), provenance={"export": 1, "review": review.pk})
    new = make_adapter(dataset.project, "new", dataset_version=second)
    reviewed(second, {new: SHORT}, rubric, reviewer, {("new", 1): stiff})
    progress = progress_of(dataset, manager)
    (change,) = reason_changes(dataset, [first, second], progress.seen)
    (step,) = change.steps
    assert (change.items, step.before, round(step.after, 3), step.rows) == (6, 1.0, 0.167, 2)
    assert step.criterion == "Tone"
    page = client_of(manager).get(f"/projects/{dataset.project.slug}/data/{dataset.pk}/progress/").text
    assert "Reasons, v1 to v2" in page and "An association" in page


def test_without_two_trained_versions_the_page_says_what_is_needed(dataset: Dataset, manager: User) -> None:
    first = version_with(dataset, range(2), range(1, 3))
    make_adapter(dataset.project, "old", dataset_version=first)
    address = f"/projects/{dataset.project.slug}/data/{dataset.pk}/progress/"
    assert "Two versions with a trained model" in client_of(manager).get(address).text
    second = version_with(dataset, range(3), range(1, 3))
    make_adapter(dataset.project, "new", dataset_version=second)
    assert "no items in common yet" in client_of(manager).get(address).text
