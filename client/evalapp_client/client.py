"""The client of one project."""

from collections.abc import Callable
from types import TracebackType
from typing import Literal, Self
from urllib.parse import quote

import httpx

from evalapp_client.connection import Connection, Patience
from evalapp_client.deployments import (
    Deployment,
    Promotion,
    deploy,
    deployments_of,
    promote,
    roll_back,
)
from evalapp_client.errors import EvalappError
from evalapp_client.gates import Verdict, verdict_of
from evalapp_client.streams import Stream
from evalapp_client.taken import Refused


class Client:
    """Client of one project.

    ``url`` is the address of the installation, “https://evalapp.example.com”. ``token`` is an API token,
    “eva_…”, of a person whose role allows the requests. ``project`` is the project's name in its URL.

    Requests are repeated while the server is unreachable or throttles them, for up to ``patience.total``
    seconds; then UnreachableError, ThrottledError or ServerError is raised.
    """

    def __init__(
        self,
        url: str,
        token: str,
        project: str,
        *,
        timeout: float = 30.0,
        patience: Patience | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._connection = Connection(
            f"{url.rstrip('/')}/api/v1/projects/{quote(project, safe='')}/",
            token,
            timeout=timeout,
            patience=patience or Patience(),
            transport=transport,
        )
        self._streams: list[Stream] = []

    def stream(
        self,
        stream: int,
        *,
        most_waiting: int = 100_000,
        when_full: Literal["raise", "wait", "drop"] = "raise",
        every: float = 2.0,
        on_refused: Callable[[list[Refused]], None] | None = None,
    ) -> Stream:
        """The stream with this number, as in its URL.

        `Stream.log` and `Stream.assess` send in the background, in batches of up to 500 and at least once
        every ``every`` seconds. Up to ``most_waiting`` events and assessments wait while the server is
        unreachable. After that ``when_full`` decides: “raise” raises QueueFullError, “wait” blocks until
        there is room, and “drop” discards the new one, counts it in `Stream.dropped` and logs an error.
        ``on_refused`` is called in the background with everything that the server refused.
        """
        made = Stream(
            self._connection,
            stream,
            most_waiting=most_waiting,
            when_full=when_full,
            every=every,
            on_refused=on_refused,
        )
        self._streams.append(made)
        return made

    def gate(self, campaign: int, candidate: str = "", *, evaluate: bool = True) -> Verdict:
        """The verdict of the campaign's release gate on a candidate, by default the newest tuned one.

        An evaluation spends false-release budget if there are new reviews since the last one.
        ``evaluate=False`` reads the last recorded evaluation instead; raises EvalappError if that is of
        another candidate.
        """
        path = f"campaigns/{campaign}/gate/"
        if evaluate:
            answer = self._connection.ask("POST", path, {"candidate": candidate} if candidate else {})
        else:
            answer = self._connection.ask("GET", path)
        verdict = verdict_of(campaign, candidate, answer)
        if candidate and verdict.candidate != candidate:
            raise EvalappError(
                f"The last evaluation is of “{verdict.candidate}”, not of “{candidate}”. Evaluate the gate."
            )
        return verdict

    def promote(self, verdict: Verdict, note: str = "") -> Promotion:
        """Signs the gate's “release”, which makes the candidate the project's champion. Streams that follow
        the champion then switch to it. If a decision on this evaluation is already in force, it is returned.
        Raises EvalappError for any other verdict, and ApiError if the token's person may not decide or
        started the candidate's training.
        """
        return promote(self._connection, verdict, note)

    def deployments(self, stream: int) -> list[Deployment]:
        """Current and past deployments of the stream, newest first, at most 100."""
        return deployments_of(self._connection, stream)

    def deploy(
        self, stream: int, version: int, *, share: float = 1.0, served_as: str = "", note: str = ""
    ) -> Deployment:
        """Records that a model version serves this share of the stream's traffic from now on. With all of the
        traffic it replaces every other version; with a part, the others lose traffic in proportion.
        ``served_as`` is the model's name in the stream's events, by default the version's label.
        """
        return deploy(self._connection, stream, version, share=share, served_as=served_as, note=note)

    def roll_back(self, stream: int, reason: str) -> Deployment:
        """Gives all traffic back to the version that served the stream before the newest one. If the stream
        follows the champion, that version becomes the champion again. Raises ConflictError if there was no
        earlier version.
        """
        return roll_back(self._connection, stream, reason)

    def close(self, timeout: float = 30.0) -> None:
        """Closes all streams, then the connection. Raises the first error of `Stream.close` after everything
        is closed.
        """
        problem: EvalappError | None = None
        for stream in self._streams:
            try:
                stream.close(timeout)
            except EvalappError as error:
                problem = problem or error
        self._connection.close()
        if problem is not None:
            raise problem

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
