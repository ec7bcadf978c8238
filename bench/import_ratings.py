"""Import of a file of ratings into a closed campaign, and all of its stored analysis.

    python -m bench.import_ratings [--ratings 200000]

The file has one line per rating: ten reviewers rate the answers of four candidates to each question on
five criteria. Prints the seconds of the check before the import, of the import and of each analysis job, and
the ratio of the import to a bare COPY of the same scores. Targets with 200,000 ratings on two cores: the
import in 20 s or 6 times the bare COPY, the analysis in 30 s.
"""

import argparse
import csv
import io
import resource
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from random import Random
from typing import Any

from bench.ports import free_port
from bench.review_flow import installation
from proofs.figures import MISSED, report_figure

CANDIDATES, REVIEWERS = 4, 10
CRITERIA = ("Accuracy", "Clarity", "Tone", "Personalization", "Completeness")
USUAL_RATINGS = 200_000
# Jobs at a time, as in the default worker.
WORKERS = 3
MOST_IMPORT, MOST_TIMES_COPY, MOST_ANALYSIS = 20.0, 6.0, 30.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ratings", type=int, default=USUAL_RATINGS)
    options = parser.parse_args()
    with installation(free_port()):
        reached = measure(max(2, options.ratings // (CANDIDATES * REVIEWERS * len(CRITERIA))))
    raise SystemExit(0 if reached else MISSED)


def measure(items: int) -> bool:
    """Print all measurements; returns whether both targets were reached."""
    campaign, ratings, seconds = time_import(items)
    bare = time_bare_copy()
    # The import may take this many seconds, or longer where COPY is slow too.
    most = max(MOST_IMPORT, MOST_TIMES_COPY * bare)
    reached = [
        report_figure(f"import of {ratings:,} ratings", seconds, "s", at_most=most),
        report_figure("a bare COPY of the scores", seconds / bare, "times"),
    ]
    analysis, times = time_analysis(campaign)
    told = ", ".join(f"{name} {each:.1f} s" for name, each in times.items())
    print(f"{WORKERS} jobs at a time: {told}", flush=True)
    reached.append(report_figure("stored analysis", analysis, "s", at_most=MOST_ANALYSIS))
    for name, processes in (("import", resource.RUSAGE_SELF), ("a job", resource.RUSAGE_CHILDREN)):
        report_figure(f"memory of {name}", resource.getrusage(processes).ru_maxrss / 1024, "MB")
    return all(reached)


def ratings_file(items: int) -> bytes:
    """A CSV file with one line per rating; items, candidates and reviewers differ, and scores are noisy."""
    draw = Random(5)
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(("item", "candidate", "reviewer", "criterion", "value", "prompt", "answer"))
    severity = [draw.gauss(0, 0.3) for _ in range(REVIEWERS)]
    for item in range(1, items + 1):
        ease = draw.gauss(0, 0.6)
        for candidate in range(CANDIDATES):
            answer = f"Answer {item} of candidate {candidate}: " + "the policy covers water damage. " * 8
            for reviewer in range(REVIEWERS):
                for criterion in CRITERIA:
                    value = 3.2 + 0.2 * candidate + ease + severity[reviewer] + draw.gauss(0, 0.7)
                    writer.writerow(
                        (
                            *(item, f"candidate {candidate}", f"reviewer {reviewer}", criterion),
                            *(min(5, max(1, round(value))), f"Question {item}?", answer),
                        )
                    )
    return text.getvalue().encode()


def time_import(items: int) -> tuple[Any, int, float]:
    """The imported campaign, its ratings, and the seconds of the import without the check."""
    from django.core.files.uploadedfile import SimpleUploadedFile

    from evalapp.accounts.models import Project, User
    from evalapp.ratings.options import RatingsOptions
    from evalapp.ratings.services import receive_ratings, start_ratings_import
    from evalapp.ratings.tasks import import_ratings

    manager = User.objects.create_user("manager@bench.example")
    project = Project.objects.create(name="Bench", slug="bench")
    content = ratings_file(items)
    received = receive_ratings(project=project, upload=SimpleUploadedFile("ratings.csv", content), by=manager)
    seconds = {}
    for checks_only in (True, False):
        options = RatingsOptions(**received.options)
        job = start_ratings_import(
            ratings_import=received, options=options, by=manager, checks_only=checks_only
        )
        began = time.perf_counter()
        import_ratings(job.pk)
        seconds[checks_only] = time.perf_counter() - began
        job.refresh_from_db()
        received.refresh_from_db()
        if job.state != "succeeded":
            raise SystemExit(f"The import ended as {job.state}: {job.error}")
    print(
        f"{received.records_imported:,} ratings in a file of {len(content) / 1e6:.0f} MB; check"
        f" {seconds[True]:.1f} s",
        flush=True,
    )
    return received.campaign, received.records_imported, seconds[False]


def time_bare_copy() -> float:
    """The seconds of a COPY of all scores into a table of the same shape and indexes."""
    from django.db import connection, transaction

    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("CREATE TABLE bare (LIKE evalapp_score INCLUDING ALL EXCLUDING IDENTITY)")
        with cursor.copy("COPY evalapp_score TO STDOUT") as copy:
            blocks = [bytes(block) for block in copy]
        began = time.perf_counter()
        with cursor.copy("COPY bare FROM STDIN") as copy:
            for block in blocks:
                copy.write(block)
        return time.perf_counter() - began


def time_analysis(campaign: Any) -> tuple[float, dict[str, float]]:
    """The seconds until all jobs have ended, run as by the default worker, and those of each by its kind."""
    from django.db import connection

    from evalapp.analysis.models import AnalysisKind
    from evalapp.analysis.stored.stored_results import AnalysisRequest, start_analysis

    jobs = [
        start_analysis(campaign=campaign, request=AnalysisRequest(kind), by=None).pk for kind in AnalysisKind
    ]
    # Processes must not inherit connections.
    connection.close()
    connection.close_pool()
    began = time.perf_counter()
    with ProcessPoolExecutor(WORKERS, mp_context=get_context("fork")) as pool:
        times = list(pool.map(_time_job, jobs))
    return time.perf_counter() - began, dict(zip([kind.label for kind in AnalysisKind], times, strict=True))


def _time_job(job_id: int) -> float:
    from evalapp.analysis.tasks import compute
    from evalapp.jobs.models import Job

    began = time.perf_counter()
    compute(job_id)
    seconds = time.perf_counter() - began
    job = Job.objects.get(pk=job_id)
    if job.state != "succeeded":
        raise RuntimeError(f"The analysis ended as {job.state}: {job.error}")
    return seconds


if __name__ == "__main__":
    main()
