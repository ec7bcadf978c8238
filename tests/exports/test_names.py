"""A project's exports are told apart by their names."""

import importlib

import pytest
from django.db import connection

from evalapp.accounts.models import Project, User
from evalapp.exports.models import Export
from tests.factories import make_campaign, make_tray, review_all


@pytest.mark.django_db(transaction=True)
def test_exports_that_shared_a_name_are_told_apart_when_names_become_unique(
    project: Project, manager: User, reviewer: User
) -> None:
    campaign = make_campaign(project, [reviewer], rows=1)
    review_all(campaign, reviewer, {})
    migration = importlib.import_module("evalapp.migrations.0003_one_export_of_a_name")
    (constraint,) = Export._meta.constraints
    first, second, other = (make_tray(campaign, manager) for _ in range(3))
    with connection.schema_editor() as editor:
        editor.remove_constraint(Export, constraint)
    Export.objects.filter(pk__in=[first.pk, second.pk]).update(name="Corrections " + "x" * 108)
    with connection.cursor() as cursor:
        cursor.execute(migration.NUMBER_THE_LATER)
    with connection.schema_editor() as editor:
        editor.add_constraint(Export, constraint)
    names = list(Export.objects.order_by("pk").values_list("name", flat=True))
    assert names == ["Corrections " + "x" * 108, f"Corrections {'x' * 88} ({second.pk})", other.name]
