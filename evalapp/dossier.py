"""A decision's dossier: one file, a chain of hashes from the frozen gate to the decision, and its check.

    python -m evalapp.dossier FILE [--seal SHA256]

The file is JSON Lines. Each line is a record ``{"number", "kind", "previous", "body", "hash"}``; ``previous``
is the hash of the record before it, and ``hash`` covers the four others. Records also vouch for each other:
the evaluation names the hashes of the gate, the data, the candidates and all reviews, the decision that of the
evaluation, and the last record counts the others. The hash of the last record is the seal, which the
decision's page shows: give it by ``--seal``, and not even a chain made anew passes.

The check needs Python alone: neither Django nor a database, so that this file can be handed over with a dossier.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FORMAT = "evalapp-dossier"
VERSION = 1
FIRST = "0" * 64
GATE, DATASET, CANDIDATE, REVIEW = "gate", "dataset", "candidate", "review"
EVALUATION, DECISION, SEAL = "evaluation", "decision", "seal"
ORDER = (GATE, DATASET, CANDIDATE, REVIEW, EVALUATION, DECISION, SEAL)
_FIELDS = {"number", "kind", "previous", "body", "hash"}

Record = dict[str, Any]


def canonical(value: object) -> str:
    """The one text of a JSON value: sorted keys, no spaces, characters as they are."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def digest(value: object) -> str:
    """SHA-256 of the canonical text."""
    return hashlib.sha256(canonical(value).encode("utf-8", "surrogatepass")).hexdigest()


def digest_of_reviews(lines: Iterable[str]) -> str:
    """SHA-256 over the canonical texts of all review records' bodies, each with a line end."""
    whole = hashlib.sha256()
    for line in lines:
        whole.update(line.encode("utf-8", "surrogatepass") + b"\n")
    return whole.hexdigest()


def chained(bodies: Iterable[tuple[str, Record]]) -> Iterator[Record]:
    """The records of a dossier, linked, with the seal behind them. ``bodies``: kind and content, in order."""
    number, previous, reviews = 0, FIRST, 0
    for number, (kind, body) in enumerate(bodies, start=1):
        reviews += kind == REVIEW
        record = _linked(number, kind, previous, body)
        previous = record["hash"]
        yield record
    yield _linked(
        number + 1,
        SEAL,
        previous,
        {"format": FORMAT, "version": VERSION, "records": number, "reviews": reviews},
    )


def _linked(number: int, kind: str, previous: str, body: Record) -> Record:
    record: Record = {"number": number, "kind": kind, "previous": previous, "body": body}
    return {**record, "hash": digest(record)}


@dataclass(frozen=True)
class Checked:
    """``problem`` is empty where everything holds; else it names the first record that does not."""

    problem: str
    records: int = 0
    reviews: int = 0
    seal: str = ""
    told: list[str] = field(default_factory=list)


class BrokenError(Exception):
    """What is wrong with a record, as a sentence."""


class _Reader:
    """What the records so far have promised, against which each further one is held."""

    def __init__(self) -> None:
        self.number = 0
        self.previous = FIRST
        self.kinds: list[str] = []
        self.gate: Record = {}
        self.datasets: list[Record] = []
        self.candidates: list[Record] = []
        self.reviews = hashlib.sha256()
        self.count = 0
        self.evaluation: Record = {}
        self.told: list[str] = []

    def take(self, record: Record) -> None:
        if set(record) != _FIELDS or not isinstance(record["body"], dict):
            raise BrokenError("it has not the fields of a record")
        if record["number"] != self.number + 1:
            raise BrokenError(
                f"its number is {record['number']} where {self.number + 1} is due; records were taken out or moved"
            )
        if record["previous"] != self.previous:
            raise BrokenError("it does not follow from the record before it")
        if record["hash"] != digest({name: record[name] for name in _FIELDS - {"hash"}}):
            raise BrokenError("its content is not what its hash says")
        kind = record["kind"]
        if kind not in ORDER:
            raise BrokenError(f"there is no kind “{kind}”")
        if self.kinds and (self.kinds[-1] == SEAL or ORDER.index(kind) < ORDER.index(self.kinds[-1])):
            raise BrokenError(f"a record of kind “{kind}” cannot stand here")
        checks: dict[str, Callable[[Record], None]] = {
            GATE: self._gate,
            DATASET: self._dataset,
            CANDIDATE: self.candidates.append,
            REVIEW: self._review,
            EVALUATION: self._evaluation,
            DECISION: self._decision,
            SEAL: self._seal,
        }
        checks[kind](record["body"])
        self.number, self.previous = record["number"], record["hash"]
        self.kinds.append(kind)

    def _gate(self, body: Record) -> None:
        if self.gate:
            raise BrokenError("there is a second gate")
        if digest(body.get("gate")) != body.get("hash"):
            raise BrokenError("the gate's conditions are not those that its hash names")
        self.gate = body
        self.told.append(f"gate {body['gate'].get('name')} v{body['gate'].get('version')}")

    def _dataset(self, body: Record) -> None:
        self.datasets.append(body)

    def _review(self, body: Record) -> None:
        self.reviews.update(canonical(body).encode("utf-8", "surrogatepass") + b"\n")
        self.count += 1

    def _evaluation(self, body: Record) -> None:
        evaluation = body.get("evaluation")
        if self.evaluation or not isinstance(evaluation, dict):
            raise BrokenError("it is not the one evaluation that belongs here")
        if digest(evaluation) != body.get("hash"):
            raise BrokenError("the evaluation is not the one that its hash names")
        promised = (
            ("gate", self.gate.get("hash"), "it is of another gate"),
            ("datasets", self.datasets, "it rests on other data"),
            ("candidates", self.candidates, "it is about other candidates or adapters"),
            ("reviews_digest", self.reviews.hexdigest(), "it rests on other reviews"),
        )
        for name, found, words in promised:
            if evaluation.get(name) != found:
                raise BrokenError(words)
        self.evaluation = body
        self.told.append(f"verdict {evaluation.get('verdict')} on {self.count} review revisions")

    def _decision(self, body: Record) -> None:
        if not self.evaluation or body.get("evaluation") != self.evaluation["hash"]:
            raise BrokenError("it signs another evaluation")
        if body.get("verdict") == "ship" and self.evaluation["evaluation"].get("verdict") != "ship":
            raise BrokenError("it ships what the gate did not pass")
        self.told.append(f"decision {body.get('verdict')}")

    def _seal(self, body: Record) -> None:
        counted = {"format": FORMAT, "version": VERSION, "records": self.number, "reviews": self.count}
        if body != counted:
            raise BrokenError("it counts other records than there are")
        missing = [kind for kind in ORDER[:-1] if kind != REVIEW and kind not in self.kinds]
        if missing:
            raise BrokenError(f"the dossier has no {missing[0]}")


def check(lines: Iterable[str], *, seal: str = "") -> Checked:
    """Follow the chain from its first record; stops at the first that does not hold."""
    reader = _Reader()
    for line in lines:
        place = f"Record {reader.number + 1}"
        try:
            record = json.loads(line, object_pairs_hook=_without_doubles)
        except (ValueError, RecursionError):
            return Checked(f"{place}: it is not JSON, or names a field twice.")
        if not isinstance(record, dict):
            return Checked(f"{place}: it is no object.")
        try:
            reader.take(record)
        except BrokenError as broken:
            return Checked(f"{place} ({record.get('kind', 'of no kind')}): {broken}.")
    if not reader.kinds or reader.kinds[-1] != SEAL:
        return Checked(f"Record {reader.number + 1}: the dossier ends before its seal; records are missing.")
    if seal and reader.previous != seal.strip().lower():
        return Checked(
            f"Record {reader.number} (seal): its hash is {reader.previous}, not the seal that you gave. "
            "The chain holds in itself, so it was made anew."
        )
    return Checked("", reader.number, reader.count, reader.previous, reader.told)


def _without_doubles(pairs: list[tuple[str, Any]]) -> Record:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a field stands there twice")
    return found


def main(arguments: list[str]) -> int:
    """0: the chain holds. 1: it does not, and where. 2: there is no such file."""
    parser = argparse.ArgumentParser(
        prog="python -m evalapp.dossier", description="Check a decision's dossier without any server."
    )
    parser.add_argument("file", type=Path)
    parser.add_argument("--seal", default="", help="The seal that the decision's page shows.")
    options = parser.parse_args(arguments)
    try:
        with options.file.open(encoding="utf-8", errors="surrogateescape") as lines:
            found = check(lines, seal=options.seal)
    except OSError as error:
        print(f"{options.file} cannot be read: {error.strerror}.", file=sys.stderr)
        return 2
    if found.problem:
        print(f"BROKEN. {found.problem}")
        return 1
    print(f"The chain holds: {', '.join(found.told)}; {found.records} records.")
    print(f"Seal: {found.seal}{' (as you gave it)' if options.seal else ''}")
    if not options.seal:
        print("Compare it with the one on the decision's page, or give that by --seal.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
