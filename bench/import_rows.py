"""Import of JSONL with validation, by the worker's own code into a durable PostgreSQL.

    python -m bench.import_rows [ROWS]

Prints rows per second, the peak memory of the importing process, and the ratio to a bare COPY of the same
rows (no parsing, checks or hashes), run alternately on the same server. Targets: 5 s per 100,000 rows, and
300 MB of memory.
"""

import json
import resource
import shutil
import statistics
import sys
import time
from pathlib import Path
from random import Random
from typing import Any

from bench.ports import free_port
from bench.review_flow import installation
from proofs.figures import MISSED, report_figure

ROUNDS = 3
SECONDS, MEGABYTES = 5.0, 300.0


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with installation(free_port()) as home:
        raise SystemExit(0 if measure(rows, home) else MISSED)


def measure(rows: int, home: Path) -> bool:
    file = home / "rows.jsonl"
    write_rows(file, rows)
    imports, copies = [], []
    peak = 0.0
    for number in range(ROUNDS):
        imports.append(time_import(file, number))
        # Measured before the bare COPY, which holds all rows in memory.
        peak = peak or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        copies.append(time_bare_copy())
    median, bare = statistics.median(imports), statistics.median(copies)
    print(f"rows {rows:,} of {file.stat().st_size / rows:.0f} bytes, median of {ROUNDS}")
    print(
        f"import {median:.2f} s = {rows / median:,.0f} rows/s (each:"
        f" {', '.join(f'{s:.2f}' for s in imports)})"
    )
    reached = [
        report_figure(f"import of {rows:,} rows", median, "s", at_most=SECONDS * rows / 100_000),
        report_figure("a bare COPY of the same rows", median / bare, "times"),
        report_figure("memory", peak, "MB", at_most=MEGABYTES),
    ]
    return all(reached)


def write_rows(path: Path, rows: int) -> None:
    """Write realistic rows: a prompt of 60 words, an answer of 50, a context and metadata."""
    random = Random(1)
    words = [f"word{number}" for number in range(5_000)] + ["“quoted”", "naïve", "line\nbreak", "€1,200"]
    with path.open("w", encoding="utf-8") as file:
        for number in range(rows):
            row = {
                "prompt": f"Summarise {number}: " + " ".join(random.choices(words, k=60)),
                "completion": " ".join(random.choices(words, k=50)),
                "context": " ".join(random.choices(words, k=20)),
                "group": f"client {number % 5_000}",
                "metadata": {"segment": "retired", "year": 2026, "share": 0.25},
                "split": random.choices(["train", "validation", "feedback", "test"], [90, 4, 3, 3])[0],
            }
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def time_import(file: Path, number: int) -> float:
    from evalapp.accounts.models import Project, User
    from evalapp.datasets.models import DatasetImport
    from evalapp.datasets.options import ImportOptions
    from evalapp.datasets.services import create_dataset, start_import
    from evalapp.datasets.tasks import import_dataset
    from evalapp.imports.files import new_stored_name, stored_path

    user = User.objects.create_user(f"engineer{number}@bench.example")
    project = Project.objects.create(name="Bench", slug=f"bench-{number}")
    dataset = create_dataset(project=project, name="Rows", by=user)
    stored_name = new_stored_name()
    shutil.copy(file, stored_path(stored_name))
    received = DatasetImport.objects.create(
        dataset=dataset, file_name=file.name, stored_name=stored_name, size_bytes=file.stat().st_size
    )
    job = start_import(dataset_import=received, options=ImportOptions(), by=user)
    began = time.perf_counter()
    import_dataset(job.pk)
    seconds = time.perf_counter() - began
    job.refresh_from_db()
    if job.state != "succeeded":
        raise SystemExit(f"The import ended as {job.state}: {job.error}")
    return seconds


def time_bare_copy() -> float:
    """COPY the rows of the last import out and into a table of the same shape and indexes; returns the
    seconds.
    """
    from django.db import connection, transaction

    from evalapp.datasets.models import Example

    # Taken from the model, so that columns added later are copied as well.
    columns = ", ".join(f'"{field.column}"' for field in Example._meta.concrete_fields)
    with connection.cursor() as cursor:
        cursor.execute("SELECT max(id) FROM evalapp_datasetversion")
        version = cursor.fetchone()[0]
        cursor.execute("DROP TABLE IF EXISTS bare")
        cursor.execute("CREATE TABLE bare (LIKE evalapp_example INCLUDING ALL EXCLUDING IDENTITY)")
        blocks: list[Any] = []
        query = (
            f"COPY (SELECT {columns} FROM evalapp_example WHERE version_id = {version} ORDER BY id) TO STDOUT"
        )
        with cursor.copy(query) as copy:
            blocks.extend(bytes(block) for block in copy)
    began = time.perf_counter()
    with (
        transaction.atomic(),
        connection.cursor() as cursor,
        cursor.copy(f"COPY bare ({columns}) FROM STDIN") as copy,
    ):
        for block in blocks:
            copy.write(block)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
