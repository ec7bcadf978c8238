"""Actions of people on an incident: keyword-only, atomic, audited."""

from django.db import transaction
from django.db.models.functions import Now

from evalapp.accounts.models import User
from evalapp.audit.services import record
from evalapp.core.errors import ConflictError, InvalidError
from evalapp.core.strict_json import bad_character
from evalapp.datasets.models import DatasetVersion
from evalapp.monitoring.feedback import feedback_for
from evalapp.monitoring.incidents.models import LONGEST_REASON, Incident, IncidentState
from evalapp.monitoring.incidents.second_review import write_second_review
from evalapp.monitoring.incidents.webhooks import emit_incident_event
from evalapp.webhooks.models import WebhookEvent


@transaction.atomic
def acknowledge(*, incident: Incident, by: User) -> None:
    """Record that somebody looks after the incident, which stops reminders. Raises ConflictError if it is
    acknowledged already, or over.
    """
    _locked(incident)
    waiting = Incident.objects.filter(pk=incident.pk, acknowledged_at=None)
    if not waiting.update(acknowledged_at=Now(), acknowledged_by=by):
        raise ConflictError("This incident has been acknowledged already.")
    record("incident.acknowledged", by=by, obj=incident, project=incident.stream.project)


@transaction.atomic
def accept_training_data(
    *, incident: Incident, by: User, dataset_version: int | None = None
) -> DatasetVersion:
    """Accept reviewed rows of the incident's stream for training, and record the weeks they come from; the
    training is started on its own page.

    ``dataset_version``: the one that was shown, else the newest. Accepting again replaces the earlier
    version. Raises ConflictError if the incident is over, no feedback of its first week or a later one has
    been exported, or the version that was shown is not available.
    """
    locked = _locked(incident)
    possible = feedback_for(locked)
    if not possible:
        raise ConflictError(
            f"There is no dataset version from feedback of “{locked.stream}” since {locked.opened_in} to"
            " train on yet. Export the corrections of that week first, then accept."
        )
    shown = (each for each in possible if dataset_version in (None, each.version.pk))
    chosen = next(shown, None)
    if chosen is None:
        raise ConflictError(
            f"That dataset version has other rows than those reviewed in “{locked.stream}” since "
            f"{locked.opened_in}. Reload the page, and accept what it shows."
        )
    locked.training_data = chosen.version
    locked.weeks = [{"week": week, "rows": rows} for week, rows in chosen.weeks.items()]
    locked.save(update_fields=["training_data", "weeks"])
    data = {"dataset_version": chosen.version.pk, "weeks": locked.weeks}
    record("incident.training_data_accepted", by=by, obj=locked, project=locked.stream.project, data=data)
    return chosen.version


@transaction.atomic
def prepare_second_review(*, incident: Incident, by: User) -> DatasetVersion:
    """Write the rows that candidates answer before one of them replaces the serving version. Raises
    ConflictError if the incident is over, or no event of its weeks is left.
    """
    locked = _locked(incident)
    locked.second_review = write_second_review(locked, by=by)
    locked.save(update_fields=["second_review"])
    data = {"dataset_version": locked.second_review.pk}
    record("incident.second_review_prepared", by=by, obj=locked, project=locked.stream.project, data=data)
    return locked.second_review


@transaction.atomic
def close_incident(*, incident: Incident, reason: str, by: User) -> None:
    """End an incident that has not recovered by itself. Raises InvalidError without a reason, ConflictError
    if it is over.
    """
    locked = _locked(incident)
    reason = " ".join(reason.split())
    if not reason or len(reason) > LONGEST_REASON:
        raise InvalidError(
            f"Give the reason for closing the incident, in 1 to {LONGEST_REASON} characters.", field="reason"
        )
    if bad := bad_character(reason):
        raise InvalidError(f"The reason has {bad}. Remove it.", field="reason")
    Incident.objects.filter(pk=locked.pk).update(
        state=IncidentState.CLOSED, closed_at=Now(), closed_by=by, reason=reason
    )
    locked.state = IncidentState.CLOSED
    emit_incident_event(locked, WebhookEvent.INCIDENT_CLOSED)
    record("incident.closed", by=by, obj=locked, project=locked.stream.project, data={"reason": reason})


def _locked(incident: Incident) -> Incident:
    locked = (
        Incident.objects.select_for_update(of=("self",))
        .select_related("stream__project", "opened_in")
        .get(pk=incident.pk)
    )
    if not locked.is_open:
        raise ConflictError("This incident is over. A new one opens when something alerts again.")
    return locked
