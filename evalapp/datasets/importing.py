"""An import, from file to version: the job itself, and the preview before it."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, BinaryIO, NamedTuple

from django.db import transaction
from django.utils.text import Truncator

from evalapp.accounts.models import Project
from evalapp.core.errors import InvalidError
from evalapp.datasets.columns import COLUMNS, read_csv, read_mapped_json
from evalapp.datasets.formats import ParsedRow, read_jsonl
from evalapp.datasets.models import DatasetImport, DatasetVersion, Split
from evalapp.datasets.options import ImportOptions
from evalapp.datasets.row_ids import repeated_ids
from evalapp.datasets.rows import ExampleRow
from evalapp.datasets.services import create_version
from evalapp.datasets.vault import Vault
from evalapp.imports import flow
from evalapp.imports.files import CSV, open_stored, stored_path
from evalapp.imports.json_objects import json_objects
from evalapp.imports.problems import FieldProblem, FileProblemError, ProblemList
from evalapp.imports.source_rows import first_cells
from evalapp.jobs.work import Work

# Further errors are counted but not stored: the first ones show what is wrong with a file.
MOST_STORED_ERRORS = 1_000
PREVIEW_ROWS = 8
# Files up to this size are read whole before the import, to show the size of each split.
MOST_COUNTED_BYTES = 2 * 2**20
# A limit of its own, because Parquet may hold any number of equal rows in a few bytes.
MOST_COUNTED_ROWS = 50_000
SAMPLE_ROWS = 3
_READ_AT_ONCE = 5_000
SAMPLE_LENGTH = 60


def readings(
    stream: BinaryIO, options: ImportOptions, *, read: Callable[[int], None] | None = None
) -> Iterator[ParsedRow]:
    """The file's rows, read by the options; ``read`` is called with the number of bytes read. Raises
    FileProblemError.
    """
    if options.file_format == CSV:
        return read_csv(stream, options.layout, options.mapping, options.delimiter, read=read)
    if options.mapping:
        return read_mapped_json(stream, options.layout, options.mapping, read=read)
    return read_jsonl(stream, options.layout, read=read)


def column_samples(dataset_import: DatasetImport, options: ImportOptions) -> dict[str, str]:
    """The first values of each column that is mapped, in one short line."""
    if not options.mapping:
        return {}
    with open_stored(dataset_import.stored_name) as stream:
        rows = list(_first_fields(stream, options))
    project = dataset_import.of_project
    vault = Vault(project) if project.masks_personal_data else None
    values: dict[str, list[str]] = {}
    for fields in rows:
        for column in options.mapping:
            value = fields.get(column)
            text = value if isinstance(value, str) else "" if value is None else json.dumps(value)
            if vault is not None:
                text = vault.masked_text(text)
            if text.strip():
                values.setdefault(column, []).append(Truncator(" ".join(text.split())).chars(SAMPLE_LENGTH))
    return {column: " · ".join(given) for column, given in values.items()}


def _first_fields(stream: BinaryIO, options: ImportOptions) -> Iterator[dict[str, Any]]:
    if options.file_format == CSV:
        for cells in first_cells(stream, options.delimiter, rows=SAMPLE_ROWS):
            yield dict(zip(options.mapping, cells, strict=False))
        return
    for _, found in islice(json_objects(stream), SAMPLE_ROWS):
        if isinstance(found, dict):
            yield found


class Preview(NamedTuple):
    """``readings``: the first rows. ``counts``: how many good rows each split gets, and ``bad`` how many rows
    cannot be used; None of a file of more than `MOST_COUNTED_BYTES` or `MOST_COUNTED_ROWS`. ``repeated``: a
    note of ids that rows repeat, or "".
    """

    readings: list[ParsedRow]
    counts: dict[str, int] | None = None
    bad: int = 0
    repeated: str = ""

    @property
    def lacks_test(self) -> bool:
        return self.counts is not None and not self.counts.get(Split.TEST)

    @property
    def splits(self) -> list[tuple[str, int]]:
        """Label and number of rows, of every split."""
        return [(label.lower(), (self.counts or {}).get(value, 0)) for value, label in Split.choices]


def preview(dataset_import: DatasetImport, options: ImportOptions) -> Preview:
    """The file's first rows as they would be imported, and of a small file the size of each split. Raises
    InvalidError for an unusable file, and for columns whose use is not settled yet.
    """
    if (options.file_format == CSV or options.mapping) and (problem := COLUMNS.problem(options.mapping)):
        raise InvalidError(problem)
    is_small = dataset_import.size_bytes <= MOST_COUNTED_BYTES
    most = MOST_COUNTED_ROWS if is_small else PREVIEW_ROWS
    try:
        with open_stored(dataset_import.stored_name) as stream:
            found = list(islice(readings(stream, options), most))
    except FileProblemError as error:
        raise InvalidError(str(error)) from error
    first = _masked_rows(dataset_import.of_project, found[:PREVIEW_ROWS])
    if len(found) == most:
        return Preview(first)
    counts = Counter(each.row.split for each in found if each.row is not None)
    repeated = repeated_ids(each.row.metadata for each in found if each.row is not None)
    return Preview(first, dict(counts), len(found) - counts.total(), repeated)


def _masked_rows(project: Project, found: list[ParsedRow]) -> list[ParsedRow]:
    """The rows with placeholders, where the project masks personal data."""
    if not project.masks_personal_data:
        return found
    vault = Vault(project)
    return [
        reading._replace(
            row=None if reading.row is None else vault.masked(reading.row),
            problems=[_masked_problem(vault, each) for each in reading.problems],
        )
        for reading in found
    ]


def _masked_problem(vault: Vault, problem: FieldProblem) -> FieldProblem:
    return problem._replace(problem=vault.masked_text(problem.problem))


class _RowCheck:
    """Passes good rows on, and records bad ones.

    Unless bad rows are skipped, nothing is passed on after the first bad row: the rest of the file is read
    for its errors only, and then the whole file is refused.
    """

    def __init__(self, *, skips_invalid: bool, progress: flow.Progress, vault: Vault | None) -> None:
        self._vault = vault
        self._skips_invalid = skips_invalid
        self._progress = progress
        self.rows_read = 0
        self.bad_rows = 0
        self.problems = ProblemList(most=MOST_STORED_ERRORS)

    def good_rows(self, found: Iterable[ParsedRow]) -> Iterator[ExampleRow]:
        for reading in found:
            self.rows_read += 1
            self._progress.report(self.rows_read)
            if reading.row is None:
                self.bad_rows += 1
                for problem in reading.problems:
                    stored_problem = problem if self._vault is None else _masked_problem(self._vault, problem)
                    self.problems.add(reading.number, stored_problem)
            elif self._skips_invalid or not self.bad_rows:
                yield reading.row
        if self.bad_rows and not self._skips_invalid:
            raise _refusal(self)

    def account(self) -> dict[str, Any]:
        return {
            "rows_read": self.rows_read,
            "bad_rows": self.bad_rows,
            "errors_found": self.problems.found,
            "row_errors": [{"row": each.place, **each.problem._asdict()} for each in self.problems.kept],
        }


def _refusal(check: _RowCheck) -> InvalidError:
    row, problem, _ = check.problems.kept[0]
    where = "" if problem.field == "row" else f", {problem.field}"
    s = "" if check.rows_read == 1 else "s"
    return InvalidError(
        f"{check.bad_rows:,} of {check.rows_read:,} row{s} cannot be used, so nothing was imported. "
        f"The first is row {row:,}{where}: {problem.problem} {problem.fix} "
        "Fix the file, or import it without these rows.",
        code="invalid_rows",
    )


def import_rows(work: Work) -> dict[str, Any]:
    """Run an import job: read, check, split, copy; all rows or none.

    Repeating it after a version was made changes nothing. Raises InvalidError (bad rows, unusable file),
    SameContentError.
    """
    dataset_import = flow.import_of(DatasetImport, work, "dataset__project")
    if dataset_import.version is not None:
        return _result(dataset_import.version)
    options = ImportOptions(**dataset_import.options)
    progress = flow.Progress(work, dataset_import, "{} rows read")
    project = dataset_import.of_project
    vault = Vault(project) if project.masks_personal_data else None
    check = _RowCheck(skips_invalid=options.skips_invalid, progress=progress, vault=vault)
    try:
        with open_stored(dataset_import.stored_name) as stream:
            version = _write(
                dataset_import, options, work, check, readings(stream, options, read=progress.read)
            )
    except FileProblemError as error:
        raise InvalidError(str(error)) from error
    except InvalidError:
        with transaction.atomic():
            work.fence()
            DatasetImport.objects.filter(pk=dataset_import.pk).update(**check.account())
        raise
    stored_path(dataset_import.stored_name).unlink(missing_ok=True)
    if check.bad_rows:
        were = "1 row was" if check.bad_rows == 1 else f"{check.bad_rows:,} rows were"
        work.log(f"{were} left out because they cannot be used.", level="warning")
    ids = version.examples.order_by("row_number").values_list("metadata", flat=True)
    if note := repeated_ids(ids.iterator(_READ_AT_ONCE)):
        work.log(note, level="warning")
    return _result(version)


@transaction.atomic
def _write(
    dataset_import: DatasetImport,
    options: ImportOptions,
    work: Work,
    check: _RowCheck,
    found: Iterable[ParsedRow],
) -> DatasetVersion:
    version = create_version(
        dataset=dataset_import.dataset,
        rows=check.good_rows(found),
        by=dataset_import.created_by,
        note=options.note,
        source=dataset_import.file_name,
        from_file=True,
        skipped=lambda: check.bad_rows,
        job=work.job,
    )
    DatasetImport.objects.filter(pk=dataset_import.pk).update(version=version, **check.account())
    work.fence()
    return version


def _result(version: DatasetVersion) -> dict[str, Any]:
    return {
        "dataset_version": version.pk,
        "rows": sum(version.counts.values()),
        "skipped_rows": version.skipped_rows,
    }
