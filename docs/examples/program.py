"""What the worked examples share: the API of one project, and what they print of it. Needs no package."""

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

OVER = ("succeeded", "failed", "dead", "cancelled")


def options_of(description: str, **defaults: int) -> argparse.Namespace:
    """The command line of an example: address, project and token, and whole numbers by name."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name in ("address", "project", "token"):
        parser.add_argument(name)
    for name, default in defaults.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    return parser.parse_args()


class Program:
    """The API of one project."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._server = urlsplit(options.address).netloc
        self._path = f"/api/v1/projects/{options.project}/"
        self._authorization = f"Bearer {options.token}"

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """What the API answers. Raises RuntimeError with its message where it refuses."""
        content = None if method == "GET" else json.dumps({} if body is None else body).encode()
        return self._answer(method, path, content, "application/json")

    def upload(self, path: str, name: str, content: str) -> Any:
        """What the API answers to a file. Raises RuntimeError like `ask`."""
        boundary = uuid4().hex
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
        body = f"{head}{content}\r\n--{boundary}--\r\n".encode()
        return self._answer("POST", path, body, f"multipart/form-data; boundary={boundary}")

    def _answer(self, method: str, path: str, content: bytes | None, kind: str) -> Any:
        connection = HTTPConnection(self._server)
        headers = {"Authorization": self._authorization, "Content-Type": kind}
        connection.request(method, self._path + path, content, headers)
        with connection.getresponse() as answer:
            found = json.load(answer)
            if answer.status >= 400:
                raise RuntimeError(f"{method} {path}: {found['error']['message']}")
            return found

    def wait(self, job: int) -> None:
        """Until the job is over. Raises RuntimeError with what it says where it did not succeed."""
        while (state := self.ask("GET", f"jobs/{job}/"))["state"] not in OVER:
            # Asked again: the API tells how far a job is and sends no message at its end.
            time.sleep(1)
        if state["state"] != "succeeded":
            raise RuntimeError(state["error"] or f"{state['title']}: {state['state']}.")

    def version(self, dataset: int, number: int) -> int:
        """The id of a dataset's version."""
        return int(self.ask("GET", f"datasets/{dataset}/versions/{number}/")["id"])

    def read_labels(self, dataset: int, labels: Sequence[str]) -> None:
        """The first of the labels that stands in an answer is the answer's."""
        reader = {"kind": "pattern", "pattern": f"({'|'.join(labels)})", "labels": list(labels)}
        self.ask("PUT", f"datasets/{dataset}/label-parser/", reader)

    def findings(self, dataset: int, number: int) -> dict[str, int]:
        """What the health check of a version finds: rows by kind, for the kinds with any."""
        health = f"datasets/{dataset}/versions/{number}/health/"
        self.wait(self.ask("POST", health)["job"]["id"])
        kinds = self.ask("GET", health)["findings"]
        return {each["kind"]: each["count"] for each in kinds if each["count"]}

    def draft(self, dataset: int, base: int) -> str:
        """The path of a draft of a version."""
        drafts = f"datasets/{dataset}/drafts/"
        return f"{drafts}{self.ask('POST', drafts, {'base': base})['id']}/"

    def published(self, draft: str, note: str) -> dict[str, int]:
        """The draft as the next version: rows by what became of them."""
        self.wait(self.ask("POST", f"{draft}publish/", {"note": note})["job"]["id"])
        return dict(self.ask("GET", draft)["counts"])

    def small_model(self, name: str) -> int:
        """The base model that the installation brings along, registered under the name: its id."""
        folder = self.ask("GET", "models/folders/")["bases"][0]["path"]
        return int(self.ask("POST", "models/base/", {"name": name, "folder": folder})["id"])

    def swept(self, body: dict[str, Any]) -> tuple[int, list[int]]:
        """A sweep, once its trainings are over: its id, and the ids of its adapters. Raises RuntimeError
        where one did not succeed.
        """
        sweep = int(self.ask("POST", "sweeps/", body)["id"])
        while True:
            rows = self.ask("GET", f"sweeps/{sweep}/")["runs"]
            if any(row["state"] in OVER and row["state"] != "succeeded" for row in rows):
                raise RuntimeError("A training did not succeed; its page says why.")
            if all(row["state"] == "succeeded" for row in rows):
                return sweep, [row["produced"] for row in rows]
            # Trainings take minutes.
            time.sleep(2)

    def answered(self, body: dict[str, Any]) -> int:
        """A generation, once its answers are there and scored: its id."""
        generation = self.ask("POST", "runs/generation/", body)
        self.wait(generation["job"]["id"])
        self.wait(self.ask("POST", f"runs/{generation['id']}/score/")["id"])
        return int(generation["id"])

    def pages(self, path: str) -> Iterator[dict[str, Any]]:
        """Every row of a list, which the API gives in pages."""
        found = self.ask("GET", path)
        yield from found["results"]
        while found["next"]:
            found = self.ask("GET", found["next"].partition(self._path)[2])
            yield from found["results"]

    def answers(self, generation: int, candidate: int) -> dict[int, str]:
        """A candidate's answers by row number."""
        found = self.pages(f"runs/{generation}/outputs/?candidate={candidate}")
        return {each["row_number"]: each["text"] for each in found}

    def rated(self, name: str, rows: str, settings: dict[str, Any]) -> int:
        """The campaign made of a CSV file of ratings: its id."""
        uploaded = self.upload("ratings-imports/", f"{name}.csv", rows)
        path = f"ratings-imports/{uploaded['id']}/"
        self.wait(self.ask("POST", f"{path}start/", {"name": name, **settings})["job"]["id"])
        return int(self.ask("GET", path)["campaign"])

    def show_progress(self, dataset: int, only: tuple[str, ...] = ()) -> None:
        """Print the measures of the page “Progress” by version, with the last change where it has an
        interval; ``only`` those labels.
        """
        for measure in self.ask("GET", f"datasets/{dataset}/progress/")["measures"]:
            if only and measure["label"] not in only:
                continue
            steps = measure["steps"]
            means = " → ".join(f"{step['mean']['value']:.2f}" for step in steps)
            print(f"{measure['label']} (v{steps[0]['version']} to v{steps[-1]['version']}): {means}")
            for step in steps[1:]:
                low, high = step["change"]["low"], step["change"]["high"]
                if low is not None:
                    change = f"{step['change']['value']:+.2f}, 95% interval {low:+.2f} to {high:+.2f}"
                    print(f"  v{step['version']}: {change}")

    def show_labels(self, generation: int) -> None:
        """Print what the page of a generation says of its labels, by candidate."""
        for candidate in self.ask("GET", f"runs/{generation}/metrics/")["candidates"]:
            labels = candidate["labels"]
            print(
                f"{candidate['label']}: macro F1 {labels['macro']['value']:.2f},"
                f" {labels['unparsed']} of {candidate['outputs']} outputs are no label"
            )
