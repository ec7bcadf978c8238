"""Why a stream got worse, told from what its reviewers said week by week, anchors among it."""

import pytest

from evalapp.accounts.models import Membership, Project, Role, User
from evalapp.campaigns.models import Assignment
from evalapp.monitoring.incidents.queries import progress_of
from evalapp.monitoring.models import WEEK, SampledOutput, SampleRole
from tests.cast import client_of, make_user
from tests.kept_cast import FIXTURES, Cast, again
from tests.monitoring.making import campaign_of, carry_out
from tests.monitoring.reviewed_weeks import (
    FROM,
    WEEKS,
    Watched,
    first_harsher,
    model_worse,
    nobody,
    review_weeks,
    watch,
)

pytestmark = pytest.mark.django_db
ALIKE = 6
cast, owner, manager, engineer, reviewer, other_reviewer, project, empty_project = FIXTURES


@pytest.fixture(scope="module")
def made(cast: Cast) -> Watched:
    watched = watch(cast.project, [cast.reviewer, cast.other_reviewer])
    review_weeks(watched, range(1, ALIKE + 1), of_model=nobody, of_reviewers=nobody, seed=1)
    return watched


@pytest.fixture
def watched(made: Watched) -> Watched:
    """Two people have reviewed six weeks, in which nothing changed."""
    return Watched(again(made.stream), [again(person) for person in made.people], dict(made.quality))


def test_outputs_of_earlier_weeks_come_again_blind(watched: Watched) -> None:
    stream = watched.stream
    review_weeks(watched, range(ALIKE + 1, WEEKS + 1), of_model=nobody, of_reviewers=nobody, seed=1)
    weeks = list(stream.weekly_samples.order_by("number"))
    # Of 20 reviewed outputs three, once there are some that nobody has seen for four weeks.
    assert [week.anchors for week in weeks] == [0] * 5 + [3] * 7
    assert [week.size for week in weeks] == [20] * 5 + [17] * 7
    for anchor in SampledOutput.objects.filter(role=SampleRole.ANCHOR).select_related("weekly_sample"):
        before = SampledOutput.objects.filter(key=anchor.key, pk__lt=anchor.pk).latest("pk")
        assert anchor.weekly_sample.begins_at - before.weekly_sample.ends_at >= 4 * WEEK
        assert anchor.inclusion_probability is None
        assert anchor.output.text == before.output.text and anchor.stratum == before.stratum
    # They stand for nothing of the week.
    metric = weeks[-1].metrics.get(criterion_key="tone")
    assert metric.items == 17 and weeks[-1].population == 24
    assert not stream.alerts.exists()


def test_a_worse_model_is_told_and_retraining_proposed(
    watched: Watched, project: Project, manager: User
) -> None:
    stream = watched.stream
    review_weeks(watched, range(ALIKE + 1, WEEKS + 1), of_model=model_worse, of_reviewers=nobody, seed=3)
    alert = stream.alerts.order_by("pk")[0]
    assert (alert.cause, alert.weekly_sample.number >= FROM) == ("model", True), alert.cause_reason
    changes = {each["name"]: each["value"] for each in alert.evidence}
    assert changes["Remaining change, due to the model"] < -0.5
    assert abs(changes["Scores of anchors, all reviewers"]) < 0.5
    address = f"/projects/{project.slug}/monitor/{stream.pk}/"
    page = client_of(manager).get(f"{address}incidents/{alert.incident_id}/").text
    assert "Remaining change, due to the model" in page and "Retrain on the corrections" in page
    assert "and 3 anchors" in client_of(manager).get(address).text


def test_a_harsher_reviewer_is_named_and_nothing_is_trained(
    empty_project: Project, reviewer: User, other_reviewer: User, manager: User
) -> None:
    project, people = empty_project, [reviewer, other_reviewer, make_user("Third")]
    Membership.objects.create(project=project, user=people[-1], role=Role.REVIEWER)
    watched = watch(project, people)
    stream = watched.stream
    review_weeks(watched, range(1, WEEKS + 1), of_model=nobody, of_reviewers=first_harsher, seed=5)
    alerts = list(stream.alerts.order_by("pk"))
    assert alerts and {each.cause for each in alerts} <= {"one_reviewer", "cannot_tell"}
    assert any(each.cause_reviewer == people[0] for each in alerts), [a.cause_reason for a in alerts]
    incident = stream.incidents.get()
    assert not progress_of(incident).is_mended_by_training
    page = client_of(manager).get(f"/projects/{project.slug}/monitor/{stream.pk}/incidents/{incident.pk}/")
    assert "One reviewer" in page.text and "New campaign with calibration" in page.text
    assert "Retrain on the corrections" not in page.text


def test_of_weeks_drawn_together_two_who_part_lead_to_calibration(
    empty_project: Project, reviewer: User, other_reviewer: User, manager: User
) -> None:
    watched = watch(empty_project, [reviewer, other_reviewer])
    stream = watched.stream
    weeks = [carry_out(week) for week in stream.weekly_samples.order_by("number")]
    assert {week.anchors for week in weeks} == {0}, "nobody has reviewed any of it before"
    review_weeks(watched, range(1, WEEKS + 1), of_model=nobody, of_reviewers=first_harsher, seed=5)
    incident = stream.incidents.get()
    progress = progress_of(incident)
    assert progress.cause == "cannot_tell" and progress.is_perhaps_of_reviewers
    said = [each["name"] for each in progress.alerts[-1].evidence]
    for person in watched.people:
        assert f"{person}, against the other reviewers" in said
    page = client_of(manager).get(
        f"/projects/{empty_project.slug}/monitor/{stream.pk}/incidents/{incident.pk}/"
    )
    assert "unclear which" in page.text and "New campaign with calibration" in page.text


def test_reviewers_are_shown_nothing_of_what_an_anchor_is(watched: Watched) -> None:
    week = carry_out(watched.stream.weekly_samples.get(number=ALIKE + 1))
    assert week.anchors == 3
    client, campaign = client_of(watched.people[0]), campaign_of(week)
    assignments = Assignment.objects.filter(campaign=campaign).order_by("pk")
    pages = [client.get(f"/reviews/assignments/{each.key}/", follow=True).text for each in assignments]
    pages.append(client.get(f"/reviews/campaigns/{campaign.key}/", follow=True).text)
    assert "into bonds?" in pages[-1]
    assert not any(word in page.casefold() for page in pages for word in ("anchor", "earlier week"))
