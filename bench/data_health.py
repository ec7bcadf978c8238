"""The health check of a dataset version, beside a bare read and hash of its rows.

    python -m bench.data_health [--rows 100000]

To reach with 100,000 rows: 30 times the bare read, 1 GB of memory; and the diff of two such versions in 3 s.
"""

import argparse
import hashlib
import json
import random
import resource
import time
from collections.abc import Iterator
from typing import Any

from bench.ports import free_port
from bench.review_flow import installation

MOST_TIMES, MOST_MEMORY, MOST_DIFF = 30.0, 1_000_000_000, 3.0
_PLACES = "cellar garage kitchen roof garden office car van boat tent attic hall stairs shed lift yard"
_THINGS = "bicycle laptop camera ring sofa boiler fence window pipe phone piano carpet ladder printer"
_EVENTS = "theft hail storm fire flood frost smoke lightning mould break-in leak crash spill outage"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    options = parser.parse_args()
    with installation(free_port()):
        raise SystemExit(0 if measure(options.rows) else 1)


def measure(count: int) -> bool:
    """Print what was measured; whether all that is to be reached was reached."""
    from evalapp.accounts.models import Project
    from evalapp.curation.services import start_check
    from evalapp.curation.tasks import check_health
    from evalapp.datasets.diff import diff_of
    from evalapp.datasets.recipes.services import create_recipe, start_writing
    from evalapp.datasets.recipes.settings import RecipeSettings, Source
    from evalapp.datasets.services import create_dataset, create_version
    from evalapp.datasets.tasks import write_version_by_recipe

    project = Project.objects.create(name="Bench", slug="bench")
    dataset = create_dataset(project=project, name="Rows", by=None)
    version = create_version(dataset=dataset, rows=messy_rows(count), by=None)
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
    started = time.perf_counter()
    later = create_version(dataset=dataset, rows=messy_rows(count, shift=7), by=None, parent=version)
    written = time.perf_counter() - started
    started = time.perf_counter()
    diff = diff_of(later, version)
    compared = time.perf_counter() - started
    started = time.perf_counter()
    recipe = create_recipe(
        dataset=dataset,
        name="Both",
        settings=RecipeSettings([Source(dataset.pk, 1), Source(dataset.pk, 2, at_most=count // 2)]),
        by=None,
    )
    write_version_by_recipe(start_writing(recipe=recipe, by=None).pk)
    mixed = time.perf_counter() - started
    rows = sum(dataset.versions.get(number=3).counts.values())
    print(
        f"health check of {count:,} rows: {seconds:.1f} s ({check.job.state}),"
        f" {seconds / bare:.1f} times a bare read and hash ({bare:.2f} s)"
    )
    print(f"peak memory {memory / 1e6:.0f} MB; findings {check.counts}")
    print(f"version of {rows:,} rows by a recipe of both in {mixed:.1f} s")
    print(f"next version written in {written:.1f} s; diff of the two in {compared:.2f} s: {diff.counts}")
    return (
        check.job.state == "succeeded"
        and seconds <= MOST_TIMES * bare
        and memory <= MOST_MEMORY
        and compared <= MOST_DIFF
    )


def _bare_read(version: Any) -> float:
    """Seconds of reading every row as JSON and hashing it, the median of three."""
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
    """Rows of about 60 words, of which some repeat, nearly repeat, hold people's data or refuse; with
    ``shift``, every so many-th has another answer.
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
