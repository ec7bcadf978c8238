from django.db.models import QuerySet

from evalapp.audit.models import AuditEvent


def events_of(
    project_id: int | None = None,
    *,
    actor_id: int | None = None,
    object_type: str = "",
    object_id: int | None = None,
    action: str = "",
) -> QuerySet[AuditEvent]:
    """The events of a project, or of the whole installation (None), filtered by actor, object and action;
    "member." matches all actions with that prefix.
    """
    events = AuditEvent.objects.all()
    if project_id is not None:
        events = events.filter(project_id=project_id)
    if actor_id is not None:
        events = events.filter(actor_id=actor_id)
    if object_type:
        events = events.filter(object_type=object_type)
    if object_id is not None:
        events = events.filter(object_id=object_id)
    if action.endswith("."):
        events = events.filter(action__startswith=action)
    elif action:
        events = events.filter(action=action)
    return events


def kinds_of_action(project_id: int | None = None) -> list[str]:
    """The sorted prefixes of actions in a project or the installation ("member", "run", …)."""
    actions = events_of(project_id).values_list("action", flat=True).distinct()
    return sorted({action.partition(".")[0] for action in actions})
