"""A Ray cluster as its Jobs API (REST) shows it, so that neither web nor worker needs the library, or its
version.
"""

import hashlib
import io
import json
import os
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import urllib3
from django.conf import settings

from evalapp.core.errors import ProblemError

_CODE_PACKAGES = ("inference", "run_directory", "training")
_FINAL_STATES = frozenset({"SUCCEEDED", "FAILED", "STOPPED"})
_LONGEST_SHOWN = 300
_CONNECTING_SECONDS, _ANSWERING_SECONDS = 5.0, 30.0
_SUBMITTING_SECONDS = 180.0
"""A head answers once it has found a node for the job."""
AGENT_SECONDS = 60.0
"""How long a head that answers may be without its job agent: its start takes longer than the dashboard's."""
_AGENT_POLL_SECONDS = 1.0
_NO_AGENT = "No available agent"
_EPOCH = (2020, 1, 1, 0, 0, 0)


class ClusterError(ProblemError):
    """The cluster cannot be used now (503)."""

    status = 503
    code = "cluster_away"


class RayJob(NamedTuple):
    """``exit_code`` is None before the end, and for a job that was stopped or broke off."""

    name: str
    status: str
    message: str
    error_type: str
    exit_code: int | None

    @property
    def has_ended(self) -> bool:
        return self.status in _FINAL_STATES

    @property
    def is_waiting(self) -> bool:
        """For room. Told to stop, it stays so until there is room, and then stops at once."""
        return self.status == "PENDING"

    @property
    def has_waited_too_long(self) -> bool:
        """Whether Ray gave it up before its start: the cluster had no room for
        RAY_JOB_START_TIMEOUT_SECONDS.
        """
        return self.error_type == "JOB_SUPERVISOR_ACTOR_START_TIMEOUT"


class RayCluster:
    """Every method raises ClusterError."""

    def __init__(self, url: str) -> None:
        self._url = url
        headers = {"Content-Type": "application/json"}
        if token := os.environ.get("RAY_AUTH_TOKEN"):
            headers["Authorization"] = f"Bearer {token}"
        self._http = urllib3.PoolManager(headers=headers, retries=False)

    def submit(
        self,
        name: str,
        command: str,
        *,
        variables: dict[str, str],
        gpus: float,
        rest: Callable[[float], None] = time.sleep,
    ) -> None:
        """Queue a command; it runs in a folder with the programs' code. ``gpus`` are reserved for it.

        ``rest`` waits so many seconds while the head, just started, takes no jobs yet.
        """
        code = _packed_code()
        package = f"_ray_pkg_{hashlib.sha256(code).hexdigest()[:16]}.zip"
        if self._request("GET", f"/api/packages/gcs/{package}", allowed=(200, 404)).status == 404:
            self._request("PUT", f"/api/packages/gcs/{package}", body=code)
        job = {
            "submission_id": name,
            "entrypoint": command,
            "entrypoint_num_gpus": gpus,
            "runtime_env": {"working_dir": f"gcs://{package}", "env_vars": variables},
        }
        deadline = time.monotonic() + AGENT_SECONDS
        while not self._is_taken(job):
            if time.monotonic() > deadline:
                raise ClusterError(
                    f"The Ray cluster at {self._url} answers, but its head has no job agent, so it takes no"
                    " jobs. Most often another Ray on that machine has the agent's port (52365): end it, or"
                    " start the head with --dashboard-agent-listen-port=PORT; dashboard_agent.log of the"
                    " head says more. Then start the run again."
                )
            rest(_AGENT_POLL_SECONDS)
            if self.job(name) is not None:
                return

    def _is_taken(self, job: dict[str, Any]) -> bool:
        """Whether the head took a job; False while it has no agent for it."""
        body = json.dumps(job).encode()
        answer = self._request(
            "POST", "/api/jobs/", body=body, allowed=(200, 500), seconds=_SUBMITTING_SECONDS
        )
        if answer.status == 200:
            return True
        if _NO_AGENT.encode() not in answer.data:
            raise self._refusal_error("POST", "/api/jobs/", answer)
        return False

    def job(self, name: str) -> RayJob | None:
        """None when the cluster knows no such job."""
        answer = self._request("GET", f"/api/jobs/{name}", allowed=(200, 404))
        return _ray_job(self._read(answer)) if answer.status == 200 else None

    def jobs(self, prefix: str) -> list[RayJob]:
        """The jobs whose names begin so."""
        found = [_ray_job(each) for each in self._read(self._request("GET", "/api/jobs/"))]
        return [job for job in found if job.name.startswith(prefix)]

    def stop(self, name: str) -> None:
        """Ask a job to save and stop; nothing for one that has ended or is not known."""
        self._request("POST", f"/api/jobs/{name}/stop", allowed=(200, 404))

    def log(self, name: str) -> str:
        """What the job has said; empty when there is nothing."""
        answer = self._request("GET", f"/api/jobs/{name}/logs", allowed=(200, 404))
        return str(self._read(answer).get("logs") or "") if answer.status == 200 else ""

    def _request(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        allowed: tuple[int, ...] = (200,),
        seconds: float = _ANSWERING_SECONDS,
    ) -> urllib3.BaseHTTPResponse:
        try:
            timeout = urllib3.Timeout(connect=_CONNECTING_SECONDS, read=seconds)
            answer = self._http.request(method, f"{self._url}{path}", body=body, timeout=timeout)
        except urllib3.exceptions.HTTPError as error:
            raise ClusterError(
                f"The Ray cluster at {self._url} does not answer ({type(error).__name__}). Start it, open its"
                " port to this machine, or correct RAY_ADDRESS; then start the run again."
            ) from error
        if answer.status not in allowed:
            raise self._refusal_error(method, path, answer)
        return answer

    def _refusal_error(self, method: str, path: str, answer: urllib3.BaseHTTPResponse) -> ClusterError:
        said = " ".join(answer.data[-_LONGEST_SHOWN:].decode(errors="replace").split())
        return ClusterError(
            f"The Ray cluster at {self._url} answered {answer.status} to {method} {path}: {said}"
        )

    def _read(self, answer: urllib3.BaseHTTPResponse) -> Any:
        try:
            return json.loads(answer.data)
        except ValueError as error:
            raise ClusterError(
                f"{self._url} does not answer like Ray's Jobs API. Correct RAY_ADDRESS."
            ) from error


def _ray_job(fields: dict[str, Any]) -> RayJob:
    return RayJob(
        str(fields.get("submission_id") or ""),
        str(fields.get("status")),
        str(fields.get("message") or ""),
        str(fields.get("error_type") or ""),
        fields.get("driver_exit_code"),
    )


def _packed_code() -> bytes:
    """The programs' source as a zip that is the same for the same source."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for package in _CODE_PACKAGES:
            for path in sorted((Path(settings.BASE_DIR) / package).rglob("*.py")):
                name = path.relative_to(settings.BASE_DIR).as_posix()
                archive.writestr(zipfile.ZipInfo(name, _EPOCH), path.read_bytes())
    return packed.getvalue()
