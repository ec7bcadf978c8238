"""Weeks are opened once each, also late; what is sampled is reviewed as anything else, and says how likely it
was.
"""

import datetime as dt
from threading import Event
from typing import Any

import pytest
from celery.beat import PersistentScheduler
from django.db import IntegrityError, transaction
from django.utils import timezone

from evalapp.accounts.models import Project, User
from evalapp.audit.models import AuditEvent
from evalapp.campaigns.models import Campaign
from evalapp.celery import DUTIES, app
from evalapp.core.errors import ConflictError, InvalidError
from evalapp.jobs.models import Job, JobState
from evalapp.jobs.scheduler import JobScheduler
from evalapp.monitoring import weeks
from evalapp.monitoring.evaluation import evaluate, evaluate_due_weeks
from evalapp.monitoring.events.models import EventKey
from evalapp.monitoring.models import WEEK, Sampling, Stream, WeeklySample, WeeklySampleState
from evalapp.monitoring.risk import risk_by_stratum
from evalapp.monitoring.services import StreamPlan, change_stream, end_stream, pause_stream, resume_stream
from evalapp.monitoring.weekly_sampling import Candidate, draw_sample
from evalapp.monitoring.weeks import SAMPLE_TASK, open_due_weeks, replay_next_week, sample_now
from tests.at_once import at_once, until_somebody_waits
from tests.cast import client_of
from tests.factories import answers, review_all
from tests.monitoring.making import (
    HOUR,
    campaign_of,
    carry_out,
    make_stream,
    review_week,
    rows_of,
    sampled_week,
    send,
    texts_of,
)


@pytest.mark.django_db(transaction=True)
def test_two_clocks_open_each_week_once(project: Project, reviewer: User) -> None:
    now = timezone.now()
    stream = make_stream(project, [reviewer], next_sample_at=now - 2 * WEEK - HOUR)
    at_once(4, lambda _: open_due_weeks())
    weeks = list(stream.weekly_samples.order_by("number"))
    assert [week.number for week in weeks] == [1, 2, 3]
    assert [week.ends_at for week in weeks] == [now - 2 * WEEK - HOUR, now - WEEK - HOUR, now - HOUR]
    assert Job.objects.filter(task=SAMPLE_TASK).count() == 3
    stream.refresh_from_db()
    assert stream.next_sample_at == now + WEEK - HOUR
    assert open_due_weeks() == 0


@pytest.mark.django_db
def test_the_clock_itself_opens_weeks(project: Project, reviewer: User, tmp_path, monkeypatch) -> None:
    app.loader.import_default_modules()
    monkeypatch.setattr("evalapp.jobs.scheduler.close_old_connections", lambda: None)
    stream = make_stream(project, [reviewer])
    clock: PersistentScheduler = JobScheduler(app, schedule_filename=str(tmp_path / "schedule"))
    assert "open-due-weeks" in DUTIES
    clock.apply_entry(clock.schedule["open-due-weeks"])
    clock.apply_entry(clock.schedule["open-due-weeks"])
    assert stream.weekly_samples.count() == 1


@pytest.mark.django_db
def test_a_week_cannot_be_there_twice(project: Project, reviewer: User) -> None:
    stream = make_stream(project, [reviewer])
    open_due_weeks()
    week = stream.weekly_samples.get()
    with pytest.raises(IntegrityError), transaction.atomic():
        WeeklySample.objects.create(
            stream=stream,
            number=2,
            begins_at=week.begins_at,
            ends_at=week.ends_at,
            state=WeeklySampleState.DUE,
        )


@pytest.mark.django_db
def test_what_is_drawn_is_reviewed_by_the_usual_flow(project: Project, reviewer: User) -> None:
    stream = make_stream(project, [reviewer])
    week = sampled_week(stream, 8)
    campaign = campaign_of(week)
    assert (week.state, week.population, week.size) == (WeeklySampleState.OPEN, 8, 5)
    assert (campaign.state, campaign.items_total, campaign.split) == ("open", 5, "feedback")
    assert campaign.deadline > timezone.now() + dt.timedelta(days=6)
    samples = week.samples.select_related("key__event", "output")
    assert {sample.inclusion_probability for sample in samples} == {5 / 8}
    assert {sample.output.text for sample in samples} == {s.key.event.text for s in samples}
    assert texts_of(campaign) == {sample.key.event.text for sample in samples}
    page = client_of(reviewer).get(f"/reviews/campaigns/{campaign.key}/", follow=True).content.decode()
    assert "into bonds?" in page
    assert "v3-secret" not in page
    # Carried out once more, as after a lost message: nothing is sampled twice.
    carry_out(week)
    assert (week.samples.count(), stream.project.campaigns.count()) == (5, 1)


@pytest.mark.django_db
def test_a_missed_week_is_drawn_from_its_own_outputs(project: Project, reviewer: User) -> None:
    now = timezone.now()
    stream = make_stream(project, [reviewer], next_sample_at=now - WEEK - HOUR)
    send(stream, rows_of(2, now - WEEK - dt.timedelta(days=1)))
    send(stream, rows_of(3, now - dt.timedelta(days=1), first=100))
    assert open_due_weeks() == 2
    first, second = (carry_out(week) for week in stream.weekly_samples.order_by("number"))
    assert (first.population, second.population) == (2, 3)
    assert campaign_of(first).deadline > now and campaign_of(first).name != campaign_of(second).name


@pytest.mark.django_db
def test_an_empty_week_waits_for_outputs_that_come_late(project: Project, reviewer: User) -> None:
    stream = make_stream(project, [reviewer])
    open_due_weeks()
    week = carry_out(stream.weekly_samples.get())
    assert (week.state, week.note) == (WeeklySampleState.EMPTY, "This week has no events.")
    send(stream, rows_of(3, week.ends_at - HOUR))
    assert open_due_weeks() == 0, "more may be coming"
    EventKey.objects.update(received_at=timezone.now() - 2 * HOUR)
    assert open_due_weeks() == 1
    assert carry_out(week).size == 3


@pytest.mark.django_db
def test_late_outputs_are_drawn_once_with_the_next_sample(
    project: Project, reviewer: User, manager: User
) -> None:
    now = timezone.now()
    stream = make_stream(project, [reviewer], next_sample_at=now - 2 * WEEK - HOUR, stratify_by="topic")
    of_first, of_second, of_third = (now - days * dt.timedelta(days=1) for days in (16, 9, 2))
    send(stream, rows_of(8, of_first))
    assert open_due_weeks() == 3
    first, second, third = stream.weekly_samples.order_by("number")
    assert (carry_out(first).population, first.late) == (8, 0)

    assert send(stream, rows_of(12, of_first, first=50)).not_reviewed == 0
    send(stream, rows_of(8, of_second, first=100))
    assert (carry_out(second).population, second.late, second.strata) == (20, 12, {"bonds": 15, "funds": 5})
    drawn = second.samples.values_list("key__happened_at", "inclusion_probability")
    assert any(at == of_first for at, _ in drawn)
    # The weights stand for the late outputs too.
    assert sum(1 / probability for _, probability in drawn) == pytest.approx(20)
    page = client_of(manager).get(f"/projects/{project.slug}/monitor/{stream.pk}/weeks/2/").text
    assert "5 of 20 outputs sampled. The 20 include 12 late outputs of other weeks." in page

    send(stream, rows_of(1, of_third, first=200))
    assert (carry_out(third).population, third.late) == (1, 0)


@pytest.mark.django_db
def test_a_week_without_reviewers_says_so_and_is_drawn_again(
    project: Project, reviewer: User, other_reviewer: User
) -> None:
    stream = make_stream(project, [reviewer])
    project.memberships.filter(user=reviewer).delete()
    send(stream, rows_of(3, timezone.now() - 2 * HOUR))
    open_due_weeks()
    week = carry_out(stream.weekly_samples.get())
    assert (week.state, week.job.state) == (WeeklySampleState.DUE, JobState.FAILED)
    assert "Choose others" in week.job.error
    stream.stream_reviewers.create(user=other_reviewer)
    sample_now(stream=stream, by=None)
    assert carry_out(week).state == WeeklySampleState.OPEN
    with pytest.raises(ConflictError, match="No week waits"):
        sample_now(stream=stream, by=None)


@pytest.mark.django_db
def test_the_weeks_of_a_pause_are_not_drawn(project: Project, reviewer: User) -> None:
    now = timezone.now()
    stream = make_stream(project, [reviewer], next_sample_at=now + HOUR)
    pause_stream(stream=stream, by=None)
    with pytest.raises(ConflictError):
        pause_stream(stream=stream, by=None)
    Stream.objects.filter(pk=stream.pk).update(next_sample_at=now - 3 * WEEK - HOUR)
    assert open_due_weeks() == 0
    resume_stream(stream=stream, by=None)
    stream.refresh_from_db()
    assert stream.next_sample_at == now + WEEK - HOUR
    assert open_due_weeks() == 0


@pytest.mark.django_db
def test_an_ended_stream_is_kept_and_nothing_of_it_is_drawn_or_taken_in(
    project: Project, reviewer: User, manager: User
) -> None:
    now = timezone.now()
    stream = make_stream(project, [reviewer], next_sample_at=now - WEEK - HOUR)
    send(stream, rows_of(3, now - WEEK - dt.timedelta(days=1)))
    assert open_due_weeks() == 2
    reviewed, waiting = stream.weekly_samples.order_by("number")
    carry_out(reviewed)
    end_stream(stream=stream, by=manager)
    send_late = rows_of(2, now - dt.timedelta(days=1), first=100)
    plan = StreamPlan(
        name="Again",
        rubric_version=stream.rubric_version,
        reviewers=[reviewer],
        outputs_per_week=1,
        next_sample_at=now + HOUR,
    )
    for refused in (
        lambda: send(stream, send_late),
        lambda: sample_now(stream=stream, by=manager),
        lambda: pause_stream(stream=stream, by=manager),
        lambda: resume_stream(stream=stream, by=manager),
        lambda: change_stream(stream=stream, plan=plan, by=manager),
        lambda: end_stream(stream=stream, by=manager),
    ):
        with pytest.raises(ConflictError, match="“Support chat” has ended"):
            refused()
    assert carry_out(waiting).note == "The stream was ended before this week was sampled."
    assert (waiting.state, waiting.job.state) == (WeeklySampleState.EMPTY, JobState.SUCCEEDED)
    Stream.objects.update(next_sample_at=now - HOUR)
    EventKey.objects.filter(samples=None).update(happened_at=waiting.ends_at - HOUR)
    assert open_due_weeks() == 0
    # What was in review goes on, and is evaluated.
    review_week(reviewed, [reviewer])
    Campaign.objects.update(deadline=now - HOUR)
    assert evaluate_due_weeks() == 1
    assert reviewed.metrics.exists() and stream.events.count() == 3
    event = AuditEvent.objects.get(action="stream.ended")
    assert (event.actor_id, event.object_id) == (manager.pk, stream.pk)


@pytest.mark.django_db(transaction=True)
def test_a_week_that_is_being_drawn_when_the_stream_ends_is_drawn_whole_or_not_at_all(
    project: Project, reviewer: User, manager: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = make_stream(project, [reviewer])
    send(stream, rows_of(3, timezone.now() - dt.timedelta(days=2)))
    open_due_weeks()
    is_drawing = Event()

    def slow_draw(*args: Any, **options: Any) -> Any:
        is_drawing.set()
        until_somebody_waits()
        return draw_sample(*args, **options)

    monkeypatch.setattr(weeks, "draw_sample", slow_draw)

    def work(number: int) -> Any:
        if number == 0:
            return carry_out(stream.weekly_samples.get())
        is_drawing.wait(20)
        return end_stream(stream=stream, by=manager)

    drawn, ended = at_once(2, work)

    assert ended is None
    assert (drawn.state, drawn.size, drawn.job.state) == (WeeklySampleState.OPEN, 3, JobState.SUCCEEDED)


@pytest.mark.django_db(transaction=True)
def test_what_comes_while_a_week_is_drawn_is_in_its_population_or_in_the_next(
    project: Project, reviewer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = make_stream(project, [reviewer])
    in_week = timezone.now() - dt.timedelta(days=2)
    send(stream, rows_of(3, in_week))
    open_due_weeks()
    is_drawing = Event()

    def slow_draw(*args: Any, **options: Any) -> Any:
        is_drawing.set()
        until_somebody_waits()
        return draw_sample(*args, **options)

    monkeypatch.setattr(weeks, "draw_sample", slow_draw)

    def work(number: int) -> Any:
        if number == 0:
            return carry_out(stream.weekly_samples.get())
        is_drawing.wait(20)
        return send(stream, rows_of(2, in_week, first=10))

    drawn, taken = at_once(2, work)

    assert (drawn.population, taken.stored, taken.not_reviewed) == (3, 2, 0)
    monkeypatch.undo()
    send(stream, rows_of(1, timezone.now(), first=20))
    following = replay_next_week(stream)
    assert (following.population, following.late) == (3, 2)


def test_a_stratified_draw_takes_from_each_stratum_and_says_how_likely() -> None:
    population = [Candidate(n, f"out-{n:03}", "rare" if n < 4 else "usual") for n in range(100)]
    drawn = draw_sample(population, 10, seed=3, week=1)
    rare = [pk for pk in drawn.probabilities if pk < 4]
    assert (len(drawn.probabilities), len(rare)) == (10, 1)
    assert {drawn.probabilities[pk] for pk in rare} == {1 / 4}
    assert {p for pk, p in drawn.probabilities.items() if pk >= 4} == {9 / 96}
    # The weights stand for the whole week: they add up to its outputs.
    assert sum(1 / p for p in drawn.probabilities.values()) == pytest.approx(100)
    assert draw_sample(list(reversed(population)), 10, seed=3, week=1) == drawn
    assert draw_sample(population, 10, seed=3, week=2) != drawn


def test_more_strata_than_outputs_are_drawn_simply_and_it_is_said() -> None:
    population = [Candidate(n, f"out-{n}", str(n)) for n in range(50)]
    drawn = draw_sample(population, 10, seed=3, week=1)
    assert set(drawn.probabilities.values()) == {10 / 50}
    assert "50 values, too many for 10" in drawn.note


def test_every_output_is_as_likely_as_it_is_said_to_be() -> None:
    population = [Candidate(n, f"out-{n:02}", "a" if n < 5 else "b") for n in range(20)]
    counts = dict.fromkeys(range(20), 0)
    for week in range(2000):
        for pk in draw_sample(population, 8, seed=11, week=week).probabilities:
            counts[pk] += 1
    said = draw_sample(population, 8, seed=11, week=1).probabilities
    for pk, count in counts.items():
        expected = 2 / 5 if pk < 5 else 6 / 15
        assert said.get(pk, expected) == expected
        assert abs(count / 2000 - expected) < 0.05


@pytest.mark.django_db
def test_a_plan_that_cannot_be_is_told_field_by_field(project: Project, stranger: User) -> None:
    with pytest.raises(InvalidError) as caught:
        make_stream(
            project,
            [stranger],
            outputs_per_week=0,
            overlap=2,
            baseline_weeks=2,
            next_sample_at=timezone.now() - 60 * WEEK,
            error_criterion="tone",
            thresholds={"tone": 9, "nothing": 1},
        )
    assert set(caught.value.fields) == {
        "reviewers",
        "outputs_per_week",
        "overlap",
        "baseline_weeks",
        "next_sample_at",
        "error_criterion",
        "threshold-tone",
        "threshold-nothing",
    }


def test_strata_that_went_wrong_are_reviewed_more_and_weighted_less() -> None:
    population = [Candidate(n, f"out-{n:04}", "funds" if n % 2 else "bonds") for n in range(400)]
    drawn = draw_sample(population, 40, seed=3, week=1, risk={"funds": 0.2, "bonds": 0.02})
    by_stratum = {
        stratum: [p for pk, p in drawn.probabilities.items() if population[pk].stratum == stratum]
        for stratum in ("funds", "bonds")
    }
    assert (len(by_stratum["funds"]), len(by_stratum["bonds"])) == (30, 10)
    assert {round(each, 9) for each in by_stratum["funds"]} == {0.15}
    assert {round(each, 9) for each in by_stratum["bonds"]} == {0.05}, "at most three times as likely"
    assert sum(1 / p for p in drawn.probabilities.values()) == pytest.approx(400)


@pytest.mark.django_db
def test_the_risk_of_a_stratum_is_how_often_it_went_wrong(
    project: Project, reviewer: User, manager: User
) -> None:
    stream = make_stream(
        project, [reviewer], outputs_per_week=40, stratify_by="topic", sampling=Sampling.RISK
    )
    assert risk_by_stratum(stream) == {}
    week = sampled_week(stream, 80)
    wrong = {
        (stream.candidate.label, sample.output.example.row_number): answers(error=1)
        for sample in week.samples.filter(stratum="funds").select_related("output__example")
    }
    review_all(campaign_of(week), reviewer, wrong)
    page = client_of(manager).get(f"/projects/{project.slug}/monitor/{stream.pk}/weeks/1/").text
    assert "more reviews narrow the interval from" in page and "are of funds" in page
    assert evaluate(week)
    risk = risk_by_stratum(stream)
    # 10 of 40 were of funds, all of them wrong; 10 with the rate of all are added to each.
    assert risk == {"funds": pytest.approx(12.5 / 20), "bonds": pytest.approx(2.5 / 40)}


@pytest.mark.django_db
def test_sampling_by_risk_needs_strata_and_a_question_that_finds_errors(
    project: Project, reviewer: User
) -> None:
    with pytest.raises(InvalidError) as refused:
        make_stream(project, [reviewer], sampling=Sampling.RISK)
    assert list(refused.value.fields) == ["sampling"]
