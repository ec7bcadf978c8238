"""A person is erased from a project whose data are masked: from the vault of originals too."""

from types import SimpleNamespace

import pytest

from evalapp.datasets.models import VaultEntry
from evalapp.datasets.vault import opened_originals
from tests.data_protection.conftest import OTHER, TEXTS, erased, leaks

pytestmark = pytest.mark.django_db


def test_nothing_holds_the_person_afterwards_where_data_are_masked(masked_world: SimpleNamespace) -> None:
    assert "originals" in {table for table, _ in leaks()}
    before = VaultEntry.objects.count()
    # Of a name in capitals, masking finds the last word alone.
    erased(masked_world.project, masked_world.owner, texts=[*TEXTS, "Annabell"])
    assert leaks() == []
    assert 0 < VaultEntry.objects.count() < before


def test_other_people_s_originals_stay_in_the_vault(masked_world: SimpleNamespace) -> None:
    erased(masked_world.project, masked_world.owner)
    kept = [form for entry in VaultEntry.objects.all() for forms in opened_originals(entry).values()
            for form in forms]  # fmt: skip
    assert OTHER in kept
