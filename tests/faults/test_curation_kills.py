"""A worker that dies in a health check or in a publication: another does it again, and nothing is doubled."""

import json
import random

import pytest

from tests.faults.client import Trouble
from tests.faults.engineer import Engineer
from tests.faults.kills import WORKER, Killer
from tests.faults.storm import PATIENCE_SECONDS
from tests.faults.test_kills import fill
from tests.installations import Running

ROWS = 40_000
DUPLICATES, ADDRESSES = ROWS // 10, ROWS // 20


def messy_rows() -> bytes:
    """Every tenth row repeats the one before it, and every twentieth holds an e-mail address."""
    lines = []
    for number in range(ROWS):
        told = number - 1 if number % 10 == 9 else number
        address = f" Write to person{told}@mail.example.org." if number % 20 == 0 else ""
        row = {
            "prompt": f"What is paid for case {told * 7919}?{address}",
            "completion": f"It is {told} euros.",
        }
        lines.append(json.dumps({**row, "split": "train"}))
    return "\n".join(lines).encode()


@pytest.mark.verification
def test_a_health_check_and_a_publication_survive_the_death_of_their_worker(running: Running) -> None:
    filled = fill(running, items=2)
    engineer = Engineer(running.home.bind, filled, Trouble(), rows=0, over_seconds=PATIENCE_SECONDS)
    killer = Killer(running, random.Random(1))
    engineer.follow(engineer.start_import(messy_rows()))
    job = engineer.post("versions/1/health/", {}, 202)["job"]["id"]
    engineer.wait_until(job, "running")
    assert killer.kill(WORKER)
    engineer.follow(job)
    assert engineer.attempts(job) > 1, "the check was not interrupted"
    found = {each["kind"]: each["count"] for each in engineer.get("versions/1/health/")["findings"]}
    assert (found["exact_duplicate"], found["personal_data"]) == (DUPLICATES, ADDRESSES)
    listed = engineer.get("versions/1/health/findings/?kind=personal_data&limit=200")["results"]
    assert len({each["row_number"] for each in listed}) == len(listed) == 200

    draft = engineer.post("drafts/", {"base": 1}, 201)["id"]
    for kind in ("exact_duplicate", "personal_data"):
        engineer.post(f"drafts/{draft}/proposals/", {"kind": kind}, 200)
    job = engineer.post(f"drafts/{draft}/publish/", {}, 202)["job"]["id"]
    engineer.wait_until(job, "running")
    assert killer.kill(WORKER)
    engineer.follow(job)
    assert engineer.attempts(job) > 1, "the publication was not interrupted"
    versions = [each["number"] for each in engineer.get("versions/")["results"]]
    assert versions == [2, 1]
    counts = engineer.get("versions/2/card/")["draft"]["counts"]
    assert (counts["rows_in"], counts["dropped"]) == (ROWS, DUPLICATES)
    assert engineer.get("versions/2/")["counts"] == {"train": ROWS - DUPLICATES}
    engineer.close()
