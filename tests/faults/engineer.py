"""An engineer's script that imports data over the API while things break."""

import json
import time
from itertools import count
from typing import Any
from uuid import uuid4

from evalapp.env import Bind
from tests.faults.client import JSON, PersistentClient, Trouble
from tests.faults.filling import Filled
from tests.installations import eventually


class Engineer:
    """Starts imports and follows their jobs; a job that was given up is tried again, as by its button.

    ``over_seconds``: in which a job must have come to what is waited for.
    """

    def __init__(
        self, bind: Bind, filled: Filled, trouble: Trouble, *, rows: int, over_seconds: float
    ) -> None:
        self._over_seconds = over_seconds
        self.rows = rows
        self.jobs: list[int] = []
        self.tried_again = 0
        self.root = f"/api/v1/projects/{filled.project}/"
        self._client = PersistentClient(bind, trouble, Authorization=f"Bearer {filled.token}")
        self._project = f"/api/v1/projects/{filled.project}"
        self._numbers = count(1)

    def start_import(self, content: bytes | None = None) -> int:
        """Upload a file and start its import; the job's id. A request that was lost is asked about. Without
        ``content`` the file has rows of its own.
        """
        number = next(self._numbers)
        datasets = f"{self._project}/datasets/"
        name = f"Import {number} {uuid4()}"
        dataset = self._client.ask("POST", datasets, {"name": name}, **JSON).body.get("id")
        if dataset is None:
            found = self._client.expect(200, "GET", datasets, **JSON).body["results"]
            dataset = next(each["id"] for each in found if each["name"] == name)
        boundary = uuid4().hex
        uploaded = self._client.expect(
            201,
            "POST",
            f"{datasets}{dataset}/imports/",
            _multipart(boundary, content or _rows(number, self.rows)),
            **{"Content-Type": f"multipart/form-data; boundary={boundary}", "Accept": JSON["Accept"]},
        ).body
        address = f"{datasets}{dataset}/imports/{uploaded['id']}/"
        self._client.ask("POST", f"{address}start/", {}, **JSON)
        job = int(self._client.expect(200, "GET", address, **JSON).body["job"]["id"])
        self.jobs.append(job)
        self.root = f"{datasets}{dataset}/"
        return job

    def post(self, path: str, body: object, expected: int) -> Any:
        """What an address of the project answers, or after an import one of the dataset that was imported."""
        return self._client.expect(expected, "POST", f"{self.root}{path}", body, **JSON).body

    def get(self, path: str) -> Any:
        return self._client.expect(200, "GET", f"{self.root}{path}", **JSON).body

    def wait_until(self, job: int, *states: str, seconds: float | None = None) -> None:
        seconds = self._over_seconds if seconds is None else seconds
        eventually(lambda: self.state(job) in states, seconds, f"job {job} is {' or '.join(states)}")

    def follow(self, job: int) -> None:
        """Until it succeeded. It must not fail: nothing is wrong with its file."""
        deadline = time.monotonic() + self._over_seconds
        while True:
            self.wait_until(job, "succeeded", "dead", "failed", seconds=max(1.0, deadline - time.monotonic()))
            state = self.state(job)
            if state == "succeeded":
                return
            assert state == "dead", f"job {job} {state}"
            self.tried_again += 1
            self._client.ask("POST", f"{self._project}/jobs/{job}/retry/", {}, **JSON)

    def close(self) -> None:
        self._client.close()

    def attempts(self, job: int) -> int:
        return int(self._client.expect(200, "GET", f"{self._project}/jobs/{job}/", **JSON).body["attempt"])

    def state(self, job: int) -> Any:
        return self._client.expect(200, "GET", f"{self._project}/jobs/{job}/", **JSON).body["state"]


def _rows(number: int, rows: int) -> bytes:
    return b"".join(
        json.dumps(
            {"prompt": f"Question {row} of {number}?", "completion": f"Answer {row}.", "split": "train"}
        ).encode()
        + b"\n"
        for row in range(1, rows + 1)
    )


def _multipart(boundary: str, content: bytes) -> bytes:
    head = (
        f"--{boundary}\r\n"
        'Content-Disposition: form-data; name="file"; filename="rows.jsonl"\r\n'
        "Content-Type: application/jsonl\r\n\r\n"
    )
    return head.encode() + content + f"\r\n--{boundary}--\r\n".encode()
