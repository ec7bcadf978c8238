"""One row of every kind for streams, for the access matrix."""

import datetime as dt
from types import SimpleNamespace

from django.utils import timezone

from evalapp.monitoring.daily.models import DailyAlert, DailyMetric
from evalapp.monitoring.deployments.models import Deployment
from evalapp.monitoring.events.models import Assessment, EventKey, ProductionEvent, WaitingAssessment
from evalapp.monitoring.incidents.models import Incident, Notice
from evalapp.monitoring.models import (
    Alert,
    SampledOutput,
    Stream,
    StreamReviewer,
    WeeklyMetric,
    WeeklySample,
)

DIGEST = "0" * 64


def add_streams(world: SimpleNamespace) -> None:
    """A stream with a deployment, an evaluated week, events, daily metrics and an incident."""
    now = timezone.now()
    world.stream = Stream.objects.create(
        project=world.project,
        name="Support chat",
        dataset=world.dataset,
        candidate=world.model_version,
        rubric_version=world.rubric_version,
        outputs_per_week=50,
        seed=1,
        next_sample_at=now + dt.timedelta(days=7),
        site="http://testserver",
    )
    StreamReviewer.objects.create(stream=world.stream, user=world.user)
    week = WeeklySample.objects.create(
        stream=world.stream,
        number=1,
        begins_at=now - dt.timedelta(days=7),
        ends_at=now,
        state="evaluated",
        evaluated_at=now,
        campaign=world.campaign,
        population=1,
        size=1,
    )
    world.deployment = Deployment.objects.create(
        stream=world.stream, version=world.model_version, served_as="v1", started_at=now, origin="recorded"
    )
    key = _events(world.stream, now)
    _daily(world.stream, now.date())
    SampledOutput.objects.create(weekly_sample=week, key=key, output=world.output, inclusion_probability=1)
    WeeklyMetric.objects.create(
        weekly_sample=week,
        criterion_key="tone",
        criterion_name="Tone",
        value=3,
        reviews=30,
        items=30,
        signature="mean",
    )
    world.incident = Incident.objects.create(stream=world.stream, opened_in=week)
    Notice.objects.create(stream=world.stream, incident=world.incident, kind="opened", week=week)
    Alert.objects.create(
        incident=world.incident,
        stream=world.stream,
        weekly_sample=week,
        criterion_key="tone",
        criterion_name="Tone",
        kind="threshold",
        value=3,
        limit=4,
        message="Tone is under 4.",
    )


def _events(stream: Stream, now: dt.datetime) -> EventKey:
    key = EventKey.objects.create(stream=stream, external_id="a-1", happened_at=now, content_hash=DIGEST)
    ProductionEvent.objects.create(
        key=key,
        stream=stream,
        messages=[{"role": "user", "content": "May I?"}],
        text="Yes.",
        happened_at=now,
    )
    facts = {"stream": stream, "name": "thumb", "value": 1, "happened_at": now, "digest": DIGEST}
    Assessment.objects.create(key=key, **facts)
    WaitingAssessment.objects.create(external_id="a-2", **facts)
    return key


def _daily(stream: Stream, day: dt.date) -> None:
    DailyMetric.objects.create(stream=stream, day=day, metric="events", n=1, total=1, squares=1)
    DailyAlert.objects.create(
        stream=stream,
        metric="words",
        label="Words",
        day=day,
        last_day=day,
        value=9,
        limit=5,
        message="Words: 9.00 on average of 40 outputs.",
        notice=Notice.objects.create(stream=stream, kind="daily"),
    )
