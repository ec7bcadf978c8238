"""Searches a project's rows for a person, and computes their columns without the person."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from django.db import models

from evalapp.accounts.models import Project
from evalapp.data_protection.person import Person
from evalapp.data_protection.places import Holds, Place
from evalapp.datasets.masking import Originals
from evalapp.datasets.models import VaultEntry
from evalapp.datasets.vault import opened_originals

AT_ONCE = 2_000


class Found(NamedTuple):
    """A row that contains the person: its key, and the changed columns without the person."""

    pk: Any
    changes: Mapping[str, Any]


Batch = tuple[int, list[Found]]
"""Number of rows searched, and those of them that contain the person."""


def found_in(place: Place, project: Project, person: Person) -> Iterator[Batch]:
    """Search the project's rows in batches, in order of their keys."""
    rows = _rows_of(place, project)
    last: Any = None
    while True:
        following = rows if last is None else rows.filter(pk__gt=last)
        batch = list(following.values_list("pk", *place.holds)[:AT_ONCE])
        if not batch:
            return
        last = batch[-1][0]
        found = [Found(pk, changes_of(place, person, dict(zip(place.holds, values, strict=True)), pk))
                 for pk, *values in batch]  # fmt: skip
        yield len(batch), [each for each in found if each.changes]


def changes_of(place: Place, person: Person, values: Mapping[str, Any], pk: Any) -> dict[str, Any]:
    """The columns of a row that contain the person, with the person erased."""
    changes = {}
    for name, holds in place.holds.items():
        value = values[name]
        if value in (None, "", [], {}):
            continue
        without = _ERASING[holds](person, value)
        if without == value:
            continue
        changes[name] = f"{without} {pk}" if holds == Holds.UNIQUE else without
    return _fitting(place, changes)


def entries_with(
    project: Project, person: Person
) -> Iterator[tuple[int, list[tuple[VaultEntry, Originals]]]]:
    """Search the vault's entries in batches as in `found_in`, with what remains of those that contain the
    person.

    Raises InvalidError as `opened_originals` does.
    """
    entries = VaultEntry.objects.filter(project=project).order_by("pk")
    last: Any = None
    while batch := list(entries.filter(pk__gt=last)[:AT_ONCE] if last is not None else entries[:AT_ONCE]):
        last = batch[-1].pk
        found = []
        for entry in batch:
            originals = opened_originals(entry)
            left = without_person(originals, person)
            if left != originals:
                found.append((entry, left))
        yield len(batch), found


def without_person(originals: Originals, person: Person) -> Originals:
    """The originals that do not contain the person, by placeholder."""
    return {name: forms for name, forms in originals.items() if not any(map(person.is_in, forms))}


def _rows_of(place: Place, project: Project) -> models.QuerySet[Any]:
    rows = place.model_class._default_manager.filter(**{place.path: project.pk}).order_by("pk")
    return rows.exclude(**place.without) if place.without else rows


def _fitting(place: Place, changes: dict[str, Any]) -> dict[str, Any]:
    for name, value in changes.items():
        longest = getattr(place.model_class._meta.get_field(name), "max_length", None)
        if longest is not None and isinstance(value, str) and len(value) > longest:
            pk_part = value.rpartition(" ")[2] if place.holds[name] == Holds.UNIQUE else ""
            changes[name] = f"{value[: longest - len(pk_part) - 1]} {pk_part}" if pk_part else value[:longest]
    return changes


_ERASING: Mapping[Holds, Callable[[Person, Any], Any]] = {
    Holds.TEXT: Person.erased,
    Holds.UNIQUE: Person.erased,
    Holds.VALUES: Person.erased_value,
    Holds.NAMED_VALUES: lambda person, value: person.erased_value(value, names=True),
    Holds.MESSAGES: Person.erased_messages,
    Holds.CONVERSATION: Person.erased_form,
    Holds.QUERY: Person.erased_query,
}
