"""The demonstration's thirteen weeks in production: a worse model and a harsher reviewer are told apart."""

import pytest

from evalapp.demo.production import REVIEWED_A_WEEK, STORIES, WEEKS
from evalapp.demo.services import start_demonstration
from evalapp.demo.story import PRODUCTION_TASK, person
from evalapp.demo.tasks import replay_weeks
from evalapp.jobs.models import JobState
from evalapp.jobs.services import create_job
from evalapp.monitoring.anchors import ANCHOR_SHARE
from evalapp.monitoring.incidents.queries import progress_of
from evalapp.monitoring.models import Stream
from tests.cast import client_of
from tests.factories import make_candidates

pytestmark = [pytest.mark.verification, pytest.mark.django_db]


def test_a_worse_model_and_a_harsher_reviewer_are_told_apart() -> None:
    project = start_demonstration()
    versions = [each.pk for each in make_candidates(project, ["v2", "v3"])]
    params = {"project": project.pk, "versions": versions}
    job = create_job(project=project, task=PRODUCTION_TASK, title="Weeks", by=None, params=params)
    replay_weeks(job.pk)
    job.refresh_from_db()
    assert job.state == JobState.SUCCEEDED, job.error
    by_model, by_reviewer = (Stream.objects.get(project=project, name=each.name) for each in STORIES)
    for stream in (by_model, by_reviewer):
        weeks = list(stream.weekly_samples.order_by("number"))
        assert [week.state for week in weeks] == ["evaluated"] * WEEKS
        # From the sixth week on there are outputs that nobody has seen for four weeks.
        assert [week.anchors for week in weeks] == [0] * 5 + [round(ANCHOR_SHARE * REVIEWED_A_WEEK)] * 8
    causes = set(by_model.alerts.values_list("cause", flat=True))
    assert "model" in causes and causes <= {"model", "cannot_tell"}
    caught, recognised = by_model.incidents.get(), by_reviewer.incidents.get()
    assert progress_of(caught).is_mended_by_training and not progress_of(recognised).is_mended_by_training
    assert (caught.state, recognised.state) == ("recovered", "open")
    told = set(by_reviewer.alerts.values_list("cause", "cause_reviewer__name"))
    assert ("one_reviewer", "Simulated reviewer1") in told
    (tone,) = by_model.weekly_samples.get(number=WEEKS).metrics.filter(criterion_key="tone")
    assert tone.value is not None and tone.value > 4, "the roll back brought it back"
    manager, address = client_of(person("manager")), f"/projects/{project.slug}/monitor/{by_model.pk}/"
    assert "Thumb" in manager.get(address).text
    page = manager.get(f"{address}incidents/{caught.pk}/").text
    assert "Remaining change, due to the model" in page and "Rolled back" in page
