"""In every place of the table a person is found and erased, whatever rule of the database keeps it as it is."""

from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.postgres.fields import ArrayField
from django.db import connection, models
from django.db.utils import IntegrityError

from evalapp.accounts.models import Project, User
from evalapp.data_protection.models import Erasure
from evalapp.data_protection.person import ERASED
from evalapp.data_protection.places import NAMED, REPLACED, Holds, Place
from tests.access_objects import make_world
from tests.data_protection.conftest import NAME, erased, leaks, searched

pytestmark = pytest.mark.django_db

VALUES: dict[Holds, Any] = {
    Holds.TEXT: f"so says {NAME}",
    Holds.UNIQUE: f"{NAME} 7",
    Holds.VALUES: {"said": [f"by {NAME}"]},
    Holds.NAMED_VALUES: {f"said by {NAME}": {"by": NAME}},
    Holds.MESSAGES: [{"role": "user", "content": f"I am {NAME}"}],
    Holds.CONVERSATION: {"v": 1, "messages": [{"role": "user", "content": f"I am {NAME}"}]},
    Holds.QUERY: "text=Annabell+Wexford&split=test",
}


@pytest.fixture
def everything(project: Project, owner: User, reviewer: User) -> SimpleNamespace:
    world = make_world(project, reviewer=reviewer)
    world.owner = owner
    return world


def plant(place: Place, project: Project) -> int:
    """Put the person into every column of the place; how many rows have them."""
    rows = place.model_class._default_manager.filter(**{place.path: project.pk})
    held = rows.model._default_manager.filter(pk__in=list(rows.values_list("pk", flat=True)[:1]))
    return held.update(**{name: _value(place, name) for name in place.holds})


def _value(place: Place, name: str) -> Any:
    field = place.model_class._meta.get_field(name)
    if isinstance(field, ArrayField):
        return [NAME]
    if name in ("references", "rated", "pairs"):
        return [f"by {NAME}"]
    return VALUES[place.holds[name]]


def test_every_place_is_erased(everything: SimpleNamespace) -> None:
    project = everything.project
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('evalapp.erasing', 'on', true)")
        planted = {place.model for place in REPLACED if plant(place, project)}
        cursor.execute("SELECT set_config('evalapp.erasing', 'off', true)")
    assert {place.model for place in REPLACED} - planted == set()
    assert set(searched(project, everything.owner, texts=[NAME]).counts) == planted
    done = erased(project, everything.owner, texts=[NAME])
    assert set(done.counts) >= planted - {"Erasure"}
    assert leaks(["annabell"]) == []
    for place in REPLACED:
        rows = place.model_class._default_manager.filter(**{place.path: project.pk})
        assert any(ERASED in str(list(row.values())) for row in rows.values(*place.holds) if True) or (
            place.holds.values() and Holds.QUERY in place.holds.values()
        ), place.model


@pytest.mark.parametrize("place", NAMED, ids=lambda place: place.model)
def test_every_name_is_told(everything: SimpleNamespace, place: Place) -> None:
    if place.model in ("AuditEvent", "Criterion", "ReasonTag"):
        pytest.skip("the database lets nobody change it")
    short = {name: holds for name, holds in place.holds.items() if _fits(place, name)}
    rows = place.model_class._default_manager.filter(**{place.path: everything.project.pk})
    pk = rows.values_list("pk", flat=True).first()
    assert pk is not None, f"tests/access_objects.py has no {place.model}"
    one = place.model_class._default_manager.filter(pk=pk)
    one.update(**{name: _value(place, name) for name in short})
    told = erased(everything.project, everything.owner, texts=[NAME]).remaining["by_hand"]
    assert {"what": place.rows, "id": pk, "fields": sorted(short)} in told


def _fits(place: Place, name: str) -> bool:
    field = place.model_class._meta.get_field(name)
    return not isinstance(field, models.EmailField)


@pytest.mark.parametrize(
    "table, change",
    [
        ("evalapp_gateevaluation", "record = '{}'"),
        ("evalapp_gateevaluation", "reviews = 'other'"),
        ("evalapp_trainingdataattestation", "statement = 'other'"),
        ("evalapp_contaminationdecision", "reason = 'other'"),
        ("evalapp_example", "messages = '[]'"),
    ],
)
def test_what_never_changes_is_refused_before_and_after(
    everything: SimpleNamespace, table: str, change: str
) -> None:
    for _ in range(2):
        with pytest.raises(IntegrityError, match="never changed"):
            _change(table, change)
        erased(everything.project, everything.owner, texts=[NAME])
    assert Erasure.objects.filter(state="done").exists()


@pytest.mark.parametrize(
    "table, change",
    [
        ("evalapp_gateevaluation", "verdict = 'release', reviews = 'other'"),
        ("evalapp_gateevaluation", "body_hash = 'other'"),
        ("evalapp_contaminationdecision", "rows_hash = 'other'"),
        ("evalapp_sampledoutput", "inclusion_probability = 0.123"),
    ],
)
def test_while_erasing_nothing_but_texts_may_change(
    everything: SimpleNamespace, table: str, change: str
) -> None:
    with pytest.raises(IntegrityError, match="never changed"):
        _change(table, change, erasing="on")


def _change(table: str, change: str, erasing: str = "off") -> None:
    from django.db import transaction

    with transaction.atomic(), connection.cursor() as cursor:
        if erasing == "on":
            cursor.execute("SELECT set_config('evalapp.erasing', 'on', true)")
        cursor.execute(f"UPDATE {table} SET {change}")
