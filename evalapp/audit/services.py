from typing import Any

from django.db import models

from evalapp.audit.models import AuditEvent


def record(
    action: str,
    *,
    by: Any,
    obj: models.Model | None = None,
    project: Any = None,
    data: dict[str, Any] | None = None,
) -> AuditEvent:
    """Append one event; call it inside the transaction of the write it tells of.

    ``by`` is the acting user, or None for the system. ``action`` reads "review.submitted".
    """
    return AuditEvent.objects.create(
        action=action,
        actor_id=getattr(by, "pk", None),
        actor_label=str(by)[:200] if by is not None else "system",
        project_id=getattr(project, "pk", None),
        project_label=str(project)[:120] if project is not None else "",
        object_type=obj._meta.model_name or "" if obj is not None else "",
        object_id=obj.pk if obj is not None else None,
        object_label=str(obj)[:200] if obj is not None else "",
        data=data or {},
    )
