"""An import of ratings from its file to its campaign: what the job does, and the preview before it."""

from collections.abc import Iterator
from itertools import islice
from typing import Any, NoReturn

from django.db import connection, transaction

from evalapp.campaigns.models import Campaign
from evalapp.core.errors import InvalidError, ProblemError
from evalapp.imports import flow
from evalapp.imports.files import open_stored, stored_path
from evalapp.imports.problems import FileProblemError, ProblemList, RowProblem, printable
from evalapp.jobs.work import Work
from evalapp.ratings.census import census_of
from evalapp.ratings.checks import check_stage
from evalapp.ratings.formats import layout_problems, readings
from evalapp.ratings.models import RatingsImport, RatingsProblem
from evalapp.ratings.options import RatingsOptions
from evalapp.ratings.plan import ImportPlan, plan_of
from evalapp.ratings.records import ParsedRow
from evalapp.ratings.services import require_new
from evalapp.ratings.staging import Stage
from evalapp.ratings.storing import ImportStorage

PREVIEW_ROWS = 6
_BATCH = 2_000
_LONGEST_FIELD = 200


class _CheckFinished(Exception):
    """Everything is known, and nothing is to stay."""


def preview(ratings_import: RatingsImport, options: RatingsOptions) -> list[ParsedRow]:
    """The file's first rows as they are read. Raises InvalidError for a file that cannot be read so."""
    if problems := layout_problems(options):
        raise InvalidError(next(iter(problems.values()))[0], fields=problems)
    try:
        with open_stored(ratings_import.stored_name) as stream:
            return list(islice(readings(stream, options), PREVIEW_ROWS))
    except FileProblemError as error:
        raise InvalidError(str(error)) from error


def import_ratings(work: Work) -> dict[str, Any]:
    """Carry out the job: count what the file speaks of, then check every record, then store all or nothing.

    With ``checks_only`` in its parameters it ends before storing. Repeating it after a campaign was made
    changes nothing. Raises InvalidError (bad records, names that stand for nothing, an unusable file).
    """
    ratings_import = flow.import_of(RatingsImport, work, "project", "created_by")
    if ratings_import.campaign is not None:
        return _result(ratings_import, ratings_import.campaign)
    options = RatingsOptions(**ratings_import.options)
    try:
        _take_census(work, ratings_import, options)
        campaign = _read_and_store(work, ratings_import, options)
    except FileProblemError as error:
        raise InvalidError(str(error)) from error
    if campaign is None:
        return {"records": ratings_import.records_read, "refused": ratings_import.records_refused}
    stored_path(ratings_import.stored_name).unlink(missing_ok=True)
    return _result(ratings_import, campaign)


def _take_census(work: Work, ratings_import: RatingsImport, options: RatingsOptions) -> None:
    """Count the file's names, unless that was done for the same layout."""
    if ratings_import.census.get("layout") == options.layout_json:
        return
    progress = flow.Progress(work, ratings_import, "Counting: {} records")

    def with_progress(found: Iterator[ParsedRow]) -> Iterator[ParsedRow]:
        records = 0
        for reading in found:
            records += len(reading.records) + len(reading.refusals)
            progress.report(records)
            yield reading

    with open_stored(ratings_import.stored_name) as stream:
        census = census_of(with_progress(readings(stream, options, read=progress.read)))
    ratings_import.census = census.as_json(options.layout_json)
    with transaction.atomic():
        work.fence()
        ratings_import.save(update_fields=["census"])


def _read_and_store(work: Work, ratings_import: RatingsImport, options: RatingsOptions) -> Campaign | None:
    """The campaign; None where the job was only to check. Problems are kept in both cases, and in a
    failure.
    """
    log = ProblemList()
    campaign: Campaign | None = None
    try:
        with transaction.atomic():
            if not work.job.params.get("checks_only"):
                _lock_imports_of_project(ratings_import)
            if not ratings_import.census["records"]:
                # Of nothing no plan can be made; what is wrong with the records is what helps.
                _read_problems(ratings_import, options, log)
                raise _refusal(ratings_import, log)
            plan = plan_of(ratings_import.project, options, ratings_import.census)
            _stage(work, ratings_import, options, plan, log)
            if work.job.params.get("checks_only"):
                _roll_back()
            if log.refusals and not options.skips_invalid:
                raise _refusal(ratings_import, log)
            work.enter("Storing")
            campaign = ImportStorage(ratings_import, plan, options, work.job).store()
            _keep_account(ratings_import, log, campaign)
            work.fence()
    except _CheckFinished:
        with transaction.atomic():
            _keep_account(ratings_import, log, None)
            work.fence()
    except ProblemError:
        with transaction.atomic():
            _keep_account(ratings_import, log, None)
            work.fence()
        raise
    if log.refusals and campaign is not None:
        work.log(f"{ratings_import.records_refused:,} records were left out.", level="warning")
    return campaign


def _lock_imports_of_project(ratings_import: RatingsImport) -> None:
    """Import one file of a project after the other, until the transaction ends: so two make no candidate or
    recorded reviewer twice. Raises SameFileError where the one before was this file.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtext('ratings_import'), %s::int)", [ratings_import.project_id]
        )
    require_new(project=ratings_import.project, content_hash=ratings_import.content_hash)


def _roll_back() -> NoReturn:
    raise _CheckFinished


def _stage(
    work: Work, ratings_import: RatingsImport, options: RatingsOptions, plan: ImportPlan, log: ProblemList
) -> None:
    progress = flow.Progress(work, ratings_import, "Reading: {} records")
    stage = Stage(plan, log)
    with open_stored(ratings_import.stored_name) as stream:
        for records in stage.stage(readings(stream, options, read=progress.read)):
            progress.report(records)
    work.enter("Checking")
    work.raise_if_cancelled()
    refused, ratings_import.spans_missing = check_stage(plan, options, log)
    ratings_import.records_read = stage.records_read
    ratings_import.records_refused = refused + stage.records_refused
    work.raise_if_cancelled()


def _read_problems(ratings_import: RatingsImport, options: RatingsOptions, log: ProblemList) -> None:
    with open_stored(ratings_import.stored_name) as stream:
        for reading in readings(stream, options):
            for refusal in reading.refusals:
                for problem in refusal.problems:
                    log.add(reading.row, problem)
            ratings_import.records_read += len(reading.refusals)
    ratings_import.records_refused = ratings_import.records_read


def _refusal(ratings_import: RatingsImport, log: ProblemList) -> InvalidError:
    row, problem, _ = min((each for each in log.kept if each.is_refusal), key=_row)
    return InvalidError(
        f"{ratings_import.records_refused:,} of {ratings_import.records_read:,} records cannot be used, so"
        f" nothing was imported. The first is in row {row:,}, {problem.field}: {problem.problem}"
        f" {problem.fix} Fix the file, change the mapping, or import it without these records.",
        code="invalid_records",
    )


def _keep_account(ratings_import: RatingsImport, log: ProblemList, campaign: Campaign | None) -> None:
    ratings_import.problems.all().delete()
    RatingsProblem.objects.bulk_create(
        (
            RatingsProblem(
                ratings_import=ratings_import,
                row=row,
                field=problem.field[:_LONGEST_FIELD],
                problem=printable(problem.problem),
                fix=printable(problem.fix),
                is_refusal=is_refusal,
            )
            for row, problem, is_refusal in sorted(log.kept, key=_row)
        ),
        batch_size=_BATCH,
    )
    ratings_import.campaign = campaign
    ratings_import.problems_found = log.found
    imported = ratings_import.records_read - ratings_import.records_refused
    ratings_import.records_imported = imported if campaign is not None else 0
    fields = [
        "campaign",
        "records_read",
        "records_imported",
        "records_refused",
        "problems_found",
        "spans_missing",
    ]
    ratings_import.save(update_fields=fields)


def _result(ratings_import: RatingsImport, campaign: Campaign) -> dict[str, Any]:
    return {
        "campaign": campaign.pk,
        "records": ratings_import.records_read,
        "imported": ratings_import.records_imported,
        "refused": ratings_import.records_refused,
    }


def _row(each: RowProblem) -> int:
    return int(each.place)
