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
from evalapp.monitoring.locks import lock_unended_stream
from evalapp.monitoring.models import Stream
from evalapp.registry.models import ModelAlias, ModelVersion
from evalapp.registry.services import set_alias

LONGEST_NOTE = 500
# Allows for clocks of two machines that differ a little.
_CLOCK_TOLERANCE = dt.timedelta(minutes=5)
_LARGEST_TOTAL_SHARE = 1 + 1e-9


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
    """Record that the version serves ``share`` of the stream's traffic from ``started_at`` (default: now).

    With all of the traffic it replaces every other version; with a part, the others keep theirs.
    ``served_as`` defaults to its label. A version that serves already gets the new share from then on. Raises
    InvalidError for a share that exceeds what the others leave, and for a time in the future or before the
    running deployments began; ConflictError once the stream has ended, or if the version has this share
    already.
    """
    lock_unended_stream(stream)
    now = timezone.now()
    started_at = started_at or now
    if version.project_id != stream.project_id:
        raise InvalidError(f"“{version.label}” is a model of another project.", field="version")
    if not 0 < share <= 1:
        raise InvalidError("The share of the traffic is above 0 and at most 1.", field="share")
    if started_at > now + _CLOCK_TOLERANCE:
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
    if taken + share > _LARGEST_TOTAL_SHARE:
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
    """End a deployment at ``ended_at`` (default: now). Raises ConflictError if it has ended, InvalidError for
    a time in the future or before it started.
    """
    now = timezone.now()
    ended_at = ended_at or now
    locked = Deployment.objects.select_for_update(of=("self",)).get(pk=deployment.pk)
    if locked.ended_at is not None:
        raise ConflictError("This deployment has ended already.")
    if ended_at > now + _CLOCK_TOLERANCE:
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
    """Give all traffic back to the version that served before the newest one, skipping versions that were
    rolled back.

    Where the stream follows the champion, that version becomes the champion again. Raises InvalidError
    without a reason, ConflictError if no version served before.
    """
    # Lock in the same order as a promotion: first the project, then its streams.
    Project.objects.select_for_update().get(pk=stream.project_id)
    lock_unended_stream(stream)
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
    # Last, because it deploys the version to the other streams that follow the champion.
    if stream.follows_champion and earlier.version.alias != ModelAlias.CHAMPION:
        set_alias(version=earlier.version, alias=ModelAlias.CHAMPION, by=by)
    return deployment


def _before_newest(stream: Stream) -> Deployment | None:
    """The deployment that a rollback returns to. A rollback removes the version it leaves from the history,
    so a second one goes further back and never forward.
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
