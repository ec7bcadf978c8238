import json
from typing import Any

from django.db import models
from django.utils import timezone

from evalapp.audit.models import AuditEvent
from evalapp.core.prepared import prepared_cursor

_RECORD = """
INSERT INTO evalapp_auditevent (at, action, actor_id, actor_label, project_id, project_label,
                                object_type, object_id, object_label, data)
VALUES (%(at)s, %(action)s, %(actor)s, %(actor_label)s, %(project)s, %(project_label)s,
        %(object_type)s, %(object)s, %(object_label)s, %(data)s::jsonb)
"""


def record(
    action: str,
    *,
    by: Any,
    obj: models.Model | None = None,
    project: Any = None,
    data: dict[str, Any] | None = None,
) -> None:
    """Append one event; must be called inside the transaction of the write that it describes.

    ``by``: the acting user, or None for the system. ``action``: for example "review.submitted".
    """
    parameters: dict[str, Any] = {
        "at": timezone.now(),
        "action": action,
        "actor": getattr(by, "pk", None),
        "actor_label": str(by)[:200] if by is not None else "system",
        "project": getattr(project, "pk", None),
        "project_label": str(project)[:120] if project is not None else "",
        "object_type": obj._meta.model_name or "" if obj is not None else "",
        "object": obj.pk if obj is not None else None,
        "object_label": str(obj)[:200] if obj is not None else "",
        "data": json.dumps(data or {}),
    }
    with prepared_cursor() as cursor:
        cursor.execute(_RECORD, parameters)


def relabel_person(*, user_id: int, label: str, objects: dict[str, list[int]]) -> None:
    """Replace a deleted person's name in the audit log by ``label``; ids and everything else stay.

    ``objects`` maps object types to ids of objects whose labels contain the name. The database allows no
    other change of an event, and only labels of the form "Former member …".
    """
    AuditEvent.objects.filter(actor_id=user_id).update(actor_label=label)
    for object_type, ids in objects.items():
        AuditEvent.objects.filter(object_type=object_type, object_id__in=ids).update(object_label=label)
