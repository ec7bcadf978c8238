"""Whatever is killed under load: nothing acknowledged is lost, nothing is doubled."""

import json
import os
import random
import time
from collections.abc import Callable

import pytest

from proofs.figures import report_figure
from tests.faults.filling import Filled
from tests.faults.kills import (
    BROKER,
    DATABASE,
    DATABASE_PROCESS,
    EVERYTHING,
    WEB,
    WEB_PROCESS,
    WORKER,
)
from tests.faults.storm import (
    JOBS_OVER_SECONDS,
    LONGEST_GAP_SECONDS,
    OVERLAP,
    PATIENCE_SECONDS,
    REVIEWERS,
    Storm,
)
from tests.installations import Running

SECONDS = 60 * float(os.environ.get("MINUTES") or "4")
LEAST_KILLS = 5
SEED = int(os.environ.get("SEED") or "0") or random.SystemRandom().randrange(1, 10**6)
_BETWEEN_KILLS = (2.0, 9.0)
_REVIEWS_PER_SECOND = 8
_THINK_SECONDS = 0.3
_TELL_EVERY = 30.0

Tell = Callable[[str], None]


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Tell:
    """Says something to the person who waits."""

    def say(text: str) -> None:
        with capsys.disabled():
            print(text, flush=True)

    return say


def fill(running: Running, *, items: int) -> Filled:
    words = running.installation.run_module("tests.faults.filling", str(REVIEWERS), str(items), str(OVERLAP))
    return Filled(**json.loads(words))


def test_nothing_is_lost_or_doubled_when_worker_web_broker_and_database_are_killed(running: Running):
    filled = fill(running, items=40)
    storm = Storm(running, filled, seed=1, think_seconds=0.15, import_rows=30_000)
    with storm.load():
        storm.wait_for_more(10)
        job = storm.engineer.start_import()
        storm.engineer.wait_until(job, "starting", "running")
        for target in (WORKER, WEB_PROCESS, BROKER, WEB, DATABASE, DATABASE_PROCESS):
            assert storm.killer.kill(target)
            storm.wait_for_more(6)
        storm.finish(seconds=PATIENCE_SECONDS)
    storm.engineer.follow(job)
    print(storm.account())
    # How long the longest gap was depends on what else the machine does: that is for `make chaos` to judge.
    assert storm.settle() > 1, "the import was not interrupted"


@pytest.mark.verification
def test_nothing_is_lost_or_doubled_while_everything_is_killed_at_random(running: Running, tell: Tell):
    filled = fill(running, items=max(40, round(SECONDS * _REVIEWS_PER_SECOND / OVERLAP / 2)))
    tell(f"\nSEED={SEED} MINUTES={SECONDS / 60:g}: {filled.reviews_expected} reviews to give")
    storm = Storm(
        running,
        filled,
        seed=SEED,
        think_seconds=_THINK_SECONDS,
        import_rows=5_000,
        over_seconds=JOBS_OVER_SECONDS,
    )
    until = time.monotonic() + SECONDS
    tell_at = time.monotonic() + _TELL_EVERY
    with storm.load():
        job = storm.engineer.start_import()
        while time.monotonic() < until or storm.killer.fewest(EVERYTHING) < LEAST_KILLS:
            storm.killer.kill_one_of_the_least_killed(EVERYTHING)
            time.sleep(storm.killer.chance.uniform(*_BETWEEN_KILLS))
            storm.raise_problems()
            if time.monotonic() > tell_at:
                tell_at += _TELL_EVERY
                tell(f"{max(0, until - time.monotonic()):5.0f} s to go: {storm.account()}")
            if storm.engineer.state(job) in ("succeeded", "dead"):
                storm.engineer.follow(job)
                job = storm.engineer.start_import()
        storm.finish(seconds=600)
    for job in storm.engineer.jobs:
        storm.engineer.follow(job)
    attempts = storm.settle()
    tell(f"Nothing lost, nothing doubled. {storm.account()}; imports took {attempts} attempts")
    report_figure("kills of the least killed kind", storm.killer.fewest(EVERYTHING), at_least=LEAST_KILLS)
    report_figure("reviews acknowledged, none lost or doubled", len(storm.ledger.entries))
    assert report_figure(
        "longest time without a review", storm.ledger.longest_gap, "s", at_most=LONGEST_GAP_SECONDS
    )
