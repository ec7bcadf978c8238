"""Deletes a dataset version that nothing uses: its rows are removed, its number and hash stay."""

from collections.abc import Iterator

from django.db import connection, models, transaction

from evalapp.accounts.models import User
from evalapp.audit.services import record
from evalapp.core.errors import ConflictError, MissingError
from evalapp.core.web_timeouts import allow_long_statements
from evalapp.datasets.models import Dataset, DatasetImport, DatasetVersion, VersionState

_VAULT = """
DELETE FROM evalapp_vaultentry WHERE token IN (
    SELECT (provenance ->> 'vault')::uuid FROM evalapp_example WHERE version_id = %(version)s
) AND token NOT IN (
    SELECT (other.provenance ->> 'vault')::uuid FROM evalapp_example other
    JOIN evalapp_datasetversion version ON version.id = other.version_id
    JOIN evalapp_dataset dataset ON dataset.id = version.dataset_id
    WHERE dataset.project_id = %(project)s AND version.id <> %(version)s AND other.provenance ? 'vault'
)
"""


class VersionInUseError(ConflictError):
    """The version is used elsewhere (409)."""

    code = "version_in_use"


@transaction.atomic
def delete_version(*, version: DatasetVersion, by: User) -> None:
    """Delete the version's rows with their originals, health check and drafts. The version stays as an
    unlisted record without rows, and its number is not used again.

    Raises VersionInUseError where a run, campaign, gate, push or later version uses it, MissingError where it
    has been deleted already.
    """
    allow_long_statements()
    # The lock keeps other versions from being made from it, and runs and campaigns from referring to it.
    Dataset.objects.select_for_update(no_key=True).get(pk=version.dataset_id)
    found = DatasetVersion.objects.select_for_update().filter(pk=version.pk, state=VersionState.READY).first()
    if found is None:
        raise MissingError(f"{version} has been deleted already.")
    uses = list(_uses(version))
    if uses:
        raise VersionInUseError(
            f"{version} is used by {', '.join(uses)}, so it cannot be deleted. Settings can erase one"
            " person’s data, or delete the whole project."
        )
    rows = sum(version.counts.values())
    project = version.dataset.project
    if project.vault_entries.exists():
        with connection.cursor() as cursor:
            cursor.execute(_VAULT, {"version": version.pk, "project": project.pk})
    for model, key, path in _referring_models(DatasetVersion, models.SET_NULL):
        if model not in (DatasetVersion, DatasetImport):
            model._base_manager.filter(**{path: version.pk}).update(**{key: None})
    for model, _, path in _referring_models(DatasetVersion, models.CASCADE):
        owned = model._base_manager.filter(**{path: version.pk})
        owned._raw_delete(owned.db)
    found.state = VersionState.DELETED
    found.save(update_fields=["state"])
    data = {"rows": rows, "content_hash": version.content_hash}
    record("dataset.version_deleted", by=by, obj=version, project=project, data=data)


def _referring_models(
    model: type[models.Model], on_delete: object, path: str = "pk"
) -> Iterator[tuple[type[models.Model], str, str]]:
    """Models with a foreign key to ``model``, or to what is deleted with it, that has this ``on_delete``:
    (model, key, lookup path to ``model``). Models that refer to others in the list come first.
    """
    for relation in model._meta.related_objects:
        key = relation.field.name
        related, lookup = relation.related_model, f"{key}__{path}"
        if relation.on_delete is models.CASCADE:
            yield from _referring_models(related, on_delete, lookup)
        if relation.on_delete is on_delete:
            yield related, key, lookup


def _uses(version: DatasetVersion) -> Iterator[str]:
    later = version.children.filter(state=VersionState.READY).order_by("number")
    yield from (str(each) for each in later)
    for relation in DatasetVersion._meta.related_objects:
        if relation.on_delete is models.PROTECT:
            model = relation.related_model
            count = model._base_manager.filter(**{relation.field.name: version.pk}).count()
            names = model._meta.verbose_name if count == 1 else model._meta.verbose_name_plural
            if count:
                yield f"{count:,} {names}"
