"""Time of the health check of a dataset version against only reading and hashing its rows, and of other work.

    python -m bench.data_health [--rows 100000]

The other work with many rows: search, export, comparison, and a recipe of two versions. Targets with 100,000
rows: 30 times the bare read, and 1 GB of memory; with 1,000,000 rows 4 GB. The diff of two versions: 3 s per
100,000 rows. Targets with any number: a search in 200 ms at p95, and a Parquet file in 3 times what
pyarrow takes to write the same rows from lists, with memory that does not grow with the rows. 1,000,000 rows
need 10 GB of disk.
"""

import argparse
import gc
import hashlib
import json
import random
import re
import resource
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.ports import free_port
from bench.review_flow import installation
from proofs.figures import MISSED, report_figure

MOST_TIMES, MOST_MEMORY, MOST_DIFF = 30.0, 1_000.0, 3.0
USUAL_ROWS, MOST_MEMORY_OF_MANY = 100_000, 4_000.0
MOST_OF_A_SEARCH, MOST_TIMES_PYARROW, MOST_GROWTH = 200.0, 3.0, 300.0
SEARCHES = 40
_PLACES = "cellar garage kitchen roof garden office car van boat tent attic hall stairs shed lift yard"
_THINGS = "bicycle laptop camera ring sofa boiler fence window pipe phone piano carpet ladder printer"
_EVENTS = "theft hail storm fire flood frost smoke lightning mould break-in leak crash spill outage"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--without-health", action="store_true", help="everything but the health check")
    options = parser.parse_args()
    with installation(free_port()):
        raise SystemExit(0 if measure(options.rows, options.without_health) else MISSED)


def measure(count: int, without_health: bool = False) -> bool:
    """Print all measurements; returns whether all targets were reached."""
    from evalapp.accounts.models import Project
    from evalapp.datasets.services import create_dataset, create_version

    project = Project.objects.create(name="Bench", slug="bench")
    dataset = create_dataset(project=project, name="Rows", by=None)
    version = create_version(dataset=dataset, rows=messy_rows(count), by=None)
    # A list, not a generator: everything is measured even if a target is missed.
    is_healthy = without_health or _health(version, count)
    return all([is_healthy, _search(version), _export(version), _next_versions(version, count)])


def _health(version: Any, count: int) -> bool:
    from evalapp.curation.services import start_check
    from evalapp.curation.tasks import check_health

    bare = _bare_read(version)
    check = start_check(version=version, by=None)
    if check.job is None:
        raise SystemExit("The health check was not queued.")
    before = time.perf_counter()
    check_health(check.job.pk)
    seconds = time.perf_counter() - before
    check.refresh_from_db()
    check.job.refresh_from_db()
    memory = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if check.job.state != "succeeded":
        raise SystemExit(f"The check ended as {check.job.state}: {check.job.error}")
    print(f"health check of {count:,} rows: findings {check.counts}")
    is_usual = count <= USUAL_ROWS
    reached = [
        report_figure(f"health of {count:,} rows", seconds, "s"),
        report_figure(
            "a bare read and hash", seconds / bare, "times", at_most=MOST_TIMES if is_usual else None
        ),
        report_figure(
            "its memory", memory / 1e6, "MB", at_most=MOST_MEMORY if is_usual else MOST_MEMORY_OF_MANY
        ),
    ]
    return all(reached)


def _search(version: Any) -> bool:
    """Time the first page of search results, for words that most rows, few, one or none contain."""
    from evalapp.core.paging import PAGE_SIZE
    from evalapp.datasets.search import search_rows

    draw = random.Random(6)
    things, places = _THINGS.split(), _PLACES.split()
    times = []
    for number in range(SEARCHES):
        text = (
            draw.choice(things),
            f"{draw.choice(things)} {draw.choice(places)} {draw.randint(2, 90)}",
            f'"the {draw.choice(places)} the {draw.choice(things)}"',
            f"q{draw.randrange(sum(version.counts.values()))}",
            f"{draw.choice(things)} nowhere",
        )[number % 5]
        started = time.perf_counter()
        list(search_rows(version, version.examples.all(), text).rows.order_by("row_number")[: PAGE_SIZE + 1])
        times.append(time.perf_counter() - started)
    p95 = statistics.quantiles(times, n=20)[-1]
    median, longest = statistics.median(times), max(times)
    print(f"{SEARCHES} searches: median {1e3 * median:.0f} ms, longest {1e3 * longest:.0f} ms")
    return report_figure("search, p95", 1e3 * p95, "ms", at_most=MOST_OF_A_SEARCH)


def _export(version: Any) -> bool:
    """Time the download of a Parquet file, and pyarrow writing the same rows."""
    from evalapp.datasets.exporting import exported

    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        path = Path(folder) / "rows.parquet"
        gc.collect()
        before = _memory("VmRSS")
        # Resets the process's peak memory.
        Path("/proc/self/clear_refs").write_text("5")
        started = time.perf_counter()
        with path.open("wb") as file:
            file.writelines(exported(version, "parquet").chunks)
        seconds = time.perf_counter() - started
        grown = _memory("VmHWM") - before
        from_lists, of_columns = _written_by_pyarrow(path, Path(folder) / "again.parquet")
        size = path.stat().st_size
    print(
        f"Parquet file of {size / 1e6:.0f} MB: {seconds:.1f} s; pyarrow's own write from lists"
        f" {from_lists:.1f} s, of columns {of_columns:.1f} s"
    )
    reached = [
        report_figure(
            "Parquet against pyarrow's write", seconds / from_lists, "times", at_most=MOST_TIMES_PYARROW
        ),
        report_figure("memory of Parquet", grown / 1e6, "MB", at_most=MOST_GROWTH),
    ]
    return all(reached)


def _written_by_pyarrow(path: Path, again: Path) -> tuple[float, float]:
    """Seconds to write the file's rows again: from Python lists, and without the conversion to columns."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from_lists = of_columns = 0.0
    with (
        pq.ParquetFile(path) as read,
        pq.ParquetWriter(again, read.schema_arrow, compression="zstd") as writer,
    ):
        for batch in read.iter_batches(batch_size=2_000):
            columns = list(zip((each.to_pylist() for each in batch.columns), batch.schema, strict=True))
            started = time.perf_counter()
            arrays = [pa.array(values, type=field.type) for values, field in columns]
            built = time.perf_counter()
            writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=batch.schema))
            from_lists += time.perf_counter() - started
            of_columns += time.perf_counter() - built
    return from_lists, of_columns


def _memory(name: str) -> int:
    """A memory figure of this process in bytes, by its name in /proc/self/status."""
    found = re.search(rf"^{name}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found is not None
    return 1024 * int(found[1])


def _next_versions(version: Any, count: int) -> bool:
    """Time a version with some other answers, the diff of the two, and a version by a recipe from both."""
    from evalapp.datasets.diff import diff_of
    from evalapp.datasets.recipes.services import create_recipe, start_writing
    from evalapp.datasets.recipes.settings import RecipeSettings, Source
    from evalapp.datasets.services import create_version
    from evalapp.datasets.tasks import write_version_by_recipe

    dataset = version.dataset
    started = time.perf_counter()
    later = create_version(dataset=dataset, rows=messy_rows(count, shift=7), by=None, parent=version)
    written = time.perf_counter() - started
    started = time.perf_counter()
    diff = diff_of(later, version)
    compared = time.perf_counter() - started
    print(f"next version written in {written:.1f} s; diff: {diff.counts}")
    started = time.perf_counter()
    sources = [Source(dataset.pk, 1), Source(dataset.pk, 2, at_most=count // 2)]
    recipe = create_recipe(dataset=dataset, name="Both", settings=RecipeSettings(sources), by=None)
    job = start_writing(recipe=recipe, by=None)
    write_version_by_recipe(job.pk)
    mixed = time.perf_counter() - started
    job.refresh_from_db()
    rows = sum(dataset.versions.get(number=3).counts.values())
    memory = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if job.state != "succeeded":
        raise SystemExit(f"The recipe ended as {job.state}: {job.error}")
    report_figure(f"{rows:,} rows by a recipe of both", mixed, "s")
    report_figure("memory of all", memory / 1e6, "MB")
    most = MOST_DIFF * max(1.0, count / USUAL_ROWS)
    return report_figure("diff of two versions", compared, "s", at_most=most)


def _bare_read(version: Any) -> float:
    """Seconds to read every row as JSON and hash it; median of three."""
    from evalapp.curation.health.check import COLUMNS
    from evalapp.datasets.models import Example

    times = []
    for _ in range(3):
        started = time.perf_counter()
        rows = Example.objects.filter(version=version).values(*COLUMNS)
        digest = hashlib.sha256()
        for fields in rows.iterator(chunk_size=2_000):
            digest.update(json.dumps(fields, sort_keys=True).encode())
        times.append(time.perf_counter() - started)
    return sorted(times)[1]


def messy_rows(count: int, *, shift: int = 0) -> Iterator[Any]:
    """Rows of about 60 words, some of which are repeats, near repeats, contain personal data, or refuse to
    answer. With ``shift``, one in every few rows has another answer.
    """
    from evalapp.datasets.rows import ExampleRow

    draw = random.Random(5)
    earlier: list[tuple[str, str]] = []
    for number in range(count):
        prompt = _sentence(draw)
        answer = f"{_sentence(draw)} {_sentence(draw)}"
        fault = draw.randrange(60)
        if fault < 2 and earlier:
            prompt, answer = draw.choice(earlier)
            prompt = prompt if fault else f"Please, {prompt}"
        elif fault == 2:
            prompt += f" Write to anna.miller{number}@mail.example.org."
        elif fault == 3:
            answer = "I'm sorry, but I can't help with that."
        elif len(earlier) < 5_000:
            earlier.append((prompt, answer))
        if shift and number % shift == 0:
            answer += " We confirm this in a letter."
        yield ExampleRow(
            split="test" if number % 20 == 0 else "train",
            messages=[{"role": "user", "content": prompt}],
            references=[answer],
            metadata={"id": f"q{number}"},
        )


def _sentence(draw: random.Random) -> str:
    first, second = draw.sample(_THINGS.split(), 2)
    where, there = draw.sample(_PLACES.split(), 2)
    what, after = draw.sample(_EVENTS.split(), 2)
    return (
        f"After the {what} in the {where} the {first} was {draw.choice(('lost', 'wet', 'broken', 'bent'))},"
        f" and {draw.randint(2, 90)} days later the {second} from the {there} had {after} damage as well."
    )


if __name__ == "__main__":
    main()
