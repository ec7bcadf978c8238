"""Reads of dataset recipes."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from django.db.models import QuerySet

from evalapp.accounts.models import Project
from evalapp.datasets.models import Dataset, DatasetRecipe, DatasetVersion, RecipeVersion
from evalapp.datasets.queries import versions_of
from evalapp.datasets.recipes.mixing import LEFT_OUT, Mixture, SourceAccount, mix_rows, resolve_sources
from evalapp.datasets.recipes.settings import RecipeSettings

MOST_ROWS_OF_PREVIEW = 100_000
"""Rows that a page reads to say what a recipe would take now."""


def recipes_of(project: Project) -> QuerySet[DatasetRecipe]:
    return DatasetRecipe.objects.filter(dataset__project=project).select_related(
        "dataset__project", "created_by", "job__created_by"
    )


class ShownAccount(NamedTuple):
    """A source's account with its reasons in words."""

    account: SourceAccount
    left_out: list[tuple[str, int]]

    @property
    def name(self) -> str:
        account = self.account
        return f"{account.dataset_name} {f'v{account.version}' if account.version else '(all versions)'}"


def shown_accounts(accounts: Sequence[SourceAccount | Mapping[str, Any]]) -> list[ShownAccount]:
    found = []
    for each in accounts:
        account = each if isinstance(each, SourceAccount) else SourceAccount(**each)
        left_out = [(LEFT_OUT[reason], count) for reason, count in account.left_out.items()]
        found.append(ShownAccount(account, left_out))
    return found


def account_of(version: DatasetVersion) -> RecipeVersion | None:
    """What a recipe took for the version; None where none wrote it."""
    return RecipeVersion.objects.filter(version=version).select_related("recipe").first()


def preview_of(dataset: Dataset, settings: RecipeSettings) -> Mixture | None:
    """What the settings would take now; None where that is more than a page reads. Raises InvalidError for
    settings that no version can be written from.
    """
    settings.check()
    sources = resolve_sources(dataset, settings)
    versions = [[each.version] if each.version else versions_of(each.dataset) for each in sources]
    if sum(sum(one.counts.values()) for found in versions for one in found) > MOST_ROWS_OF_PREVIEW:
        return None
    return mix_rows(dataset, settings, sources)
