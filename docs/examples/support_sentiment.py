"""Worked example: does cleaning the labels of support messages help? See docs/worked-examples.md.

    python docs/examples/support_sentiment.py http://127.0.0.1:8000 PROJECT TOKEN

Makes messages with labels, of which some are wrong or repeated; checks and mends them; trains a
small model on both versions with two seeds each; and prints macro F1, label accuracy and how many outputs are
no label at all. Needs a running server with a model worker, an engineer's token, and no package.
"""

import argparse
import json
import random
import time
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

LABELS = ("negative", "neutral", "positive")
PRODUCTS = ("router", "invoice", "delivery", "app", "refund", "contract", "password", "subscription")
# The last two of each label are for testing alone.
MESSAGES = {
    "negative": (
        "I am angry: the {} failed again and nobody answers.",
        "The {} is a disaster, this is the third time I write.",
        "Terrible service. My {} is still broken.",
        "I am disappointed about the {} and want my money back.",
        "Your {} ruined my week, what a shame.",
        "Nothing but trouble with this awful {}.",
    ),
    "neutral": (
        "Where do I find the settings of the {}?",
        "Please send me the documents of the {}.",
        "When does the {} change next month?",
        "I would like to know how the {} works.",
        "Which form is needed for the {}?",
        "Can the {} be moved to another address?",
    ),
    "positive": (
        "Thank you, the {} works perfectly now!",
        "Great help with the {}, I am very happy.",
        "The {} is wonderful, you saved my day.",
        "Excellent: the {} was solved in five minutes.",
        "I love the new {}, well done!",
        "Best {} ever, many thanks to your team.",
    ),
}
REFUSAL = "As an AI language model, I cannot say."
ENDINGS = (" Customer number {}.", " I wrote on day {}.", " My reference is {}.")
INSTRUCTION = "Say the sentiment of the customer's message in one word: negative, neutral or positive."
SETTINGS = {
    "max_steps": 40,
    "batch_size": 8,
    "accumulation_steps": 1,
    "learning_rate": 0.001,
    "lora": {"rank": 8, "alpha": 16},
    "max_length": 128,
    "validation_share": 0,
    "checkpoint_steps": 40,
}


def rows_with_faults(seed: int, training: int, test: int) -> list[dict[str, Any]]:
    """Right rows for testing; of those for training three in ten have another label, a tenth is repeated,
    and a twentieth has a refusal for an answer.
    """
    chance = random.Random(seed)
    rows = []
    for number in range(training + test):
        label, is_test = LABELS[number % len(LABELS)], number < test
        templates = MESSAGES[label][-2:] if is_test else MESSAGES[label][:-2]
        text = chance.choice(templates).format(chance.choice(PRODUCTS))
        text += chance.choice(ENDINGS).format(1_000 + number)
        if not is_test and chance.random() < 0.3:
            label = chance.choice([each for each in LABELS if each != label])
        answer = REFUSAL if not is_test and chance.random() < 0.05 else label
        messages = [{"role": "system", "content": INSTRUCTION}, {"role": "user", "content": text}]
        row = {"messages": messages, "references": [answer], "label": label}
        rows.append({**row, "split": "test" if is_test else "train"})
        if not is_test and chance.random() < 0.1:
            rows.append(rows[-1])
    return rows


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


def curated(program: Program, dataset: int) -> dict[str, int]:
    """Version 2: what the health check proposes for version 1. Rows by what became of them."""
    health = f"datasets/{dataset}/versions/1/health/"
    program.wait(program.ask("POST", health)["job"]["id"])
    for kind in program.ask("GET", health)["findings"]:
        if kind["count"]:
            print(f"  {kind['count']:4} {kind['kind']}")
    drafts = f"datasets/{dataset}/drafts/"
    draft = f"{drafts}{program.ask('POST', drafts, {'base': 1})['id']}/"
    for kind in ("label_issue", "exact_duplicate", "broken_answer"):
        program.ask("POST", f"{draft}proposals/", {"kind": kind})
    program.wait(program.ask("POST", f"{draft}publish/", {"note": "Cleaned"})["job"]["id"])
    return dict(program.ask("GET", draft)["counts"])


def trained(program: Program, version: int, base: int, seeds: list[int]) -> tuple[int, list[int]]:
    """A sweep over both versions: its id, and the ids of its adapters."""
    sweep = program.ask("POST", "sweeps/", {
        "name": "Raw and cleaned labels", "dataset_version": version, "base": base,
        "hyperparameters": SETTINGS, "axes": {"dataset_version": [1, 2], "seed": seeds},
    })["id"]  # fmt: skip
    while True:
        rows = program.ask("GET", f"sweeps/{sweep}/")["runs"]
        if any(row["state"] in ("failed", "dead", "cancelled") for row in rows):
            raise RuntimeError("A training failed; its page says why.")
        if all(row["state"] == "succeeded" for row in rows):
            return sweep, [row["produced"] for row in rows]
        # Trainings take minutes.
        time.sleep(2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    for name in ("address", "project", "token"):
        parser.add_argument(name)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rows", type=int, default=150)
    parser.add_argument("--tests", type=int, default=36)
    options = parser.parse_args()
    program = Program(options.address, options.project, options.token)
    dataset = program.ask("POST", "datasets/", {"name": f"Support sentiment {options.seed}"})["id"]
    rows = rows_with_faults(options.seed, options.rows, options.tests)
    program.ask("POST", f"datasets/{dataset}/versions/", {"rows": rows, "note": "As it came"})
    parser_of_labels = {"kind": "pattern", "pattern": f"({'|'.join(LABELS)})", "labels": list(LABELS)}
    program.ask("PUT", f"datasets/{dataset}/label-parser/", parser_of_labels)
    print("Findings of version 1:")
    print("Version 2:", curated(program, dataset))
    version = program.ask("GET", f"datasets/{dataset}/versions/2/")["id"]
    folder = program.ask("GET", "models/folders/")["bases"][0]["path"]
    base = program.ask("POST", "models/base/", {"name": f"Small model {dataset}", "folder": folder})["id"]
    sweep, adapters = trained(program, version, base, [1, 2])
    generation = program.ask("POST", "runs/generation/", {
        "name": "Sentiment of the test messages", "dataset_version": version, "splits": ["test"],
        "candidates": [base, *adapters],
        "sampling": {"max_tokens": 4, "temperature": 0, "engine": "transformers"},
    })  # fmt: skip
    program.wait(generation["job"]["id"])
    program.wait(program.ask("POST", f"runs/{generation['id']}/score/")["id"])
    curve = program.ask("GET", f"sweeps/{sweep}/curve/?by=labels-{generation['id']}-macro_f1")
    print("Macro F1:", *curve["versions"][0]["answer"])
    for measure in program.ask("GET", f"datasets/{dataset}/progress/")["measures"]:
        print(f"{measure['label']}:", " → ".join(f"{step['mean']['value']:.2f}" for step in measure["steps"]))
    for candidate in program.ask("GET", f"runs/{generation['id']}/metrics/")["candidates"]:
        labels = candidate["labels"]
        print(
            f"{candidate['label']}: macro F1 {labels['macro']['value']:.2f},"
            f" {labels['unparsed']} of {candidate['outputs']} outputs are no label"
        )


if __name__ == "__main__":
    main()
