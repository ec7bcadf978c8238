"""Which model version serves a stream, and since when: recorded, promoted, rolled back."""

import datetime as dt

from django.db import transaction
from django.db.models import Sum
from django.utils import timezone

from evalapp.accounts.models import Project, User
from evalapp.audit.services import record
from evalapp.core.errors import ConflictError, InvalidError
from evalapp.core.strict_json import bad_character
from evalapp.decisions.models import Decision
from evalapp.monitoring.deployments.models import LONGEST_SERVED_AS, Deployment, DeploymentOrigin
from evalapp.monitoring.locks import lock_unended
from evalapp.monitoring.models import Stream
from evalapp.registry.models import ModelAlias, ModelVersion
from evalapp.registry.services import set_alias

LONGEST_NOTE = 500
# Clocks of two machines differ a little.
_AHEAD = dt.timedelta(minutes=5)
_NEARLY_ALL = 1 + 1e-9


@transaction.atomic
def record_deployment(
    *,
    stream: Stream,
    version: ModelVersion,
    by: User | None,
    share: float = 1.0,
    started_at: dt.datetime | None = None,
    served_as: str = "",
    note: str = "",
    origin: DeploymentOrigin = DeploymentOrigin.RECORDED,
    decision: Decision | None = None,
) -> Deployment:
    """The version serves ``share`` of the stream's traffic from ``started_at`` (now) on. With all of it, it
    takes the place of every other; with a part, the others keep theirs. ``served_as``: else its label.

    A version that serves already gets the new share from then on. Raises InvalidError for a share that the
    others leave no room for, for a time to come or before the running ones began; ConflictError once the
    stream has ended, or where the version serves with this share already.
    """
    lock_unended(stream)
    now = timezone.now()
    started_at = started_at or now
    if version.project_id != stream.project_id:
        raise InvalidError(f"“{version.label}” is a model of another project.", field="version")
    if not 0 < share <= 1:
        raise InvalidError("The share of the traffic is above 0 and at most 1.", field="share")
    if started_at > now + _AHEAD:
        raise InvalidError(f"{started_at.isoformat()} is in the future. Check the clock.", field="started_at")
    running = stream.deployments.select_for_update(of=("self",)).filter(ended_at=None)
    replaced = running if share == 1 else running.filter(version=version)
    if replaced.filter(version=version, share=share).exists():
        raise ConflictError(f"“{version.label}” serves {share:.0%} of “{stream}” already.")
    latest = replaced.order_by("-started_at").first()
    if latest is not None and started_at < latest.started_at:
        raise InvalidError(
            f"“{latest.version.label}” has served since {latest.started_at.isoformat()}. Give a later time.",
            field="started_at",
        )
    taken = running.exclude(pk__in=replaced).aggregate(total=Sum("share"))["total"] or 0
    if taken + share > _NEARLY_ALL:
        raise InvalidError(
            f"Other versions serve {taken:.0%} of the traffic. Give at most {1 - taken:.0%}, or end one.",
            field="share",
        )
    replaced.update(ended_at=started_at)
    deployment = Deployment.objects.create(
        stream=stream,
        version=version,
        served_as=_checked("served_as", served_as or version.label, LONGEST_SERVED_AS),
        share=share,
        started_at=started_at,
        origin=origin,
        note=_checked("note", note, LONGEST_NOTE),
        decision=decision,
        created_by=by,
    )
    data = {"version": version.pk, "share": share, "origin": origin, "started_at": started_at.isoformat()}
    record("deployment.started", by=by, obj=deployment, project=stream.project, data=data)
    return deployment


@transaction.atomic
def end_deployment(
    *, deployment: Deployment, by: User | None, ended_at: dt.datetime | None = None
) -> Deployment:
    """It serves no more, from ``ended_at`` (now) on. Raises ConflictError where it ended before, InvalidError
    for a time to come or before it started.
    """
    now = timezone.now()
    ended_at = ended_at or now
    locked = Deployment.objects.select_for_update(of=("self",)).get(pk=deployment.pk)
    if locked.ended_at is not None:
        raise ConflictError("This deployment has ended already.")
    if ended_at > now + _AHEAD:
        raise InvalidError(f"{ended_at.isoformat()} is in the future. Check the clock.", field="ended_at")
    if ended_at < locked.started_at:
        raise InvalidError(
            f"It started at {locked.started_at.isoformat()}. Give a later time.", field="ended_at"
        )
    locked.ended_at = ended_at
    locked.save(update_fields=["ended_at"])
    project = deployment.stream.project
    data = {"ended_at": ended_at.isoformat()}
    record("deployment.ended", by=by, obj=locked, project=project, data=data)
    return locked


@transaction.atomic
def roll_back(*, stream: Stream, reason: str, by: User) -> Deployment:
    """Give all traffic back to the version that served before the newest one, and to none that was rolled
    back itself; where the stream follows the champion, it becomes the champion again. Raises InvalidError
    without a reason, ConflictError where none served before.
    """
    # As a promotion does: first the project, then its streams.
    Project.objects.select_for_update().get(pk=stream.project_id)
    lock_unended(stream)
    reason = _checked("reason", reason, LONGEST_NOTE)
    if not reason:
        raise InvalidError(
            f"Give the reason for the roll back, in 1 to {LONGEST_NOTE} characters.", field="reason"
        )
    earlier = _before_newest(stream)
    if earlier is None:
        raise ConflictError(f"No other version served “{stream}” before. There is nothing to go back to.")
    deployment = record_deployment(
        stream=stream,
        version=earlier.version,
        served_as=earlier.served_as,
        note=reason,
        origin=DeploymentOrigin.ROLL_BACK,
        by=by,
    )
    # Afterwards: the streams that follow the champion, but for this one, are served by it from now on.
    if stream.follows_champion and earlier.version.alias != ModelAlias.CHAMPION:
        set_alias(version=earlier.version, alias=ModelAlias.CHAMPION, by=by)
    return deployment


def _before_newest(stream: Stream) -> Deployment | None:
    """The deployment that a roll back goes back to. A roll back takes what it went back from out of the
    history, so that a second one goes further back and never forward.
    """
    standing: list[Deployment] = []
    for each in stream.deployments.select_related("version").order_by("started_at", "pk"):
        if each.origin == DeploymentOrigin.ROLL_BACK:
            while standing and standing[-1].version_id != each.version_id:
                standing.pop()
        if not standing or standing[-1].version_id != each.version_id:
            standing.append(each)
    return standing[-2] if len(standing) > 1 else None


def _checked(field: str, text: str, longest: int) -> str:
    text = " ".join(text.split())
    if len(text) > longest:
        raise InvalidError(
            f"It has {len(text):,} characters; the limit is {longest}. Shorten it.", field=field
        )
    if bad := bad_character(text):
        raise InvalidError(f"The text has {bad}. Remove it.", field=field)
    return text
