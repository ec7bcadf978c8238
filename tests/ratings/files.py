"""Files of ratings, as bytes, and the way of one through the product."""

import csv
import io
import json
from dataclasses import replace
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile

from evalapp.accounts.models import Project, User
from evalapp.campaigns.models import Campaign
from evalapp.datasets.models import Dataset
from evalapp.jobs.models import Job
from evalapp.ratings.models import RatingsImport, RecordedReviewer
from evalapp.ratings.options import RatingsOptions
from evalapp.ratings.services import receive_ratings, start_ratings_import
from evalapp.ratings.tasks import import_ratings
from evalapp.registry.models import ModelVersion
from evalapp.reviews.models import Review
from evalapp.rubrics.models import Rubric
from evalapp.runs.models import Output, Run

COLUMNS = ("item", "candidate", "reviewer", "criterion", "value", "prompt", "answer")


def table(*rows: Any, columns: Any = COLUMNS) -> bytes:
    """A CSV file; rows that are shorter than the header are filled up with empty cells."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(columns)
    writer.writerows([*row, *[""] * (len(columns) - len(row))] for row in rows)
    return buffer.getvalue().encode()


def rating(
    item: int = 1,
    candidate: str = "base",
    reviewer: str = "Mara",
    criterion: str = "Accuracy",
    value: Any = 4,
) -> tuple[Any, ...]:
    return (
        item,
        candidate,
        reviewer,
        criterion,
        value,
        f"Question {item}?",
        f"Answer {item} of {candidate}.",
    )


def ratings(
    items: int = 2, candidates: tuple[str, ...] = ("base", "tuned"), people: tuple[str, ...] = ("Mara", "Ole")
) -> bytes:
    """Every person rates every answer, 1 to 5, in two criteria."""
    return table(
        *(
            rating(item, candidate, person, criterion, 1 + (item + len(person) + position) % 5)
            for item in range(1, items + 1)
            for position, candidate in enumerate(candidates)
            for person in people
            for criterion in ("Accuracy", "Tone")
        )
    )


def json_lines(*rows: Any) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def received(project: Project, by: User, content: bytes, name: str = "history.csv") -> RatingsImport:
    return receive_ratings(project=project, upload=SimpleUploadedFile(name, content), by=by)


def carried_out(ratings_import: RatingsImport, by: User, *, checks_only: bool = False, **changes: Any) -> Job:
    """Start the import with changed options and do its job."""
    options = replace(RatingsOptions(**ratings_import.options), **changes)
    job = start_ratings_import(ratings_import=ratings_import, options=options, by=by, checks_only=checks_only)
    import_ratings(job.pk)
    job.refresh_from_db()
    ratings_import.refresh_from_db()
    return job


def imported(
    project: Project, by: User, content: bytes, file_name: str = "history.csv", **changes: Any
) -> RatingsImport:
    """The import of a file that holds nothing wrong."""
    ratings_import = received(project, by, content, file_name)
    job = carried_out(ratings_import, by, **changes)
    assert job.state == "succeeded", job.error
    return ratings_import


def told(ratings_import: RatingsImport, *, refusals: bool = True) -> list[tuple[int, str]]:
    """Row and field of each problem (or remark)."""
    found = ratings_import.problems.filter(is_refusal=refusals).order_by("id")
    return list(found.values_list("row", "field"))


def counts() -> dict[str, int]:
    """How many rows there are of everything an import makes."""
    models: list[Any] = [Campaign, Rubric, Dataset, ModelVersion, Run, Output, Review, RecordedReviewer, User]
    return {model.__name__: model.objects.count() for model in models}
