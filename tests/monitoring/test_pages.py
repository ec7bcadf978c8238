"""Streams on pages: created, fed, read, and decided on; what is wrong is told beside its field."""

import datetime as dt
import json
import re
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from evalapp.accounts.models import Project, User
from evalapp.campaigns.models import Campaign
from evalapp.decisions.inbox import inbox_of
from evalapp.decisions.inbox_entries import InboxEntry
from evalapp.demo.models import Demonstration, Track
from evalapp.monitoring.alerts import raise_alerts
from evalapp.monitoring.deployments.services import record_deployment
from evalapp.monitoring.incidents.services import accept_training_data, acknowledge, close_incident
from evalapp.monitoring.models import WEEK, Stream, WeeklyMetric
from tests.cast import client_of
from tests.factories import YES_NO, make_candidates, make_rubric
from tests.form_addresses import run_form
from tests.monitoring.making import (
    campaign_of,
    evaluated_weeks,
    make_feedback,
    make_stream,
    rows_of,
    sampled_week,
    send,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser(manager: User) -> Client:
    return client_of(manager)


def text_of(answer: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


def test_a_stream_is_watched_and_changed_by_a_form(
    project: Project, browser: Client, reviewer: User, other_reviewer: User
) -> None:
    start = f"/projects/{project.slug}/monitor/"
    assert "needs a rubric" in text_of(browser.get(start))
    make_rubric(project)
    sent = {
        "name": "Support chat",
        "outputs_per_week": "40",
        "reviewers": [reviewer.pk, other_reviewer.pk],
        "overlap": "3",
        "next_sample_at": timezone.now().strftime("%Y-%m-%dT%H:%M"),
        "error_criterion": YES_NO,
        "threshold-tone": "4.2",
        f"threshold-{YES_NO}": "5",
        "baseline_weeks": "12",
        "sampling": "proportional",
    }
    refused = browser.post(f"{start}new/", sent)
    assert refused.status_code == 400 and "3 reviewers per output need as many people; 2 chosen." in text_of(
        refused
    )
    answer = browser.post(f"{start}new/", {**sent, "overlap": "2"})
    stream = Stream.objects.get()
    assert answer["Location"] == f"{start}{stream.pk}/"
    assert stream.thresholds == {"tone": 4.2, YES_NO: 0.05}
    assert "No events yet." in text_of(browser.get(answer["Location"]))
    assert "Support chat" in text_of(browser.get(start))
    edit = f"{start}{stream.pk}/edit/"
    assert 'value="4.2"' in browser.get(edit).content.decode()
    browser.post(edit, {**sent, "overlap": "1", "reviewers": [reviewer.pk], "threshold-tone": ""})
    stream.refresh_from_db()
    assert (stream.overlap, stream.thresholds, stream.stream_reviewers.count()) == (1, {YES_NO: 0.05}, 1)
    taken = browser.post(f"{start}new/", {**sent, "overlap": "2"})
    assert taken.status_code == 409 and "Choose another" in text_of(taken)


def test_a_file_is_imported_or_every_problem_shown(project: Project, browser: Client, reviewer: User) -> None:
    stream = make_stream(project, [reviewer])
    address = f"/projects/{project.slug}/monitor/{stream.pk}/import/"
    good = "\n".join(json.dumps(row) for row in rows_of(3, timezone.now()))
    bad = good + '\n{"id": "x", "prompt": "Why?"}\n{"prompt": "<script>", "output": "y"}'
    answer = browser.post(address, {"file": SimpleUploadedFile("out.jsonl", bad.encode())})
    page = text_of(answer)
    assert answer.status_code == 400 and "Nothing was imported." in page
    assert "Row 4: output: The value is missing." in page and "Row 5: id: The value is missing." in page
    assert stream.events.count() == 0
    answer = browser.post(address, {"file": SimpleUploadedFile("out.jsonl", good.encode())}, follow=True)
    page = text_of(answer)
    assert "3 events are stored." in page and "The past weeks are sampled in the next minutes." in page
    assert "The first week is not over yet" not in page
    assert browser.post(address, {}).status_code == 400


def test_one_output_is_told_as_one_and_what_is_never_reviewed_is_told(
    project: Project, browser: Client, reviewer: User
) -> None:
    stream = make_stream(project, [reviewer])
    file = SimpleUploadedFile("out.jsonl", json.dumps(rows_of(1, timezone.now() - 5 * WEEK)[0]).encode())
    page = text_of(
        browser.post(f"/projects/{project.slug}/monitor/{stream.pk}/import/", {"file": file}, follow=True)
    )
    assert "1 event is stored. 1 of them is from before the first week or too late" in page
    assert "1 output received;" in page


def test_a_week_shows_what_was_drawn_and_how_likely(
    project: Project, browser: Client, reviewer: User
) -> None:
    stream = make_stream(project, [reviewer])
    sampled_week(stream, 8)
    page = text_of(browser.get(f"/projects/{project.slug}/monitor/{stream.pk}/weeks/1/"))
    assert "5 of 8 outputs sampled" in page and page.count("0.625") == 5
    assert browser.get(f"/projects/{project.slug}/monitor/{stream.pk}/weeks/2/").status_code == 404


def test_weekly_samples_are_not_among_the_campaigns_nor_their_results(
    project: Project, browser: Client, reviewer: User
) -> None:
    week = sampled_week(make_stream(project, [reviewer]))
    assert week.campaign is not None
    for listed in ("campaigns", "results"):
        assert week.campaign.name not in browser.get(f"/projects/{project.slug}/{listed}/").text


def test_an_incident_is_acknowledged_worked_on_and_closed(
    project: Project, browser: Client, engineer: User, reviewer: User
) -> None:
    stream = make_stream(project, [reviewer], thresholds={"tone": 4.0})
    (week,) = evaluated_weeks(stream, [3.0])
    raise_alerts(week)
    incident = stream.incidents.get()
    address = f"/projects/{project.slug}/monitor/{stream.pk}/"
    own = f"{address}incidents/{incident.pk}/"
    page = browser.get(address)
    assert f'href="{own}"' in page.text and "Threshold crossed" in text_of(page)
    assert "Tone past its threshold, cause: cannot tell. Nobody has acknowledged it yet." in text_of(page)
    assert "Incident open" in text_of(browser.get(f"/projects/{project.slug}/monitor/"))
    page = text_of(browser.get(own))
    assert "under the threshold of 4.00" in page and "Incident opened: email not set up" in page
    assert "No feedback of week 1 or later has been exported yet." in page
    early = browser.post(f"{own}training-data/")
    assert early.status_code == 409 and "Export the corrections" in text_of(early)
    empty = browser.post(f"{own}close/", {"reason": " "})
    assert empty.status_code == 400 and "Give the reason for closing the incident" in text_of(empty)
    version = make_feedback(stream, Campaign.objects.get(weekly_sample=week))
    page = browser.get(own)
    assert "1 training row, 1 of week 1." in text_of(page)
    assert f'name="dataset_version" value="{version.pk}"' in page.text
    other = make_feedback(make_stream(project, [reviewer], "Other"), Campaign.objects.get(weekly_sample=week))
    wrong = browser.post(f"{own}training-data/", {"dataset_version": other.pk + 1})
    assert wrong.status_code == 409 and "accept what it shows" in text_of(wrong)
    accepted = browser.post(f"{own}training-data/", {"dataset_version": version.pk})
    assert accepted["Location"].startswith(run_form(project, "training"))
    assert f"dataset_version={version.pk}" in accepted["Location"]
    form = browser.get(accepted["Location"]).text
    assert re.search(rf'<option value="{version.pk}" selected', form)
    browser.post(f"{own}acknowledge/")
    again = browser.post(f"{own}acknowledge/")
    assert again.status_code == 409 and "acknowledged already" in text_of(again)
    send(stream, rows_of(8, week.begins_at))
    page = text_of(browser.post(f"{own}second-review/", follow=True))
    assert "Let the candidates answer them" in page and "Rows:" in page
    assert "training rows reviewed in this stream, 1 of week 1." in page
    assert client_of(engineer).post(f"{own}close/", {"reason": "No."}).status_code == 403
    closed = text_of(browser.post(f"{own}close/", {"reason": "A holiday."}, follow=True))
    assert "by Manager: A holiday." in closed and "Close with this reason" not in closed
    assert "A holiday." in text_of(browser.get(address))


def test_an_incident_is_in_the_inbox_until_somebody_looks_after_it(
    project: Project, browser: Client, reviewer: User, manager: User
) -> None:
    stream = make_stream(project, [reviewer], thresholds={"tone": 4.0})
    (week,) = evaluated_weeks(stream, [2.0])
    assert inbox_of(project) == []
    raise_alerts(week)
    incident = stream.incidents.get()
    page = f"/projects/{project.slug}/monitor/{stream.pk}/incidents/{incident.pk}/"
    assert inbox_of(project) == [InboxEntry("incident", "Support chat: Tone got worse", page)]
    assert f'<a href="{page}">' in browser.get(f"/projects/{project.slug}/").text
    acknowledge(incident=incident, by=manager)
    assert inbox_of(project) == []
    home = browser.get(f"/projects/{project.slug}/").text
    assert "An incident or alert is open in production" in home and f"monitor/{stream.pk}/" in home
    close_incident(incident=incident, reason="A holiday.", by=manager)
    assert "An incident or alert is open" not in browser.get(f"/projects/{project.slug}/").text


def test_an_incidents_steps_say_when_and_by_whom(
    project: Project, browser: Client, reviewer: User, manager: User
) -> None:
    stream = make_stream(project, [reviewer], thresholds={"tone": 4.0})
    (week,) = evaluated_weeks(stream, [2.0])
    raise_alerts(week)
    incident = stream.incidents.get()
    acknowledge(incident=incident, by=manager)
    make_feedback(stream, campaign_of(week))
    accept_training_data(incident=incident, by=manager)
    (version,) = make_candidates(project, ["again"])
    record_deployment(stream=stream, version=version, by=manager)
    close_incident(incident=incident, reason="A holiday.", by=manager)
    page = text_of(browser.get(f"/projects/{project.slug}/monitor/{stream.pk}/incidents/{incident.pk}/"))
    at = rf"\d+ \w+ {timezone.now():%Y}, \d\d:\d\d"
    for step in ("Acknowledged", "Accepted", "again has served since", "Ended"):
        assert re.search(rf"{step} {at} by {manager}", page), step
    assert re.search(rf"Opened {at}", page)


def test_a_demonstration_that_is_being_made_says_so(project: Project, browser: Client) -> None:
    Project.objects.update(is_demonstration=True)
    made = Demonstration.objects.create(project=project, track=Track.RECORDED)
    address = f"/projects/{project.slug}/monitor/"
    assert "The demonstration is still being created" in browser.get(address).text
    made.finished_at = timezone.now()
    made.save()
    assert "No streams yet" in browser.get(address).text


def test_of_many_criteria_and_weeks_those_that_matter_come_first(
    project: Project, browser: Client, reviewer: User
) -> None:
    stream = make_stream(project, [reviewer])
    Stream.objects.update(thresholds={"style": 4.0})
    for week in evaluated_weeks(stream, [4.5] * 5):
        for key in ("style", "length", "order", "layout"):
            WeeklyMetric.objects.create(
                weekly_sample=week, criterion_key=key, criterion_name=key.capitalize(), value=3.0,
                low=2.8, high=3.2, error=0.1, reviews=40, items=40, signature="weighted-mean",
            )  # fmt: skip
    page = browser.get(f"/projects/{project.slug}/monitor/{stream.pk}/").text
    shown, folded = page.split("more criteria</summary>")
    assert 'aria-label="Style"' in shown and 'aria-label="Layout"' not in shown
    folded, weeks = folded.split('id="weeks"')
    assert 'aria-label="Layout"' in folded
    newest, earlier = weeks.split("Earlier weeks</summary>")
    assert (newest.count("/weeks/"), earlier.count("/weeks/")) == (6, 4), "a row and its link"


def test_weekly_charts_mark_deployments(project: Project, browser: Client, reviewer: User) -> None:
    stream = make_stream(project, [reviewer])
    weeks = evaluated_weeks(stream, [4.5, 4.4, 4.5])
    (version,) = make_candidates(project, ["again"])
    record_deployment(
        stream=stream, version=version, started_at=weeks[1].begins_at + dt.timedelta(days=2), by=None
    )
    page = browser.get(f"/projects/{project.slug}/monitor/{stream.pk}/").text
    assert "deployed: (1) again in week 2." in page


def test_an_ended_stream_says_so_and_offers_no_work(
    project: Project, browser: Client, reviewer: User
) -> None:
    stream = make_stream(project, [reviewer])
    evaluated_weeks(stream, [4.5])
    start = f"/projects/{project.slug}/monitor/"
    address = f"{start}{stream.pk}/"
    assert f'action="{address}end/"' in browser.get(address).text
    told = text_of(browser.post(f"{address}end/", follow=True))
    assert "Ended: no more weeks are sampled, and everything is kept." in told
    assert "This stream has ended" in told and "Weekly metrics" in told and "in week 1" in told
    page = browser.get(address).text
    for gone in ("edit", "pause", "resume", "end", "import", "sample"):
        assert f"{address}{gone}/" not in page, gone
    assert "Ended" in text_of(browser.get(start))
    file = SimpleUploadedFile("out.jsonl", json.dumps(rows_of(1, timezone.now())[0]).encode())
    for way, sent in (("import", {"file": file}), ("end", {})):
        refused = browser.post(f"{address}{way}/", sent)
        assert refused.status_code == 409 and "“Support chat” has ended" in text_of(refused)
    for form in ("edit", "import"):
        assert browser.get(f"{address}{form}/").url == address


def test_a_weekly_chart_says_what_is_seen(project: Project, browser: Client, reviewer: User) -> None:
    stream = make_stream(project, [reviewer], thresholds={"tone": 3.5})
    evaluated_weeks(stream, [4.0, 2.0])
    page = text_of(browser.get(f"/projects/{project.slug}/monitor/{stream.pk}/"))
    assert "Tone: 4.00 in week 1, 2.00 in week 2; smoothed 3.60, against a threshold of 3.50." in page


def test_few_reviews_are_never_green(project: Project, browser: Client, reviewer: User) -> None:
    stream = make_stream(project, [reviewer])
    evaluated_weeks(stream, [4.5, 4.4] * 7)
    address = f"/projects/{project.slug}/monitor/{stream.pk}/"
    assert "chip-ok" in browser.get(address).content.decode()
    evaluated_weeks(stream, [4.9], reviews=29)
    page = browser.get(address).content.decode()
    assert "chip-ok" not in page and "Not enough data" in page


def test_pages_ask_as_often_for_three_as_for_one(project: Project, browser: Client, reviewer: User) -> None:
    counts = []
    start = f"/projects/{project.slug}/monitor/"
    one = make_stream(project, [reviewer], name="One", thresholds={"tone": 4.9})
    for weeks in evaluated_weeks(one, [4.5]):
        raise_alerts(weeks)
    for address in (start, f"{start}{one.pk}/"):
        browser.get(address)
        with CaptureQueriesContext(connection) as asked:
            browser.get(address)
        counts.append(len(asked))
    make_stream(project, [reviewer], name="Two")
    make_stream(project, [reviewer], name="Three")
    evaluated_weeks(one, [4.5, 4.4])
    for address, before in zip((start, f"{start}{one.pk}/"), counts, strict=True):
        with CaptureQueriesContext(connection) as asked:
            browser.get(address)
        assert len(asked) == before, address
