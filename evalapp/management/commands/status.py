"""`manage.py status`: processes, memory and queues; exit code 1 if evalapp is down."""

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from typing import Any

import redis
from django.core.management.base import BaseCommand
from django.db import DatabaseError

from evalapp.embedded import programs, state
from evalapp.embedded.addresses import health
from evalapp.embedded.ownership import Ownership
from evalapp.embedded.problems import what_failed
from evalapp.embedded.services import broker_answers, database_answers
from evalapp.embedded.supervisor import COMMAND
from evalapp.env import Environment, environment
from evalapp.jobs import heartbeats
from evalapp.jobs.queries import oldest_waits
from evalapp.templatetags.durations import duration
from run_directory import disk_space

_MEGABYTE = 10**6


@dataclass(frozen=True)
class Status:
    """The state of the installation. Memory is in bytes (PSS); `queues`: None if the broker does not answer.

    `silent_for`: seconds since the last heartbeat of each worker and the scheduler; `oldest_waits`: the
    longest waiting time in seconds by queue; `disk`: the free space in the home, and the reason if writing is
    refused.
    """

    home: str
    address: str
    supervisor: int | None
    web: bool
    database: bool
    broker: bool
    queues: dict[str, int] | None
    services: list[dict[str, Any]]
    silent_for: dict[str, float]
    oldest_waits: dict[str, float]
    disk: dict[str, Any]

    @property
    def up(self) -> bool:
        return self.web and self.database and self.broker


class Command(BaseCommand):
    help = "Show what runs, processes, memory and the number of waiting jobs. Exit code 1 if evalapp is down."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="Print JSON.")

    def handle(self, *args: Any, **options: Any) -> None:
        status = look(state.as_running(environment()))
        if options["json"]:
            self.stdout.write(json.dumps(asdict(status), indent=1))
        else:
            for line in _lines(status):
                self.stdout.write(line)
        if not status.up:
            sys.exit(1)


def look(wanted: Environment) -> Status:
    """Ask every part whether it answers; takes a few seconds if one hangs."""
    owner = Ownership(wanted).current_owner()
    answer = health(wanted)
    broker, database = broker_answers(wanted), database_answers(wanted)
    return Status(
        home=str(wanted.home),
        address=wanted.bind.url,
        supervisor=owner.pid if owner is not None and owner.command == COMMAND else None,
        web=answer is not None and answer[0] == 200,
        database=database,
        broker=broker,
        queues=_queues(wanted) if broker else None,
        services=[
            {
                **asdict(service),
                "memory": state.process_memory(service.pid) if service.pid else 0,
                "frozen": service.pid is not None and state.is_frozen(service.pid),
            }
            for service in state.read(wanted)
        ],
        silent_for={each.name: each.age for each in heartbeats.heartbeats()} if broker else {},
        oldest_waits=_oldest_waits() if database else {},
        disk=_disk(wanted),
    )


def _oldest_waits() -> dict[str, float]:
    try:
        return {queue: waits.total_seconds() for queue, waits in oldest_waits().items()}
    except DatabaseError:  # before the first start has created the tables
        return {}


def _disk(wanted: Environment) -> dict[str, Any]:
    try:
        disk_space.check_writes(wanted.home)
        refusal = ""
    except OSError as error:
        refusal = what_failed(error)
    free = disk_space.free_bytes(wanted.home) if wanted.home.exists() else None
    return {"free_bytes": free, "refusal": refusal}


def _queues(wanted: Environment) -> dict[str, int]:
    client = redis.Redis.from_url(wanted.redis_url, socket_timeout=2)
    with client:
        return {queue: int(client.llen(queue)) for queue in programs.QUEUES}


def _lines(status: Status) -> list[str]:
    headline = f"evalapp is {'up' if status.up else 'down'}: {status.address} ({status.home})"
    parts = {"web": status.web, "database": status.database, "broker": status.broker}
    lines = [headline, ", ".join(f"{name} {'answers' if up else 'silent'}" for name, up in parts.items())]
    if status.supervisor is not None:
        lines.append(f"{'process':16}{'pid':>8}{'memory':>10}{'restarts':>10}")
        lines += [
            f"{service['name']:16}{service['pid'] or 'starting':>8}"
            f"{service['memory'] / _MEGABYTE:>7.0f} MB{service['restarts']:>10}"
            f"{'  frozen: stopped by a signal' if service['frozen'] else ''}"
            for service in status.services
        ]
    if status.queues is not None:
        lines.append("waiting: " + ", ".join(f"{name} {count}" for name, count in status.queues.items()))
    lines += [
        f"the oldest job of {queue} has waited for {duration(waits)}"
        for queue, waits in status.oldest_waits.items()
    ]
    if status.silent_for:
        ages = (f"{name} {duration(age)} ago" for name, age in status.silent_for.items())
        lines.append("heard: " + ", ".join(ages))
    lines += [
        f"{name} does not respond: it hangs, or its machine is down"
        for name, age in status.silent_for.items()
        if age > heartbeats.SILENT_SECONDS
    ]
    if status.disk["refusal"]:
        lines.append(
            f"the disk of {status.home} accepts no writes ({status.disk['refusal']}). Free some space. "
            "Pages can still be read."
        )
    if status.disk["free_bytes"] is not None:
        lines.append(f"disk: {status.disk['free_bytes'] / _MEGABYTE:,.0f} MB free")
    return lines
