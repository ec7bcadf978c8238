"""What the worked examples share: the API of one project, without any package."""

import json
import time
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit


class Program:
    """The API of one project."""

    def __init__(self, address: str, project: str, token: str) -> None:
        self._server = urlsplit(address).netloc
        self._path = f"/api/v1/projects/{project}/"
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """What the API answers. Raises RuntimeError with its message where it refuses."""
        connection = HTTPConnection(self._server)
        content = None if method == "GET" else json.dumps({} if body is None else body)
        connection.request(method, self._path + path, content, self._headers)
        with connection.getresponse() as answer:
            found = json.load(answer)
            if answer.status >= 400:
                raise RuntimeError(f"{method} {path}: {found['error']['message']}")
            return found

    def wait(self, job: int) -> None:
        while (state := self.ask("GET", f"jobs/{job}/"))["state"] not in ("succeeded", "failed", "dead"):
            # Asked again: the API tells how far a job is and sends no message at its end.
            time.sleep(1)
        if state["state"] != "succeeded":
            raise RuntimeError(state["error"])

    def small_model(self, name: str) -> int:
        """The base model that the installation brings along, registered under the name: its id."""
        folder = self.ask("GET", "models/folders/")["bases"][0]["path"]
        return int(self.ask("POST", "models/base/", {"name": name, "folder": folder})["id"])

    def sweep(self, body: dict[str, Any]) -> tuple[int, list[int]]:
        """A sweep, once its trainings are over: its id, and the ids of its adapters. Raises RuntimeError
        where one failed.
        """
        sweep = int(self.ask("POST", "sweeps/", body)["id"])
        while True:
            rows = self.ask("GET", f"sweeps/{sweep}/")["runs"]
            if any(row["state"] in ("failed", "dead", "cancelled") for row in rows):
                raise RuntimeError("A training failed; its page says why.")
            if all(row["state"] == "succeeded" for row in rows):
                return sweep, [row["produced"] for row in rows]
            # Trainings take minutes.
            time.sleep(2)
