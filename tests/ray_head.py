"""A real Ray head whose node has its own home, in separate processes."""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from evalapp.jobs.ray_cluster import ClusterError, RayCluster
from tests.installations import eventually, free_port

STARTS_WITHIN_SECONDS = 180


class RayHead(NamedTuple):
    address: str
    home: Path
    """EVALAPP_HOME of the node."""
    process: "subprocess.Popen[bytes]"
    temporary: Path

    @property
    def cluster(self) -> RayCluster:
        return RayCluster(self.address)

    def kill(self) -> None:
        """End the head and everything that it started, like a power cut."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, 9)
        self.process.wait()
        # Ray's processes leave the process group, and some rename themselves; all have this environment
        # variable.
        eventually(lambda: not self._end_the_rest(), 30, "all of Ray's processes are gone")

    def _end_the_rest(self) -> list[int]:
        found = _processes_with(f"RAY_HEAD_OF_TESTS={self.temporary}")
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, 9)
        return found


@contextlib.contextmanager
def running_head(
    home: Path, *, gpus: int = 0, agent_port: int = 0, variables: Mapping[str, str] | None = None
) -> Iterator[RayHead]:
    """A running head; with ``agent_port`` 0 its job agent takes a free port instead of Ray's fixed
    default.
    """
    # It contains sockets, whose paths must be short.
    temporary = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))
    binaries = Path(sys.executable).parent
    dashboard = free_port()
    process = subprocess.Popen(
        [
            *(str(binaries / "ray"), "start", "--head", "--block", f"--port={free_port()}", "--num-cpus=2"),
            *(f"--num-gpus={gpus}", "--min-worker-port=0", "--max-worker-port=0", "--include-dashboard=true"),
            *(f"--dashboard-port={dashboard}", f"--dashboard-agent-listen-port={agent_port}"),
            *(f"--temp-dir={temporary}", "--disable-usage-stats", "--object-store-memory=100000000"),
        ],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True, cwd=home,
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith("EVALAPP_")},
            "PATH": f"{binaries}:{os.environ['PATH']}", "EVALAPP_HOME": str(home),
            "RAY_HEAD_OF_TESTS": str(temporary), **(variables or {}),
        },
    )  # fmt: skip
    head = RayHead(f"http://127.0.0.1:{dashboard}", home, process, temporary)
    try:
        eventually(
            lambda: process.poll() is None and _answers(head.cluster), STARTS_WITHIN_SECONDS, "Ray answers"
        )
        yield head
    finally:
        head.kill()
        shutil.rmtree(temporary, ignore_errors=True)


def _answers(cluster: RayCluster) -> bool:
    try:
        return cluster.jobs("evalapp-") == []
    except ClusterError:
        return False


def _processes_with(variable: str) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdecimal() and variable.encode() in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
    return found
