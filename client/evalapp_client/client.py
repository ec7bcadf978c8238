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
    """``url``: the installation's address, “https://evalapp.example.com”. ``token``: an API token, “eva_…”,
    of somebody whose role allows what is asked. ``project``: the project's name in its address.

    Requests are repeated while the server is away or wants to be asked more slowly, up to
    ``patience.total`` seconds; then UnreachableError, ThrottledError or ServerError is raised.
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
        """The stream with this number, as in its address.

        What `Stream.log` and `Stream.assess` are given is sent from the background in batches of up to 500,
        at the latest ``every`` seconds. ``most_waiting`` events and assessments may wait for a server that
        is away; then ``when_full`` decides: “raise” QueueFullError, “wait” until there is room, or “drop”
        the new one, counted in `Stream.dropped` and logged as an error. ``on_refused`` is called, in
        the background, with what the server refused.
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
        """The verdict of the campaign's release gate on a candidate, by default its newest tuned one.

        An evaluation spends false-release budget where there are new reviews since the last one. Without
        ``evaluate`` the last recorded evaluation is read; EvalappError where that is another candidate's.
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
        """Sign the gate's “release”, which makes the candidate the project's champion; streams that follow
        the champion are served by it from then on. One that somebody has signed already, and that is in
        force, is returned as it is. EvalappError where the verdict is another, ApiError where
        the token's person may not decide, or started the candidate's training.
        """
        return promote(self._connection, verdict, note)

    def deployments(self, stream: int) -> list[Deployment]:
        """What serves and served the stream, newest first; the newest hundred."""
        return deployments_of(self._connection, stream)

    def deploy(
        self, stream: int, version: int, *, share: float = 1.0, served_as: str = "", note: str = ""
    ) -> Deployment:
        """Record that a model version serves this share of the stream's traffic from now on. With all of it,
        it takes the place of every other; with a part, the others give up as much of theirs as that takes, in
        proportion. ``served_as``: what the stream's events call it, by default the version's label.
        """
        return deploy(self._connection, stream, version, share=share, served_as=served_as, note=note)

    def roll_back(self, stream: int, reason: str) -> Deployment:
        """Give all traffic back to the version that served the stream before the newest one; where the stream
        follows the champion, it becomes the champion again. ConflictError where none served before.
        """
        return roll_back(self._connection, stream, reason)

    def close(self, timeout: float = 30.0) -> None:
        """Close all streams, then the connection. Raises as `Stream.close`, once all are closed."""
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
