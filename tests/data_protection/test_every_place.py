"""In every place of the table a person is found and erased, whatever rule of the database keeps it."""

from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.postgres.fields import ArrayField
from django.db import connection, models, transaction
from django.db.utils import IntegrityError

from evalapp.accounts.models import Project
from evalapp.data_protection.models import Erasure
from evalapp.data_protection.places import NAMED, REPLACED, Holds, Place
from tests.access_objects import make_world, world_again
from tests.data_protection.conftest import NAME, erased, leaks, searched
from tests.kept_cast import FIXTURES, Cast

pytestmark = pytest.mark.django_db
cast, owner, manager, engineer, reviewer, other_reviewer, project, empty_project = FIXTURES

VALUES: dict[Holds, Any] = {
    Holds.TEXT: f"so says {NAME}",
    Holds.UNIQUE: f"{NAME} 7",
    Holds.VALUES: {"said": [f"by {NAME}"]},
    Holds.NAMED_VALUES: {f"said by {NAME}": {"by": NAME}},
    Holds.MESSAGES: [{"role": "user", "content": f"I am {NAME}"}],
    Holds.CONVERSATION: {"v": 1, "messages": [{"role": "user", "content": f"I am {NAME}"}]},
    Holds.QUERY: "text=Annabell+Wexford&split=test",
}


EXCLUSIVE = {("LLMScore", "problem"), ("RunShard", "report")}
"""Columns that hold nothing here, because of what another one holds."""


NOT_HERE = {("LabelParser", "field"), ("LabelParser", "pattern")}


@pytest.fixture(scope="module")
def made(cast: Cast) -> SimpleNamespace:
    world = make_world(cast.project, reviewer=cast.reviewer)
    world.owner = cast.owner
    return world


@pytest.fixture
def everything(made: SimpleNamespace) -> SimpleNamespace:
    return world_again(made)


def plant(place: Place, project: Project) -> set[tuple[str, str]]:
    """Put the person into every column of a row of the place; those that took it."""
    rows = place.model_class._default_manager.filter(**{place.path: project.pk})
    keys = list(rows.values_list("pk", flat=True)[:1])
    taken = set()
    for name in place.holds:
        try:
            with transaction.atomic():
                if rows.model._default_manager.filter(pk__in=keys).update(**{name: _value(place, name)}):
                    taken.add((place.model, name))
        except IntegrityError:
            continue
    return taken


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
        planted = set().union(*(plant(place, project) for place in REPLACED))
        cursor.execute("SELECT set_config('evalapp.erasing', 'off', true)")
    assert {(place.model, name) for place in REPLACED for name in place.holds} - planted == EXCLUSIVE
    places = {model for model, _ in planted}
    assert set(searched(project, everything.owner, texts=[NAME]).counts) == places
    assert set(erased(project, everything.owner, texts=[NAME]).counts) == places
    assert leaks(["annabell"]) == []


@pytest.mark.parametrize("place", NAMED, ids=lambda place: place.model)
def test_every_name_is_told(everything: SimpleNamespace, place: Place) -> None:
    if place.model in ("AuditEvent", "Criterion", "ReasonTag", "Gate"):
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
    return not isinstance(field, models.EmailField) and (place.model, name) not in NOT_HERE


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
    with transaction.atomic(), connection.cursor() as cursor:
        if erasing == "on":
            cursor.execute("SELECT set_config('evalapp.erasing', 'on', true)")
        cursor.execute(f"UPDATE {table} SET {change}")
