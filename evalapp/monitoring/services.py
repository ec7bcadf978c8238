"""Writes of streams by people: keyword-only, atomic, audited."""

import datetime as dt
import itertools
import secrets
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from django.db import IntegrityError, transaction
from django.db.models.functions import Coalesce, Now
from django.utils import timezone

from evalapp.accounts.models import Project, User
from evalapp.accounts.services import lock_members
from evalapp.audit.services import record
from evalapp.campaigns.design import MOST_OVERLAP, without_review_permission
from evalapp.core.errors import ConflictError, InvalidError
from evalapp.core.names import checked_name
from evalapp.core.uniqueness import unless_taken
from evalapp.datasets.services import create_dataset
from evalapp.monitoring.daily.thresholds import checked_daily_thresholds
from evalapp.monitoring.key_figures import checked_key_figures, usual_key_figures
from evalapp.monitoring.locks import lock_unended_stream
from evalapp.monitoring.models import (
    WEEK,
    Sampling,
    Stream,
    StreamReviewer,
    WeeklySampleState,
)
from evalapp.registry.services import register_imported
from evalapp.rubrics.models import RubricVersion

LONGEST_STREAM_NAME = 80
MOST_PER_WEEK = 1_000
FARTHEST_FROM_NOW = 26 * WEEK
"""How far from now a week that is sampled may end: production that has run for a while can be
looked back on.
"""
_SEED_BITS = 31
ENDED_BEFORE = "The stream was ended before this week was sampled."
BASELINE_WEEKS = range(8, 53)


@dataclass(frozen=True, kw_only=True)
class StreamPlan:
    """The plan of a stream. ``next_sample_at``: the end of the first week to be sampled.

    ``thresholds``: criterion's key → the lowest acceptable mean (the highest, if lower is better), or for
    ``error_criterion`` the highest acceptable rate (0 to 1). ``key_figures``: as in Stream; None: the
    rubric's usual ones. ``daily_thresholds``: daily metric → {"least", "highest"}; None: unchanged.
    """

    name: str
    rubric_version: RubricVersion
    reviewers: Collection[User]
    outputs_per_week: int
    next_sample_at: dt.datetime
    description: str = ""
    overlap: int = 1
    stratify_by: str = ""
    sampling: str = Sampling.PROPORTIONAL
    error_criterion: str = ""
    thresholds: Mapping[str, float] = field(default_factory=dict)
    baseline_weeks: int = 12
    follows_champion: bool = True
    key_figures: Mapping[str, Mapping[str, str]] | None = None
    daily_thresholds: Mapping[str, Mapping[str, float | None]] | None = None
    seed: int | None = None


@transaction.atomic
def create_stream(*, project: Project, plan: StreamPlan, site: str, by: User | None) -> Stream:
    """Create a stream with a dataset and a candidate of its own for the sampled outputs.

    ``site``: this installation's address as its users see it, for links in e-mails. Raises InvalidError
    naming every invalid field, ConflictError for a name already in use.
    """
    lock_members([project.pk])
    _require_valid(plan, project)
    name = checked_name(plan.name, of="the stream", longest=LONGEST_STREAM_NAME)
    try:
        with transaction.atomic():
            label = f"{name[:60]} in production"
            dataset = create_dataset(
                project=project, name=label, by=by, description=f"Samples of the stream “{name}”."
            )
            candidate = register_imported(project=project, label=label, by=by)
            stream = Stream.objects.create(
                project=project,
                dataset=dataset,
                candidate=candidate,
                site=site.rstrip("/"),
                seed=secrets.randbits(_SEED_BITS) if plan.seed is None else plan.seed,
                created_by=by,
                **_columns(plan, name),
            )
    except (IntegrityError, ConflictError) as error:
        raise ConflictError(_name_taken_message(name), field="name") from error
    _set_reviewers(stream, plan)
    record("stream.created", by=by, obj=stream, project=project, data=_audit_data(stream, plan))
    return stream


@transaction.atomic
def change_stream(*, stream: Stream, plan: StreamPlan, by: User | None) -> Stream:
    """Change the plan of a stream from its next week on. Raises as `create_stream`, and ConflictError once it
    has ended.
    """
    lock_members([stream.project_id])
    lock_unended_stream(stream)
    _require_valid(plan, stream.project, stream=stream)
    name = checked_name(plan.name, of="the stream", longest=LONGEST_STREAM_NAME)
    seed = {} if plan.seed is None else {"seed": plan.seed}
    with unless_taken(_name_taken_message(name), field="name"):
        Stream.objects.filter(pk=stream.pk).update(**_columns(plan, name), **seed)
    stream.refresh_from_db()
    stream.stream_reviewers.all().delete()
    _set_reviewers(stream, plan)
    record("stream.changed", by=by, obj=stream, project=stream.project, data=_audit_data(stream, plan))
    return stream


def _columns(plan: StreamPlan, name: str) -> dict[str, object]:
    criteria = list(plan.rubric_version.criteria.all())
    given = plan.daily_thresholds
    return {
        **({} if given is None else {"daily_thresholds": checked_daily_thresholds(given)}),
        "name": name,
        "description": plan.description.strip(),
        "rubric_version": plan.rubric_version,
        "outputs_per_week": plan.outputs_per_week,
        "overlap": plan.overlap,
        "stratify_by": plan.stratify_by.strip(),
        "sampling": plan.sampling,
        "error_criterion": plan.error_criterion,
        "thresholds": dict(plan.thresholds),
        "baseline_weeks": plan.baseline_weeks,
        "follows_champion": plan.follows_champion,
        "key_figures": usual_key_figures(criteria, plan.error_criterion)
        if plan.key_figures is None
        else checked_key_figures(plan.key_figures, criteria, plan.error_criterion),
        "next_sample_at": plan.next_sample_at,
    }


def _set_reviewers(stream: Stream, plan: StreamPlan) -> None:
    StreamReviewer.objects.bulk_create(
        StreamReviewer(stream=stream, user_id=pk) for pk in sorted({person.pk for person in plan.reviewers})
    )


def _audit_data(stream: Stream, plan: StreamPlan) -> dict[str, object]:
    return {
        "outputs_per_week": plan.outputs_per_week,
        "overlap": plan.overlap,
        "by": plan.stratify_by,
        "sampling": plan.sampling,
        "rubric_version": plan.rubric_version.pk,
        "reviewers": sorted(person.pk for person in plan.reviewers),
        "thresholds": dict(plan.thresholds),
        "daily_thresholds": stream.daily_thresholds,
        "error_criterion": plan.error_criterion,
        "next_sample_at": plan.next_sample_at.isoformat(),
        "seed": stream.seed,
    }


def _name_taken_message(name: str) -> str:
    return f"This project already has a stream, dataset or candidate named “{name}”. Choose another name."


Problem = tuple[str, str]
"""A field of the plan, and its problem."""


def _require_valid(plan: StreamPlan, project: Project, stream: Stream | None = None) -> None:
    problems: dict[str, list[str]] = {}
    found = (
        _people_problems(plan, project),
        _sampling_problems(plan, project, stream),
        _criterion_problems(plan),
    )
    for name, message in itertools.chain.from_iterable(found):
        problems.setdefault(name, []).append(message)
    if problems:
        raise InvalidError("The stream cannot be saved: see the fields.", fields=problems)


def _people_problems(plan: StreamPlan, project: Project) -> Iterator[Problem]:
    people = {person.pk for person in plan.reviewers}
    if not people:
        yield "reviewers", "Choose at least one reviewer."
    elif foreign := without_review_permission(project, plan.reviewers):
        yield "reviewers", f"Not reviewers of this project: {', '.join(map(str, foreign))}."
    if not 1 <= plan.overlap <= MOST_OVERLAP:
        yield "overlap", f"Each output needs between 1 and {MOST_OVERLAP} reviewers."
    elif people and plan.overlap > len(people):
        yield "overlap", f"{plan.overlap} reviewers per output need as many people; {len(people)} chosen."


def _sampling_problems(plan: StreamPlan, project: Project, stream: Stream | None) -> Iterator[Problem]:
    if plan.rubric_version.rubric.project_id != project.pk:
        yield "rubric_version", "This rubric belongs to another project."
    if not 1 <= plan.outputs_per_week <= MOST_PER_WEEK:
        yield "outputs_per_week", f"Between 1 and {MOST_PER_WEEK:,} outputs can be reviewed a week."
    if plan.sampling == Sampling.RISK and not (plan.stratify_by.strip() and plan.error_criterion):
        yield (
            "sampling",
            "Sampling by risk needs a field to stratify by, and a question that finds material errors.",
        )
    if plan.baseline_weeks not in BASELINE_WEEKS:
        yield "baseline_weeks", "A baseline has 8 to 52 weeks."
    if not -FARTHEST_FROM_NOW <= plan.next_sample_at - timezone.now() <= FARTHEST_FROM_NOW:
        yield (
            "next_sample_at",
            "The first week must end within half a year before or after now. Choose another time.",
        )
    if stream is not None and stream.weekly_samples.filter(ends_at__gt=plan.next_sample_at - WEEK).exists():
        yield "next_sample_at", "This week overlaps one that is already sampled. Choose a later time."


def _criterion_problems(plan: StreamPlan) -> Iterator[Problem]:
    criteria = {each.key: each for each in plan.rubric_version.criteria.all()}
    if not any(each.rules.has_mean for each in criteria.values()) and not plan.error_criterion:
        message = (
            "The rubric has no scale, so there is no mean to monitor. Name the question that finds errors."
        )
        yield "error_criterion", message
    if plan.error_criterion:
        named = criteria.get(plan.error_criterion)
        if named is None or not named.rules.finds_errors:
            message = (
                f"“{plan.error_criterion}” cannot find errors in this rubric: use a yes/no question or a"
                " category criterion with an undesired option, or span labels."
            )
            yield "error_criterion", message
    for key, threshold in plan.thresholds.items():
        criterion = criteria.get(key)
        is_rate = key == plan.error_criterion
        if criterion is None or (not criterion.rules.has_mean and not is_rate):
            yield f"threshold-{key}", f"The rubric has no scale “{key}”."
            continue
        low, high = (0, 1) if is_rate else criterion.rules.range
        if not low <= threshold <= high:
            yield f"threshold-{key}", f"The threshold must be between {low} and {high}."


def pause_stream(*, stream: Stream, by: User | None) -> None:
    """Stop sampling weeks; reviews in progress continue. Raises ConflictError if the stream is paused or has
    ended.
    """
    with transaction.atomic():
        lock_unended_stream(stream)
        if not Stream.objects.filter(pk=stream.pk, paused_at=None).update(paused_at=Now()):
            raise ConflictError(f"“{stream}” is paused already.")
        record("stream.paused", by=by, obj=stream, project=stream.project)


def resume_stream(*, stream: Stream, by: User | None) -> None:
    """Resume with the current week; weeks of the pause are not sampled. Raises ConflictError if the stream is
    running or has ended.
    """
    with transaction.atomic():
        locked = lock_unended_stream(stream)
        if locked.paused_at is None:
            raise ConflictError(f"“{stream}” is not paused.")
        missed = max(0, -((locked.next_sample_at - timezone.now()) // WEEK))
        locked.next_sample_at += missed * WEEK
        locked.paused_at = None
        locked.save(update_fields=["next_sample_at", "paused_at"])
        record("stream.resumed", by=by, obj=stream, project=stream.project)


@transaction.atomic
def end_stream(*, stream: Stream, by: User | None) -> None:
    """End the stream for good: no more weeks are sampled and no events accepted. Reviews in progress continue
    and are evaluated; all data are kept. Raises ConflictError if it has ended.
    """
    lock_unended_stream(stream)
    now = timezone.now()
    Stream.objects.filter(pk=stream.pk).update(ended_at=now, paused_at=Coalesce("paused_at", now))
    stream.weekly_samples.filter(state=WeeklySampleState.DUE).update(
        state=WeeklySampleState.EMPTY, note=ENDED_BEFORE
    )
    record("stream.ended", by=by, obj=stream, project=stream.project)
