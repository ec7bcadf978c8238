"""The details of audit events for display, with names instead of ids."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from django.db.models import Q

from evalapp.audit.models import AuditEvent

Ids = dict[str, set[int]]
Labels = Mapping[tuple[str, int], str]

_KINDS = {
    "campaign": "campaign",
    "candidates": "modelversion",
    "dataset_version": "datasetversion",
    "export": "export",
    "job": "job",
    "reviewer": "user",
    "reviewers": "user",
}
_HASH = re.compile(r"[0-9a-f]{40,}")
_SHOWN_OF_A_HASH = 12


def ids_in(events: Iterable[AuditEvent]) -> Ids:
    """The ids in the events' data, by object type."""
    found: Ids = defaultdict(set)
    for event in events:
        for name, value in event.data.items():
            if kind := _KINDS.get(name):
                values = value if isinstance(value, list) else [value]
                found[kind].update(each for each in values if isinstance(each, int))
    return found


def latest_labels(ids: Ids) -> dict[tuple[str, int], str]:
    """The latest labels of these objects in the audit log, also of deleted objects; one query."""
    wanted = Q()
    for kind, numbers in ids.items():
        wanted |= Q(object_type=kind, object_id__in=numbers)
    if not wanted:
        return {}
    events = AuditEvent.objects.filter(wanted).order_by("object_type", "object_id", "-id")
    named = events.distinct("object_type", "object_id")
    return {
        (kind, number): label
        for kind, number, label in named.values_list("object_type", "object_id", "object_label")
        if number is not None
    }


def details_of(event: AuditEvent, labels: Labels) -> list[tuple[str, Any]]:
    """The event's data as name and value: labels instead of known ids, shortened hashes, readable task
    names.
    """
    return [(name, _told(name, value, labels)) for name, value in event.data.items()]


def _told(name: str, value: Any, labels: Labels) -> Any:
    if isinstance(value, list):
        return [_told(name, each, labels) for each in value]
    if isinstance(value, int) and name in _KINDS:
        return labels.get((_KINDS[name], value)) or value
    if isinstance(value, str) and name == "task":
        return value.rpartition(".")[2].replace("_", " ")
    if isinstance(value, str) and _HASH.fullmatch(value):
        return value[:_SHOWN_OF_A_HASH]
    return value
