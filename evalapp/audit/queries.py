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
    """A project's events, or the whole installation's (None), filtered by actor, object and action
    ("member." takes all of its kind).
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
    """The subjects that the actions of a project, or of all, speak of ("member", "run", …), in order."""
    actions = events_of(project_id).values_list("action", flat=True).distinct()
    return sorted({action.partition(".")[0] for action in actions})
