"""The state of the supervisor's processes, in a small file in the home."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import psutil

from evalapp.env import Bind, Environment


@dataclass(frozen=True)
class ServiceState:
    """One supervised child; `pid`: None between its death and its next start."""

    name: str
    pid: int | None
    restarts: int


def write(environment: Environment, services: Sequence[ServiceState]) -> None:
    path = _path(environment)
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps([asdict(service) for service in services]), encoding="utf-8")
    temporary.replace(path)
    _address_path(environment).write_text(json.dumps(environment.bind), encoding="utf-8")


def as_running(environment: Environment) -> Environment:
    """The environment with the address at which `manage.py up` serves this home, if it does, so that other
    commands need not be given it.
    """
    try:
        host, port = json.loads(_address_path(environment).read_text(encoding="utf-8"))
        return replace(environment, bind=Bind(str(host), int(port)))
    except (OSError, ValueError, TypeError):
        return environment


def read(environment: Environment) -> list[ServiceState]:
    """The last written states; empty if nothing runs."""
    try:
        return [ServiceState(**entry) for entry in json.loads(_path(environment).read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError):
        return []


def forget(environment: Environment) -> None:
    _path(environment).unlink(missing_ok=True)
    _address_path(environment).unlink(missing_ok=True)


def _path(environment: Environment) -> Path:
    return environment.home / "supervisor.json"


def _address_path(environment: Environment) -> Path:
    return environment.home / "address.json"


def process_memory(pid: int) -> int:
    """Memory of a process and its descendants in bytes, shared pages divided among the processes that share
    them (PSS).
    """
    return sum(_memory(member) for member in _members(pid))


def is_frozen(pid: int) -> bool:
    """Whether a signal has stopped the process or one of its descendants until it is continued."""
    return any(_status(member) == psutil.STATUS_STOPPED for member in _members(pid))


def _members(pid: int) -> list[psutil.Process]:
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _status(member: psutil.Process) -> str:
    try:
        return str(member.status())
    except psutil.NoSuchProcess:
        return psutil.STATUS_DEAD


def _memory(member: psutil.Process) -> int:
    try:
        return int(member.memory_full_info().pss)
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return 0
