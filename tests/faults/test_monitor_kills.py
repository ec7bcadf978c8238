"""A worker that dies while it counts events or samples a week: nothing is counted, alerted or drawn twice."""

import datetime as dt
import random
from typing import Any

import psycopg
import pytest

from tests.faults.client import Trouble
from tests.faults.engineer import Engineer
from tests.faults.filling import Filled
from tests.faults.kills import WORKER, Killer
from tests.faults.storm import PATIENCE_SECONDS
from tests.faults.test_kills import fill
from tests.faults.watching import OUTPUTS_PER_WEEK
from tests.installations import Running, eventually
from tests.monitoring.making import rows_of

EVENTS, IN_A_REQUEST = 40_000, 4_000


def counted(engineer: Engineer, stream: int) -> int:
    found = engineer.get(f"streams/{stream}/daily-metrics/?metric=events")["metrics"]
    return sum(day["n"] for series in found for day in series["days"])


def watching(running: Running, filled: Filled, verb: str) -> int:
    return int(running.installation.run_module("tests.faults.watching", filled.project, verb))


@pytest.mark.verification
def test_counting_and_sampling_survive_the_death_of_their_worker(running: Running) -> None:
    filled = fill(running, items=2)
    stream = watching(running, filled, "make")
    engineer = Engineer(running.home.bind, filled, Trouble(), rows=0, over_seconds=PATIENCE_SECONDS)
    killer = Killer(running, random.Random(1))
    yesterday = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
    for first in range(1, EVENTS + 1, IN_A_REQUEST):
        events = rows_of(IN_A_REQUEST, yesterday, first=first)
        stored = engineer.post(f"streams/{stream}/events/", {"events": events}, 201)
        assert stored["stored"] == IN_A_REQUEST

    kills = 0
    while (seen := counted(engineer, stream)) < EVENTS:
        if seen > 0 and kills < 3:
            kills += killer.kill(WORKER)
        eventually(lambda seen=seen: counted(engineer, stream) > seen, PATIENCE_SECONDS, "more is counted")
    assert kills, "counting was not interrupted"
    assert counted(engineer, stream) == EVENTS
    alerts = eventually(lambda: alerts_of(engineer, stream), PATIENCE_SECONDS, "short outputs alert")
    assert [(each["metric"], each["day"]) for each in alerts] == [("words", str(yesterday.date()))]

    with psycopg.connect(running.home.database_url) as holder:
        # The sample is drawn, and waits where it stores its outputs.
        holder.execute("LOCK TABLE evalapp_sampledoutput IN SHARE MODE")
        watching(running, filled, "end-week")
        eventually(lambda: is_waiting(running), PATIENCE_SECONDS, "the sample waits")
        assert killer.kill(WORKER)
    job = sampling(engineer)
    engineer.follow(job)
    assert engineer.attempts(job) > 1, "sampling was not interrupted"
    (week,) = engineer.get(f"streams/{stream}/weeks/")["results"]
    assert (week["population"], week["size"], week["state"]) == (EVENTS, OUTPUTS_PER_WEEK, "open")
    campaigns = engineer.get("campaigns/")["results"]
    assert len(campaigns) == 2, "the storm's and the week's"
    sampled = engineer.get(f"campaigns/{week['campaign']}/")
    assert sampled["reviews_total"] == OUTPUTS_PER_WEEK * 2
    assert len(alerts_of(engineer, stream)) == 1
    engineer.close()


def alerts_of(engineer: Engineer, stream: int) -> list[dict[str, Any]]:
    return list(engineer.get(f"streams/{stream}/daily-alerts/")["results"])


def is_waiting(running: Running) -> bool:
    """Whether somebody waits for a lock of a table."""
    waiting = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND locktype = 'relation')"
    with psycopg.connect(running.home.database_url) as looker:
        return looker.execute(waiting).fetchone() == (True,)


def sampling(engineer: Engineer) -> int:
    """The job that samples the week."""
    jobs = engineer.get("jobs/")["results"]
    return next(int(each["id"]) for each in jobs if each["title"].startswith("Sample"))
