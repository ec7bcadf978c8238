"""A stream's weeks: opened once each by the scheduler, even late, and sampled by a worker into a campaign.

The scheduler only writes rows: the week, whose end is unique in its stream, and the job that samples it. So
two schedulers, or one that ran twice, open one week, and a week that ended while the server was down is
opened afterwards.
"""

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import Exists, F, Max, OuterRef, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from evalapp.accounts.models import User
from evalapp.accounts.services import lock_members
from evalapp.audit.services import record
from evalapp.campaigns.design import CampaignDesign
from evalapp.campaigns.models import Campaign
from evalapp.campaigns.queries import possible_reviewers
from evalapp.campaigns.services import create_campaign, open_campaign
from evalapp.core.errors import ConflictError, InvalidError
from evalapp.datasets.models import DatasetVersion, Split
from evalapp.datasets.rows import example_row
from evalapp.datasets.services import create_version
from evalapp.jobs.models import FINAL_STATES
from evalapp.jobs.services import create_job
from evalapp.jobs.work import Work
from evalapp.monitoring.anchors import drawn_anchors, number_of_anchors
from evalapp.monitoring.daily.models import LONGEST_STRATUM
from evalapp.monitoring.events.models import EventKey, ProductionEvent
from evalapp.monitoring.events.rows import rows_of_events
from evalapp.monitoring.locks import lock_stream, lock_unended_stream
from evalapp.monitoring.models import (
    LATE_PERIOD,
    WEEK,
    SampledOutput,
    SampleRole,
    Sampling,
    Stream,
    WeeklySample,
    WeeklySampleState,
)
from evalapp.monitoring.risk import risk_by_stratum
from evalapp.monitoring.weekly_sampling import Candidate, draw_sample
from evalapp.runs.generation.answers import ImportedAnswer
from evalapp.runs.models import Run
from evalapp.runs.services import import_outputs

SAMPLE_TASK = "evalapp.monitoring.tasks.sample_week"
MOST_AT_ONCE = 60
"""Weeks of one stream that one turn of the scheduler opens: more than a year of them, after
a long absence.
"""
QUIET_PERIOD = dt.timedelta(hours=1)
"""Late outputs may come in parts; they are waited for until nothing has come for so long."""
_NAMES_TRIED = 20
_WEEK_RELATIONS = (
    "stream__project",
    "stream__dataset",
    "stream__candidate",
    "stream__rubric_version__rubric",
)


def open_due_weeks() -> int:
    """Open every week that is over, and empty weeks whose outputs arrived late; returns how many. Run by the
    scheduler.
    """
    opened = 0
    due = Stream.objects.filter(paused_at=None, next_sample_at__lte=Now()).order_by("pk")
    for pk in due.values_list("pk", flat=True):
        for _ in range(MOST_AT_ONCE):
            if not _open_next(pk):
                break
            opened += 1
    return opened + _open_late_weeks()


@transaction.atomic
def _open_next(stream_id: int) -> bool:
    """Open the stream's next week, if it is over and no other scheduler is opening it."""
    stream = (
        Stream.objects.select_for_update(skip_locked=True, of=("self",))
        .select_related("project")
        .filter(pk=stream_id, paused_at=None, next_sample_at__lte=Now())
        .first()
    )
    if stream is None:
        return False
    _queue(_create_next_week(stream), stream)
    return True


def _create_next_week(stream: Stream) -> WeeklySample:
    """The next week of a locked stream, opened."""
    ends_at = stream.next_sample_at
    number = (stream.weekly_samples.aggregate(last=Max("number"))["last"] or 0) + 1
    week = WeeklySample.objects.create(
        stream=stream, number=number, begins_at=ends_at - WEEK, ends_at=ends_at
    )
    Stream.objects.filter(pk=stream.pk).update(next_sample_at=F("next_sample_at") + WEEK)
    return week


@transaction.atomic
def replay_next_week(stream: Stream) -> WeeklySample:
    """Open and sample the stream's next week at once, even before its end and while the stream is paused.
    Raises ConflictError once it has ended.
    """
    week = _create_next_week(lock_unended_stream(stream))
    _draw_and_review(WeeklySample.objects.select_related(*_WEEK_RELATIONS).get(pk=week.pk))
    return WeeklySample.objects.select_related("campaign__project", "stream__project").get(pk=week.pk)


def _open_late_weeks() -> int:
    events = EventKey.objects.filter(
        stream=OuterRef("stream"),
        happened_at__gte=OuterRef("begins_at"),
        happened_at__lt=OuterRef("ends_at"),
    )
    now = timezone.now()
    empty = WeeklySample.objects.filter(
        state=WeeklySampleState.EMPTY, ends_at__gt=now - LATE_PERIOD, stream__paused_at=None
    )
    arrived = empty.filter(Exists(events)).exclude(Exists(events.filter(received_at__gt=now - QUIET_PERIOD)))
    opened = 0
    for week in arrived.select_related("stream__project").order_by("pk"):
        with transaction.atomic():
            if WeeklySample.objects.filter(pk=week.pk, state=WeeklySampleState.EMPTY).update(
                state=WeeklySampleState.DUE, note=""
            ):
                _queue(week, week.stream)
                opened += 1
    return opened


@transaction.atomic
def week_to_fill(stream: Stream, ends_at: dt.datetime) -> WeeklySample:
    """The week that ends then, locked, for a sample drawn elsewhere: the stream's next week, opened now, or
    an empty one. Raises ConflictError if it is not over or has been sampled, or the stream has ended.
    """
    locked = lock_unended_stream(stream)
    if ends_at > timezone.now():
        raise ConflictError(f"The week that ends at {ends_at.isoformat()} is not over yet.")
    if ends_at == locked.next_sample_at:
        week = _create_next_week(locked)
    else:
        found = locked.weekly_samples.select_for_update().filter(ends_at=ends_at).first()
        if found is None:
            raise ConflictError(
                f"No week of “{locked}” ends at {ends_at.isoformat()}. The next to be sampled ends at"
                f" {locked.next_sample_at.isoformat()}."
            )
        if found.state not in (WeeklySampleState.EMPTY, WeeklySampleState.DUE):
            raise ConflictError(f"The {found} of “{locked}” has been sampled already.")
        week = found
    return WeeklySample.objects.select_related(*_WEEK_RELATIONS).get(pk=week.pk)


def _queue(week: WeeklySample, stream: Stream) -> None:
    job = create_job(
        project=stream.project,
        task=SAMPLE_TASK,
        title=f"Sample {week} of {stream}",
        by=None,
        params={"weekly_sample": week.pk},
    )
    WeeklySample.objects.filter(pk=week.pk).update(job=job)
    data = {"week": week.number, "ends_at": week.ends_at.isoformat()}
    record("stream.week_opened", by=None, obj=stream, project=stream.project, data=data)


@transaction.atomic
def sample_now(*, stream: Stream, by: User | None) -> None:
    """Sample at once a week that is empty or whose job failed. Raises ConflictError without such a week, or
    once the stream has ended.
    """
    lock_unended_stream(stream)
    waiting = stream.weekly_samples.select_for_update(of=("self",)).select_related("job").order_by("-number")
    for week in waiting.filter(state__in=[WeeklySampleState.EMPTY, WeeklySampleState.DUE]):
        if (
            week.state == WeeklySampleState.DUE
            and week.job is not None
            and week.job.state not in FINAL_STATES
        ):
            continue
        WeeklySample.objects.filter(pk=week.pk).update(state=WeeklySampleState.DUE, note="")
        _queue(week, stream)
        return
    raise ConflictError("No week waits to be sampled.")


def carry_out_sample(work: Work) -> dict[str, Any]:
    """Sample the job's week and open its campaign, in one transaction; does nothing if that is done."""
    week = WeeklySample.objects.select_related(*_WEEK_RELATIONS).get(pk=work.job.params["weekly_sample"])
    work.enter("Drawing")
    with transaction.atomic():
        # Transactions that feed or end the stream wait for this sampling, or precede it: so each event is
        # either in this population, or late and in the next. Locks in the same order as a promotion: first
        # the project, then its streams.
        lock_members([week.stream.project_id])
        lock_stream(week.stream)
        locked = WeeklySample.objects.select_for_update(no_key=True).get(pk=week.pk)
        drawn = _draw_and_review(week) if locked.state == WeeklySampleState.DUE else locked.size
        work.fence()
    return {"size": drawn}


class DrawnEvents(NamedTuple):
    """The week's new outputs; ``strata`` and ``probabilities`` by their keys. ``sizes``: stratum → outputs of
    the week.
    """

    events: Sequence[ProductionEvent]
    strata: Mapping[int, str]
    probabilities: Mapping[int, float]
    sizes: Mapping[str, int]


def _draw_and_review(week: WeeklySample) -> int:
    stream = week.stream
    of_week = stream.events.filter(happened_at__gte=week.begins_at, happened_at__lt=week.ends_at)
    population = _candidates(stream, of_week.filter(key__samples=None))
    if not population:
        note = "This week has no events."
        WeeklySample.objects.filter(pk=week.pk).update(state=WeeklySampleState.EMPTY, note=note)
        return 0
    late_keys = stream.event_keys.filter(are_late(stream, week.begins_at), samples=None)
    recent = stream.events.filter(happened_at__gte=week.begins_at - LATE_PERIOD)
    late = _candidates(stream, recent.filter(key__in=late_keys))
    population += late
    wanted = number_of_anchors(stream, week)
    result = draw_sample(
        population,
        stream.outputs_per_week - wanted,
        seed=stream.seed,
        week=week.number,
        risk=risk_by_stratum(stream) if stream.sampling == Sampling.RISK else None,
    )
    chosen = list(
        stream.events.filter(pk__in=result.probabilities)
        .select_related("key")
        .order_by("happened_at", "key__external_id")
    )
    # A sample that could not be stratified is one stratum.
    strata = {each.id: "" if result.note else each.stratum for each in population}
    drawn = DrawnEvents(chosen, strata, result.probabilities, Counter(strata.values()))
    size = review_sample(week, drawn, anchors=wanted, note=result.note)
    WeeklySample.objects.filter(pk=week.pk).update(
        late=len(late), last_key=stream.event_keys.aggregate(last=Max("pk"))["last"]
    )
    return size


def review_sample(week: WeeklySample, drawn: DrawnEvents, *, anchors: int, note: str = "") -> int:
    """Store a week's sample with at most ``anchors`` anchors and open its campaign; returns the number of
    new outputs. The week is locked and not yet sampled.
    """
    again = drawn_anchors(week.stream, week, anchors)
    version, run = _store_rows_and_outputs(week, drawn.events, again)
    _store_sampled_outputs(week, drawn, again, run)
    campaign, beside = _campaign(week, version)
    WeeklySample.objects.filter(pk=week.pk).update(
        state=WeeklySampleState.OPEN,
        campaign=campaign,
        population=sum(drawn.sizes.values()),
        size=len(drawn.events),
        anchors=len(again),
        strata=drawn.sizes,
        note=" ".join(part for part in (note, beside) if part),
    )
    return len(drawn.events)


def _store_sampled_outputs(
    week: WeeklySample, drawn: DrawnEvents, anchors: Sequence[SampledOutput], run: Run
) -> None:
    """Store the sample, in the order of the run's rows."""
    outputs = dict(run.outputs.values_list("example__row_number", "pk"))
    new = [
        SampledOutput(
            weekly_sample=week,
            key=each.key,
            model_version=each.model_version,
            output_id=outputs[row],
            stratum=drawn.strata[each.pk],
            inclusion_probability=drawn.probabilities[each.pk],
        )
        for row, each in enumerate(drawn.events, start=1)
    ]
    again = [
        SampledOutput(
            weekly_sample=week,
            key=each.key,
            model_version=each.model_version,
            output_id=outputs[row],
            role=SampleRole.ANCHOR,
            stratum=each.stratum,
        )
        for row, each in enumerate(anchors, start=1 + len(drawn.events))
    ]
    SampledOutput.objects.bulk_create([*new, *again])


def are_late(stream: Stream, week_begins_at: dt.datetime) -> Q:
    """The condition for keys of late outputs that the sample of the week that begins then includes: they
    arrived after their own week was sampled, and since the stream's last sample.
    """
    since = week_begins_at - LATE_PERIOD
    sampled = stream.weekly_samples.filter(last_key__isnull=False)
    last = sampled.aggregate(key=Max("last_key"), ends_at=Max("ends_at"))
    if last["key"] is None:
        return Q(pk__in=[])
    of_sampled_week = Exists(
        sampled.filter(begins_at__lte=OuterRef("happened_at"), ends_at__gt=OuterRef("happened_at"))
    )
    return Q(of_sampled_week, pk__gt=last["key"], happened_at__gte=since, happened_at__lt=last["ends_at"])


def _candidates(stream: Stream, events: QuerySet[ProductionEvent]) -> list[Candidate]:
    field = stream.stratify_by
    return [
        Candidate(pk, external_id, str(fields.get(field, ""))[:LONGEST_STRATUM] if field else "")
        for pk, external_id, fields in events.values_list("pk", "key__external_id", "fields").iterator(
            chunk_size=5_000
        )
    ]


def _store_rows_and_outputs(
    week: WeeklySample, chosen: Sequence[ProductionEvent], anchors: Sequence[SampledOutput]
) -> tuple[DatasetVersion, Run]:
    """Store the events, and after them the anchors, as examples of the stream's dataset and outputs of its
    candidate, in order.
    """
    stream = week.stream
    rows = rows_of_events(stream, chosen, split=Split.FEEDBACK)
    again = (replace(example_row(each.output.example), row_key=None) for each in anchors)
    texts = [*(each.text for each in chosen), *(each.output.text for each in anchors)]
    version = create_version(
        dataset=stream.dataset,
        rows=chain(rows, again),
        by=None,
        source=f"{stream}, {week}"[:200],
        may_repeat=True,
    )
    run = import_outputs(
        project=stream.project,
        dataset_version=version,
        candidate=stream.candidate,
        rows=[
            ImportedAnswer(text=text, example_row=row, is_row_certain=True)
            for row, text in enumerate(texts, start=1)
        ],
        name=f"{stream}, {week}",
        by=None,
    )
    return version, run


def _campaign(week: WeeklySample, version: DatasetVersion) -> tuple[Campaign, str]:
    """The week's campaign, open until the next week's end, and its differences from the plan."""
    stream = week.stream
    people = list(possible_reviewers(stream.project).filter(pk__in=stream.stream_reviewers.values("user")))
    if not people:
        raise InvalidError(
            f"None of the reviewers of “{stream}” may review in this project any more. Choose others for the "
            "stream, then sample the week again."
        )
    overlap = min(stream.overlap, len(people))
    note = ""
    if overlap < stream.overlap:
        note = f"{overlap} instead of {stream.overlap} reviewers per output: no more are available."
    deadline = max(week.ends_at, timezone.now()) + WEEK
    day = week.begins_at
    plain = f"{stream}, week of {day.day} {day:%B %Y}"
    for attempt in range(1, _NAMES_TRIED):
        name = plain if attempt == 1 else f"{plain} ({attempt})"
        if stream.project.campaigns.filter(name=name).exists():
            continue
        design = CampaignDesign(
            name=name,
            rubric_version=stream.rubric_version,
            dataset_version=version,
            split=Split.FEEDBACK,
            candidates=[stream.candidate],
            overlap=overlap,
            reviewers=people,
            deadline=deadline,
            seed=stream.seed % 2**31 + week.number,
        )
        campaign = create_campaign(project=stream.project, design=design, by=None)
        return open_campaign(campaign=campaign, by=None), note
    raise ConflictError(f"Too many campaigns are named “{plain}”. Rename some, then sample the week again.")
