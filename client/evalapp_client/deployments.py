"""Which model version serves a stream: read, deploy, promote and roll back. Each call is safe to repeat."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evalapp_client.connection import AwayError, Connection
from evalapp_client.errors import ConflictError, EvalappError
from evalapp_client.gates import RELEASE, Verdict

ROLL_BACK = "roll_back"
_SMALLEST = 1e-9


@dataclass(frozen=True)
class Deployment:
    """A deployment of a model version on a stream.

    ``version`` is the id of the version, ``share`` its share of the stream's traffic (above 0, at most 1).
    ``origin`` is “promotion”, “recorded” or “roll_back”. ``ended_at`` is None while the version serves.
    """

    id: int
    stream: int
    version: int
    served_as: str
    share: float
    started_at: str
    ended_at: str | None
    origin: str
    note: str

    @property
    def is_running(self) -> bool:
        return self.ended_at is None


@dataclass(frozen=True)
class Promotion:
    """A decision that made a version the champion. ``seal`` is the last hash of its dossier."""

    decision: int
    version: int
    seal: str


def deployments_of(connection: Connection, stream: int) -> list[Deployment]:
    """The newest 100 deployments, newest first."""
    answer = connection.ask("GET", f"deployments/?stream={stream}&limit=100")
    return [_deployment(each) for each in answer["results"]]


def deploy(
    connection: Connection, stream: int, version: int, *, share: float, served_as: str, note: str
) -> Deployment:
    """Records that the version serves this share from now on; the other versions' shares shrink in
    proportion.
    """
    running = [each for each in deployments_of(connection, stream) if each.is_running]
    others = [each for each in running if each.version != version]
    held = sum(each.share for each in others)
    if share < 1 and held > 1 - share + _SMALLEST:
        for each in others:
            less = each.share * (1 - share) / held
            _record(connection, stream, each.version, share=less, served_as=each.served_as, note=each.note)
    return _record(connection, stream, version, share=share, served_as=served_as, note=note)


def _record(
    connection: Connection, stream: int, version: int, *, share: float, served_as: str, note: str
) -> Deployment:
    body = {"stream": stream, "version": version, "share": share, "served_as": served_as, "note": note}
    try:
        return _deployment(connection.ask("POST", "deployments/", body))
    except ConflictError:
        # An earlier attempt may have been stored although its response was lost.
        for each in deployments_of(connection, stream):
            if each.is_running and each.version == version and abs(each.share - share) < _SMALLEST:
                return each
        raise


def promote(connection: Connection, verdict: Verdict, note: str) -> Promotion:
    """Signs the evaluation behind the verdict."""
    if not verdict.is_release or verdict.evaluation is None or verdict.version is None:
        raise EvalappError(
            f"Only a recorded “release” is promoted, and the gate says:\n{verdict.explanation}"
        )
    body = {
        "campaign": verdict.campaign,
        "candidate": verdict.version,
        "verdict": verdict.verdict,
        "evaluation": verdict.evaluation,
        "note": note,
    }
    try:
        # The server answers a repeat of the same decision with the existing one.
        answer = connection.ask("POST", "decisions/", body)
    except ConflictError:
        signed = _signed_release(connection, verdict.evaluation, verdict.version)
        if signed is None:
            raise
        answer = signed
    return Promotion(int(answer["id"]), int(answer["candidate"]), str(answer["seal"]))


def _signed_release(connection: Connection, evaluation: int, version: int) -> Mapping[str, Any] | None:
    """The newest decision on the evaluation if it is a release in force, whoever signed it; otherwise
    None.
    """
    decisions = connection.ask("GET", "decisions/?limit=100")["results"]
    newest = next((each for each in decisions if each["evaluation"] == evaluation), None)
    if newest is None or newest["verdict"] != RELEASE:
        return None
    models = connection.ask("GET", "models/?limit=100")["results"]
    champion = next((each["id"] for each in models if each["alias"] == "champion"), None)
    return newest if champion == version else None


def roll_back(connection: Connection, stream: int, reason: str) -> Deployment:
    """Rolls back once. A second roll back would undo the first, so each repeat first checks whether the first
    arrived.
    """
    before = _newest(deployments_of(connection, stream))
    attempt = connection.attempt()
    while True:
        try:
            path = f"streams/{stream}/roll-back/"
            return _deployment(connection.ask_once("POST", path, connection.written({"reason": reason})))
        except AwayError as away:
            attempt.wait(away)
        newest = _newest(deployments_of(connection, stream))
        if newest is not None and newest != before and newest.origin == ROLL_BACK:
            return newest


def _newest(found: list[Deployment]) -> Deployment | None:
    return max(found, key=lambda each: each.id, default=None)


def _deployment(answer: Mapping[str, Any]) -> Deployment:
    return Deployment(
        id=int(answer["id"]),
        stream=int(answer["stream"]),
        version=int(answer["version"]),
        served_as=str(answer["served_as"]),
        share=float(answer["share"]),
        started_at=str(answer["started_at"]),
        ended_at=answer["ended_at"],
        origin=str(answer["origin"]),
        note=str(answer["note"]),
    )
