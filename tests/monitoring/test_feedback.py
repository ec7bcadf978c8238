"""Which rows an incident can be trained on: those of its own stream, alone or beside a recipe's base."""

import pytest

from evalapp.accounts.models import Project, User
from evalapp.campaigns.models import Campaign
from evalapp.core.errors import ConflictError
from evalapp.datasets.models import Dataset, DatasetVersion
from evalapp.datasets.recipes.services import create_recipe, start_writing
from evalapp.datasets.recipes.settings import ALL, RecipeSettings, Source
from evalapp.datasets.rows import ExampleRow
from evalapp.datasets.services import create_dataset, create_version
from evalapp.datasets.tasks import write_version_by_recipe
from evalapp.monitoring.alerts import raise_alerts
from evalapp.monitoring.feedback import feedback_for
from evalapp.monitoring.incidents.services import accept_training_data
from tests.monitoring.making import evaluated_weeks, make_feedback, make_stream


@pytest.mark.django_db
def test_rows_are_accepted_that_were_reviewed_in_its_own_stream_since_its_week(
    project: Project, reviewer: User, manager: User
) -> None:
    stream = make_stream(project, [reviewer], thresholds={"tone": 4.0})
    other = make_stream(project, [reviewer], "Mail")
    early, week = evaluated_weeks(stream, [4.5, 3.0])
    (elsewhere,) = evaluated_weeks(other, [4.5])
    raise_alerts(week)
    incident = stream.incidents.get()
    of_early = make_feedback(stream, Campaign.objects.get(weekly_sample=early), rows=2)
    foreign = make_feedback(other, Campaign.objects.get(weekly_sample=elsewhere), rows=3)
    kept = [
        ExampleRow(
            split="train",
            messages=example.messages,
            references=example.references,
            provenance=example.provenance,
        )
        for example in (*of_early.examples.all(), *foreign.examples.all())
    ]
    mixed = make_feedback(stream, Campaign.objects.get(weekly_sample=week), rows=4, kept=kept)
    for version in (None, of_early.pk, foreign.pk, mixed.pk):
        with pytest.raises(ConflictError, match="since week 2"):
            accept_training_data(incident=incident, by=manager, dataset_version=version)

    own = make_feedback(stream, Campaign.objects.get(weekly_sample=week), rows=4, kept=kept[:2])
    make_feedback(other, Campaign.objects.get(weekly_sample=elsewhere), rows=3)
    assert accept_training_data(incident=incident, by=manager) == own
    incident.refresh_from_db()
    assert incident.weeks == [{"week": 1, "rows": 2}, {"week": 2, "rows": 4}]


@pytest.mark.django_db
def test_a_recipe_adds_the_weeks_corrections_to_what_the_champion_was_trained_on(
    project: Project, reviewer: User, manager: User
) -> None:
    stream = make_stream(project, [reviewer], thresholds={"tone": 4.0})
    other = make_stream(project, [reviewer], "Mail")
    early, week = evaluated_weeks(stream, [4.5, 3.0])
    (elsewhere,) = evaluated_weeks(other, [4.5])
    raise_alerts(week)
    incident = stream.incidents.get()
    base = create_dataset(project=project, name="Training", by=manager)
    rows = [
        ExampleRow(split=split, messages=[{"role": "user", "content": f"{n}?"}], references=["Yes."])
        for n, split in enumerate(["train", "train", "test"])
    ]
    create_version(dataset=base, rows=rows, by=manager)
    for of, rows_of_week in ((early, 2), (week, 3)):
        make_feedback(stream, Campaign.objects.get(weekly_sample=of), rows=rows_of_week)
    make_feedback(other, Campaign.objects.get(weekly_sample=elsewhere), rows=4)

    def written(name: str, *datasets: Dataset) -> DatasetVersion:
        sources = [Source(base.pk), *(Source(each.pk, ALL, from_reviews=True) for each in datasets)]
        recipe = create_recipe(dataset=base, name=name, settings=RecipeSettings(sources), by=manager)
        job = start_writing(recipe=recipe, by=manager)
        write_version_by_recipe(job.pk)
        return DatasetVersion.objects.get(job=job)

    own = written("Own", stream.dataset)
    written("Both", stream.dataset, other.dataset)
    (found, *_) = feedback_for(incident)
    assert (found.version, found.weeks, found.others) == (own, {1: 2, 2: 3}, 2)
    assert accept_training_data(incident=incident, by=manager) == own
