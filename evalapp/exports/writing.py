"""What the export job does: files first, then the dataset version and the rows' links to it."""

import json
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from evalapp.adjudication.models import Adjudication
from evalapp.audit.services import record
from evalapp.core.errors import MissingError
from evalapp.datasets.models import DatasetVersion, Example, Split
from evalapp.datasets.rows import ExampleRow, example_row
from evalapp.datasets.services import create_version
from evalapp.exports.files import (
    WrittenFile,
    answer_lines,
    preference_lines,
    rated_lines,
    rating_lines,
    write_lines,
)
from evalapp.exports.models import Export, ExportRow, ExportState, RowKind
from evalapp.exports.queries import accepted_rows, ratings_of
from evalapp.exports.training_rows import training_rows
from evalapp.jobs.work import Work
from evalapp.reviews.pseudonyms import shown_names


def export_folder(export: Export) -> Path:
    return Path(settings.ARTIFACTS_FOLDER) / "exports" / str(export.pk)


def open_file(export: Export, name: str) -> IO[bytes]:
    """One of the files of a finished export. Raises MissingError where there is none to read."""
    if export.state != ExportState.DONE or name not in {entry["name"] for entry in export.files}:
        raise MissingError("This export has no such file.")
    try:
        return (export_folder(export) / name).open("rb")
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        raise MissingError(
            "The file is not on this server's disk any more. Restore it from a backup, or export again."
        ) from error


def write_export(work: Work) -> dict[str, Any]:
    """Carry out an export job. Repeating it after a lost worker writes the same files again."""
    params = work.job.params
    export = Export.objects.select_related("campaign__dataset_version__dataset", "project", "created_by").get(
        pk=params["export"]
    )
    if export.state == ExportState.DONE:
        return {"dataset_version": export.dataset_version_id}
    answers = list(accepted_rows(export, RowKind.ANSWER))
    pairs = list(accepted_rows(export, RowKind.PREFERENCE))
    rated = list(accepted_rows(export, RowKind.RATED))
    work.progress(0, 4, "Writing files")
    written = _write_files(export, answers, pairs, rated)
    work.raise_if_cancelled()
    work.progress(2, 4, "Creating the dataset version")
    parent = DatasetVersion.objects.get(pk=params["parent_version"])
    with transaction.atomic():
        version = create_version(
            dataset=parent.dataset,
            rows=chain(
                training_rows(export, answers, pairs, rated),
                _kept_rows(parent, export, keeps_training_rows=params["keeps_training_rows"]),
            ),
            by=work.job.created_by,
            parent=parent,
            note=params.get("note") or f"From the feedback of {export.campaign.name}",
            source=f"export {export.pk}",
            is_simulated=export.is_simulated or parent.is_simulated,
            # The same texts from other reviews have a lineage of their own.
            may_repeat=True,
        )
        _link_rows(export, version)
        export.files = [entry._asdict() for entry in written]
        export.dataset_version = version
        export.state = ExportState.DONE
        export.finished_at = timezone.now()
        export.save(update_fields=["files", "dataset_version", "state", "finished_at"])
        record(
            "export.done",
            by=work.job.created_by,
            obj=export,
            project=export.project,
            data={
                "dataset_version": version.pk,
                "answer": len(answers),
                "preference": len(pairs),
                "rated": len(rated),
            },
        )
        work.fence()
    work.progress(4, 4, "Done")
    return {"dataset_version": version.pk, "answer_rows": len(answers), "preference_rows": len(pairs)}


def _write_files(
    export: Export, answers: list[ExportRow], pairs: list[ExportRow], rated: list[ExportRow]
) -> list[WrittenFile]:
    folder = export_folder(export)
    written = [
        write_lines(folder, "answers.jsonl", answer_lines(answers)),
        write_lines(folder, "preference.jsonl", preference_lines(pairs)),
        write_lines(folder, "rated.jsonl", rated_lines(rated)),
        write_lines(folder, "ratings.csv", _rating_lines(export), headers=1),
    ]
    manifest = json.dumps(
        {
            "export": export.pk,
            "campaign": export.campaign.name,
            **({"of": export.picked_because} if export.picked_because else {}),
            "simulated": export.is_simulated,
            "files": [entry._asdict() for entry in written],
        },
        indent=1,
    )
    return [*written, write_lines(folder, "manifest.json", [manifest])]


def _rating_lines(export: Export) -> Iterator[str]:
    campaign, picked = export.campaign, export.picked_outputs
    given = ratings_of(campaign)
    if picked is not None:
        given = given.filter(item_output__in=picked)
    reviews = given.iterator(chunk_size=500)
    decided = Adjudication.objects.filter(campaign=campaign).select_related("criterion")
    return rating_lines(
        reviews,
        shown_names(campaign),
        {(each.item_output_id, each.criterion_id): each for each in decided},
    )


def _kept_rows(parent: DatasetVersion, export: Export, *, keeps_training_rows: bool) -> Iterator[ExampleRow]:
    """The held-out splits as they were, feedback less what was reviewed (of some outputs alone: those), and
    training rows where they are kept.
    """
    items = export.campaign.items.all()
    if export.picked_outputs is not None:
        items = items.filter(outputs__in=export.picked_outputs)
    reviewed = set(items.values_list("example__prompt_hash", flat=True))
    for example in parent.examples.order_by("row_number").iterator(chunk_size=2000):
        if example.split == Split.TRAIN and not keeps_training_rows:
            continue
        if example.split == Split.FEEDBACK and example.prompt_hash in reviewed:
            continue
        yield example_row(example)


def _link_rows(export: Export, version: DatasetVersion) -> None:
    """Tie each exported row to the training example it became, so lineage walks both ways.

    Training rows kept from earlier versions carry the provenance of their own export and stay as
    they are.
    """
    made = Example.objects.filter(version=version, split=Split.TRAIN, provenance__export=export.pk)
    rows = [
        ExportRow(pk=row_id, training_example_id=example_id)
        for example_id, provenance in made.values_list("pk", "provenance")
        for row_id in provenance["export_rows"]
    ]
    ExportRow.objects.bulk_update(rows, ["training_example"], batch_size=1000)
