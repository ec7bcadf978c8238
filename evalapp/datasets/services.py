"""Writes of datasets: keyword-only, atomic, audited."""

from collections.abc import Callable, Iterable

from django.db import IntegrityError, transaction
from django.db.models import Max

from evalapp.accounts.models import Project, User
from evalapp.audit.services import record
from evalapp.core.errors import ConflictError, InvalidError
from evalapp.datasets.copying import copy_examples
from evalapp.datasets.models import Dataset, DatasetVersion, VersionState
from evalapp.datasets.rows import ExampleRow
from evalapp.jobs.models import Job

__all__ = ["ExampleRow", "SameContentError", "create_dataset", "create_version"]


class SameContentError(ConflictError):
    """The dataset has a version with exactly these rows; ``version`` is that one (409)."""

    code = "same_content"

    def __init__(self, version: DatasetVersion) -> None:
        super().__init__(
            f"{version} already holds exactly these {sum(version.counts.values()):,} rows "
            f"(content {version.content_hash[:12]}), so no new version was made. Use that version."
        )
        self.version = version


def create_dataset(*, project: Project, name: str, description: str = "", by: User | None) -> Dataset:
    """Raises InvalidError for an empty name, ConflictError where the project has one of that name."""
    name = name.strip()
    if not name or len(name) > 120:
        message = "Give the dataset a name of 1 to 120 characters."
        raise InvalidError(message, fields={"name": [message]})
    try:
        with transaction.atomic():
            dataset = Dataset.objects.create(
                project=project, name=name, description=description.strip(), created_by=by
            )
            record("dataset.created", by=by, obj=dataset, project=project)
    except IntegrityError as error:
        message = f"This project already has a dataset named “{name}”. Choose another name."
        raise ConflictError(message, fields={"name": [message]}) from error
    return dataset


def create_version(
    *,
    dataset: Dataset,
    rows: Iterable[ExampleRow],
    by: User | None,
    parent: DatasetVersion | None = None,
    note: str = "",
    source: str = "",
    is_simulated: bool = False,
    is_recorded: bool = False,
    progress: Callable[[int], None] | None = None,
) -> DatasetVersion:
    """Store the rows, in order, as the dataset's next version; all of them or nothing.

    ``rows`` is read once and never held in memory. ``parent`` is the version it was made from.
    ``progress`` gets the number of rows stored so far; an exception in it ends everything.
    Raises InvalidError for no rows or a bad row (named), SameContentError where a version of the
    dataset holds exactly these rows.
    """
    return write_version(
        dataset=dataset,
        rows=rows,
        by=by,
        parent=parent,
        note=note,
        source=source,
        is_simulated=is_simulated,
        is_recorded=is_recorded,
        after_batch=progress,
    )


@transaction.atomic
def write_version(
    *,
    dataset: Dataset,
    rows: Iterable[ExampleRow],
    by: User | None,
    parent: DatasetVersion | None = None,
    note: str = "",
    source: str = "",
    is_simulated: bool = False,
    is_recorded: bool = False,
    checked: bool = False,
    after_batch: Callable[[int], None] | None = None,
    skipped: Callable[[], int] = lambda: 0,
    job: Job | None = None,
) -> DatasetVersion:
    """``create_version`` for an import as well: ``checked`` rows, and ``skipped`` asked at the end."""
    if parent is not None and parent.dataset_id != dataset.pk:
        raise InvalidError("The parent version belongs to another dataset. Choose a version of this one.")
    # One writer per dataset, so that numbers follow one another; readers are not kept waiting.
    Dataset.objects.select_for_update(no_key=True).get(pk=dataset.pk)
    last = dataset.versions.aggregate(last=Max("number"))["last"] or 0
    version = DatasetVersion.objects.create(
        dataset=dataset,
        number=last + 1,
        parent=parent,
        note=note.strip(),
        source=source[:200],
        job=job,
        is_simulated=is_simulated,
        is_recorded=is_recorded,
        created_by=by,
    )
    copied = copy_examples(version.pk, rows, checked=checked, after_batch=after_batch)
    if not copied.rows:
        raise InvalidError("There is no row to store. A version needs at least one.")
    same = dataset.versions.filter(content_hash=copied.content_hash).first()
    if same is not None:
        raise SameContentError(same)
    version.state = VersionState.READY
    version.counts = copied.counts
    version.content_hash = copied.content_hash
    version.skipped_rows = skipped()
    version.save(update_fields=["state", "counts", "content_hash", "skipped_rows"])
    record(
        "dataset.version_created",
        by=by,
        obj=version,
        project=dataset.project,
        data={
            "counts": copied.counts,
            "content_hash": copied.content_hash,
            "skipped_rows": version.skipped_rows,
        },
    )
    return version
