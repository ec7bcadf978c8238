"""Settings of several machines from the environment: the store and the Ray cluster."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from run_directory.store import check_url

EXECUTORS = ("local", "ray")


@dataclass(frozen=True)
class RaySettings:
    """A Ray cluster's Jobs API, the GPUs that a run asks of the cluster, and the interpreter on its nodes."""

    url: str
    gpus: float
    python: str


@dataclass(frozen=True)
class MachineSettings:
    """``store`` is the address of the store between machines, empty where there is one machine alone; ``ray``
    is None where the model programs run beside their worker.
    """

    store: str
    ray: RaySettings | None


def machines_in(read: Callable[[str, Callable[[str], Any], Any], Any]) -> MachineSettings:
    """``read`` takes a variable's name, how to parse it, and what holds without it.

    Raises ValueError, with the variable's name, where Ray is chosen and its address is missing.
    """
    executor = read("EVALAPP_EXECUTOR", _executor, EXECUTORS[0])
    url = read("RAY_ADDRESS", _ray_url, "") if executor == "ray" else ""
    if executor == "ray" and not url:
        raise ValueError(
            "EVALAPP_EXECUTOR=ray needs RAY_ADDRESS as well: the cluster's dashboard, for instance "
            "http://ray-head:8265."
        )
    gpus = read("EVALAPP_RAY_GPUS", _share_of_gpus, 1.0)
    python = read("EVALAPP_RAY_PYTHON", str, "python")
    return MachineSettings(
        store=read("EVALAPP_ARTIFACTS", check_url, ""),
        ray=RaySettings(url, gpus, python) if url else None,
    )


def _executor(text: str) -> str:
    if text not in EXECUTORS:
        raise ValueError(f"write {' or '.join(EXECUTORS)}")
    return text


def _ray_url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query:
        raise ValueError("write the URL of the cluster's dashboard, for instance http://ray-head:8265")
    return text.rstrip("/")


def _share_of_gpus(text: str) -> float:
    gpus = float(text) if text.replace(".", "", 1).isdecimal() else -1.0
    if not 0 <= gpus <= 64 or (gpus > 1 and gpus != int(gpus)):
        raise ValueError(
            "write how many GPUs a run takes, for instance 1, 2, 0.5, or 0 for a cluster without"
        )
    return gpus
