"""A decision's dossier: one file, a chain of hashes from the frozen gate to the decision, and its check.

    python -m evalapp.dossier FILE [--seal SHA256]

The file is JSON Lines. Each line is a record ``{"number", "kind", "previous", "body", "hash"}``; ``previous``
is the hash of the record before it, and ``hash`` covers the four others. Records also vouch for each other:
the evaluation names the hashes of the gate, the data, the candidates and all reviews, the decision that of
the evaluation, and the last record counts the others; what two of them say, they have to say alike, and the
states of the conditions must be such as the scores allow. The hash of the last record is the seal, which the
decision's page shows: give it by ``--seal``, and not even a chain made anew passes. Without it the file is
unsealed: anybody with it could have rewritten it.

The check needs Python alone: neither Django nor a database, so that this file can be handed over with a
dossier.
"""

import argparse
import hashlib
import io
import json
import math
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

FORMAT = "evalapp-dossier"
VERSION = 1
FIRST = "0" * 64
GATE, DATASET, CANDIDATE, REVIEW = "gate", "dataset", "candidate", "review"
EVALUATION, DECISION, SEAL = "evaluation", "decision", "seal"
ORDER = (GATE, DATASET, CANDIDATE, REVIEW, EVALUATION, DECISION, SEAL)
RELEASE, DO_NOT_RELEASE, NOT_YET = "release", "do_not_release", "not_yet"
VERDICTS = (RELEASE, DO_NOT_RELEASE, NOT_YET)
MET, NOT_MET, UNDECIDED = "met", "not_met", "undecided"
VERIFIED, BROKEN, UNREADABLE, UNSEALED = 0, 1, 2, 3
_FIELDS = {"number", "kind", "previous", "body", "hash"}
_LONGEST_QUOTE = 80
# A level is found by a search, which may end a little beside it.
_ROUNDING = 1.001
# What a file of another make holds where this one reads: what Python says of it is no record's number.
_OF_ANOTHER_FORM = (AttributeError, LookupError, TypeError, ValueError, ArithmeticError, RecursionError)

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
class CheckResult:
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
        self.entered = _IncludedScores()
        self.evaluation: Record = {}
        self.told: list[str] = []

    def take(self, record: Record) -> None:
        if set(record) != _FIELDS or not isinstance(record["body"], dict):
            raise BrokenError("its fields are not those of a record")
        if record["number"] != self.number + 1:
            raise BrokenError(
                f"its number is {_quoted(record['number'])} where {self.number + 1} is expected; records"
                " were removed or moved"
            )
        if record["previous"] != self.previous:
            raise BrokenError("it does not follow from the record before it")
        if record["hash"] != digest({name: record[name] for name in _FIELDS - {"hash"}}):
            raise BrokenError("its content does not match its hash")
        kind = record["kind"]
        if kind not in ORDER:
            raise BrokenError(f"there is no kind “{_quoted(kind)}”")
        if self.kinds and (self.kinds[-1] == SEAL or ORDER.index(kind) < ORDER.index(self.kinds[-1])):
            raise BrokenError(f"a record of kind “{kind}” cannot be here")
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
        gate = body.get("gate")
        if not isinstance(gate, dict) or digest(gate) != body.get("hash"):
            raise BrokenError("the gate's conditions do not match its hash")
        self.gate = body
        self.told.append(f"gate {_quoted(gate.get('name'))} v{_quoted(gate.get('version'))}")

    def _dataset(self, body: Record) -> None:
        self.datasets.append(body)

    def _review(self, body: Record) -> None:
        self.reviews.update(canonical(body).encode("utf-8", "surrogatepass") + b"\n")
        self.count += 1
        self.entered.take(body)

    def _evaluation(self, body: Record) -> None:
        evaluation = body.get("evaluation")
        if self.evaluation or not isinstance(evaluation, dict):
            raise BrokenError("it is not the evaluation that belongs here")
        if digest(evaluation) != body.get("hash"):
            raise BrokenError("the evaluation does not match its hash")
        promised = (
            ("gate", self.gate.get("hash"), "it belongs to another gate"),
            ("datasets", self.datasets, "it uses other data"),
            ("candidates", self.candidates, "it is about other candidates or adapters"),
            ("reviews_digest", self.reviews.hexdigest(), "it uses other reviews"),
        )
        for name, found, words in promised:
            if evaluation.get(name) != found:
                raise BrokenError(words)
        _require_of_its_gate(evaluation, self.gate)
        self.entered.require_counted_by(evaluation)
        _require_concluded(evaluation)
        _require_states(evaluation, self.entered.scored)
        self.evaluation = body
        self.told.append(f"verdict {evaluation['verdict']} on {self.count} review revisions")

    def _decision(self, body: Record) -> None:
        if not self.evaluation or body.get("evaluation") != self.evaluation["hash"]:
            raise BrokenError("it signs another evaluation")
        evaluation = self.evaluation["evaluation"]
        if body.get("campaign") != evaluation.get("campaign"):
            raise BrokenError("it belongs to another campaign than its evaluation")
        if body.get("candidate") != _the_one(evaluation, "candidate").get("id"):
            raise BrokenError("it is about another candidate than its evaluation")
        if body.get("verdict") not in VERDICTS:
            raise BrokenError(f"there is no verdict “{_quoted(body.get('verdict'))}”")
        if body["verdict"] == RELEASE and evaluation["verdict"] != RELEASE:
            raise BrokenError("it releases what the gate did not pass")
        if evaluation.get("is_exploratory") or evaluation.get("is_simulated"):
            raise BrokenError("it signs an evaluation that is exploratory or has only simulated reviews")
        self.told.append(f"decision {body['verdict']}")

    def _seal(self, body: Record) -> None:
        counted = {"format": FORMAT, "version": VERSION, "records": self.number, "reviews": self.count}
        if body != counted:
            raise BrokenError("it counts other records than there are")
        missing = [kind for kind in ORDER[:-1] if kind != REVIEW and kind not in self.kinds]
        if missing:
            raise BrokenError(f"the dossier has no {missing[0]}")


class _IncludedScores:
    """Whose scores entered, and of which items, as the review records say it."""

    def __init__(self) -> None:
        self.reviews: set[Any] = set()
        self.items: set[Any] = set()
        self.reviewers: set[Any] = set()
        self.revisions: set[tuple[Any, Any]] = set()
        self.counting: set[Any] = set()
        self.scored: list[Record] = []

    def take(self, body: Record) -> None:
        review, revision = body.get("review"), (body.get("review"), body.get("revision"))
        if revision in self.revisions:
            raise BrokenError(f"revision {_quoted(revision[1])} of review {_quoted(review)} is given twice")
        self.revisions.add(revision)
        if not body.get("counts"):
            return
        if review in self.counting:
            raise BrokenError(f"two revisions of review {_quoted(review)} count")
        self.counting.add(review)
        if body.get("scores"):
            self.reviews.add(review)
            self.items.add(body.get("item"))
            self.reviewers.add(body.get("reviewer"))
            self.scored.append(body)

    def require_counted_by(self, evaluation: Record) -> None:
        for name, found in (("reviews", self.reviews), ("items", self.items), ("reviewers", self.reviewers)):
            if evaluation.get(name) != len(found):
                raise BrokenError(
                    f"it counts {_quoted(evaluation.get(name))} {name}, but the records before it have"
                    f" {len(found)}"
                )
        if evaluation["candidate_reviews"] > len(self.reviews):
            raise BrokenError("it counts more reviews of its candidate than there are")


def _require_of_its_gate(evaluation: Record, gate: Record) -> None:
    """What gate and evaluation both say."""
    for name, words in (("campaign", "another campaign"), ("applied_at", "another time of application")):
        if evaluation.get(name) != gate.get(name):
            raise BrokenError(f"its gate names {words}")
    _the_one(evaluation, "candidate")
    champions = [each.get("id") for each in evaluation["candidates"] if each.get("role") == "champion"]
    if champions not in ([], [gate.get("champion")]):
        raise BrokenError("it compares its candidate with another champion than its gate")
    if gate.get("is_exploratory") and not (
        evaluation.get("is_exploratory") or evaluation.get("is_simulated")
    ):
        raise BrokenError("its gate was applied after the first review, and it is not marked as exploratory")
    if evaluation["level"] > gate["gate"]["alpha"] * _ROUNDING:
        raise BrokenError("it spends more than its gate's whole budget")
    if [each["condition"] for each in evaluation["results"]] != gate["gate"]["conditions"]:
        raise BrokenError("its results are not those of the gate's conditions")


def _require_concluded(evaluation: Record) -> None:
    """The verdict follows from what became of the conditions; one that is undecided at the last evaluation
    counts as failed.
    """
    verdict, share = evaluation.get("verdict"), evaluation.get("share")
    if verdict not in VERDICTS:
        raise BrokenError(f"there is no verdict “{_quoted(verdict)}”")
    if share is not None and not math.isclose(share, evaluation["candidate_reviews"] / evaluation["planned"]):
        raise BrokenError("its share of the planned reviews does not match its counts")
    states = {each["state"] for each in evaluation["results"]}
    if not states or not states <= {MET, NOT_MET, UNDECIDED}:
        raise BrokenError("it has no results of the conditions")
    if NOT_MET in states or (UNDECIDED in states and share is not None and share >= 1):
        follows = DO_NOT_RELEASE
    else:
        follows = NOT_YET if UNDECIDED in states else RELEASE
    if verdict != follows:
        raise BrokenError(f"its verdict is “{verdict}”, but from its results follows “{follows}”")


def _require_states(evaluation: Record, scored: list[Record]) -> None:
    """A condition's state must be one that the scores allow: bounds lie around an estimate, so that what
    holds is reached by the estimate and what failed is not. Conditions on totals and failing levels need the
    rubric, which a dossier does not hold.
    """
    label = _the_one(evaluation, "candidate").get("label")
    champions = [each.get("label") for each in evaluation["candidates"] if each.get("role") == "champion"]
    for number, result in enumerate(evaluation["results"], start=1):
        condition, state = result["condition"], result["state"]
        threshold = condition.get("threshold")
        if label is None or not isinstance(threshold, int | float):
            continue
        estimates, wants_more = _estimates(condition, scored, label, *champions[:1])
        limit = -threshold if condition.get("kind") == "non_inferiority" else threshold
        reached = [each >= limit if wants_more else each <= limit for each in estimates]
        if estimates and ((state == MET and not any(reached)) or (state == NOT_MET and all(reached))):
            raise BrokenError(
                f"it says that condition {number} is “{state}”, and the scores before it come to "
                f"{estimates[0]:.4g} against {limit:.4g}"
            )


def _estimates(
    condition: Record, scored: list[Record], label: str, champion: str = ""
) -> tuple[list[float], bool]:
    """What the scores come to, over items and over reviews (a condition may rest on either), and whether more
    of it is wanted; none where they say nothing of the condition.
    """
    kind, key = condition.get("kind"), condition.get("criterion")
    own = [each for each in scored if each.get("candidate") == label]
    if kind in ("items", "reviewers"):
        return [float(len({each.get(kind.removesuffix("s")) for each in own}))], True
    values = _by_item(own, key)
    if kind == "low_share" and condition.get("at_most") is not None:
        values = {
            item: [float(each <= condition["at_most"]) for each in given] for item, given in values.items()
        }
        return _means(values), False
    if kind == "floor":
        return _means(values), True
    if kind not in ("non_inferiority", "superiority"):
        return [], True
    against = _by_item([each for each in scored if each.get("candidate") == champion], key)
    shared = values.keys() & against.keys()
    pairs = [({i: values[i] for i in shared}, {i: against[i] for i in shared}), (values, against)]
    return [a - b for own, other in pairs for a, b in zip(_means(own), _means(other), strict=False)], True


def _by_item(scored: list[Record], key: Any) -> dict[Any, list[float]]:
    values: dict[Any, list[float]] = {}
    for each in scored:
        value = each["scores"].get(key)
        if isinstance(value, int | float):
            values.setdefault(each.get("item"), []).append(float(value))
    return values


def _means(values: dict[Any, list[float]]) -> list[float]:
    if not values:
        return []
    return [fmean(map(fmean, values.values())), fmean(each for given in values.values() for each in given)]


def _the_one(evaluation: Record, role: str) -> Record:
    found: list[Record] = [each for each in evaluation["candidates"] if each.get("role") == role]
    if len(found) != 1:
        raise BrokenError(f"it does not have exactly one {role}")
    return found[0]


def _quoted(value: object) -> str:
    """As it can be shown in a sentence: no line ends, nothing that a terminal obeys, not
    longer than a line.
    """
    shown = "".join(each if each.isprintable() else "�" for each in str(value)[: _LONGEST_QUOTE + 1])
    return shown if len(shown) <= _LONGEST_QUOTE else f"{shown[:_LONGEST_QUOTE]}…"


def check(lines: Iterable[str], *, seal: str = "") -> CheckResult:
    """Follow the chain from its first record; stops at the first that does not hold."""
    reader = _Reader()
    for line in lines:
        place = f"Record {reader.number + 1}"
        try:
            record = json.loads(line, object_pairs_hook=_without_doubles, parse_constant=_no_number)
        except (ValueError, RecursionError):
            return CheckResult(f"{place}: it is not JSON, or names a field twice.")
        if not isinstance(record, dict):
            return CheckResult(f"{place}: it is not an object.")
        try:
            reader.take(record)
        except (BrokenError, *_OF_ANOTHER_FORM) as error:
            why = (
                error
                if isinstance(error, BrokenError)
                else "its content does not have the form of such a record"
            )
            return CheckResult(f"{place} ({_quoted(record.get('kind', 'of no kind'))}): {why}.")
    if not reader.kinds or reader.kinds[-1] != SEAL:
        return CheckResult(
            f"Record {reader.number + 1}: the dossier ends before its seal; records are missing."
        )
    if seal and reader.previous != seal.strip().lower():
        return CheckResult(
            f"Record {reader.number} (seal): its hash is {reader.previous}, not the seal that you gave. The"
            " chain itself is valid: either the seal was mistyped or belongs to another file, or the chain"
            " was written again."
        )
    return CheckResult("", reader.number, reader.count, reader.previous, reader.told)


def _without_doubles(pairs: list[tuple[str, Any]]) -> Record:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a field is given twice")
    return found


def _no_number(name: str) -> None:
    raise ValueError(f"JSON knows no {name}")


def main(arguments: list[str]) -> int:
    """0: the chain holds and ends in the given seal. 1: it does not hold, and where. 2: there is no such
    file. 3: unsealed: it holds in itself, and nothing was given to compare it with.
    """
    parser = argparse.ArgumentParser(
        prog="python -m evalapp.dossier", description="Check a decision's dossier without any server."
    )
    parser.add_argument("file", type=Path)
    parser.add_argument("--seal", default="", help="The seal that the decision's page shows.")
    options = parser.parse_args(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal that knows fewer characters than the file must not turn a finding into a crash.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        with options.file.open(encoding="utf-8", errors="surrogateescape") as lines:
            found = check(lines, seal=options.seal)
    except OSError as error:
        print(f"{options.file} cannot be read: {error.strerror}.", file=sys.stderr)
        return UNREADABLE
    if found.problem:
        print(f"BROKEN. {found.problem}")
        return BROKEN
    told = f"{', '.join(found.told)}; {found.records} records.\nSeal: {found.seal}"
    if options.seal:
        print(f"The chain is valid: {told} (as you gave it)")
        return VERIFIED
    print(f"UNSEALED: anybody with this file could have rewritten it. It is consistent: {told}")
    print("Compare the seal with the one on the decision's page, or give that one with --seal.")
    return UNSEALED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
