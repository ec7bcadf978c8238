"""`manage.py work`: trains and generates on this machine for an installation on another machine."""

import os
import socket
import sys
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from evalapp.core.artifacts import artifact_store
from evalapp.core.errors import ProblemError
from evalapp.core.installation import disagreements
from evalapp.embedded import preparation, programs
from evalapp.embedded.database_versions import check_database_version
from evalapp.embedded.problems import ServiceProblem
from evalapp.embedded.services import why_broker_is_silent, why_database_is_silent
from evalapp.embedded.your_database import check_your_database
from evalapp.env import Environment, environment
from evalapp.registry.folders import bases_on_disk
from evalapp.runs.programs.model_programs import why_not_runnable
from run_directory.store import StoreError


class Command(BaseCommand):
    help = (
        "Train and generate on this machine for an evalapp on another machine. Both need the same "
        "DATABASE_URL, REDIS_URL and EVALAPP_ARTIFACTS; see docs/operations.md."
    )
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        wanted = environment()
        if problems := list(_problems(wanted)):
            raise CommandError("\n".join(problems))
        program = programs.model_worker(wanted, machine=socket.gethostname())
        for line in _told(wanted):
            self.stdout.write(line)
        self.stdout.flush()
        os.chdir(program.folder or wanted.home)
        os.nice(program.niceness)
        # The worker replaces this process, so signals and exit status are its own.
        os.environ.pop(programs.SUPERVISOR_VARIABLE, None)
        os.execv(sys.executable, [str(word) for word in program.command])  # noqa: S606  # our own command


def _problems(wanted: Environment) -> Iterator[str]:
    """The reasons why this machine cannot work, as sentences; without those that follow from an earlier
    one.
    """
    if wanted.embedded_postgres or wanted.embedded_valkey:
        yield (
            "Set DATABASE_URL and REDIS_URL to the PostgreSQL and the Redis server of the machine that "
            "serves the pages. The embedded servers do not accept connections from other machines."
        )
        return
    reasons = {
        "database in DATABASE_URL": why_database_is_silent(wanted),
        "server in REDIS_URL": why_broker_is_silent(wanted),
    }
    silent = {name: reason for name, reason in reasons.items() if reason}
    for name, reason in silent.items():
        yield (
            f"The {name} does not answer ({reason}). Start it, open its port to this machine, or correct "
            "the URL."
        )
    if silent:
        return
    try:
        check_database_version(wanted)
        check_your_database(wanted)
    except ServiceProblem as too_old:
        yield str(too_old)
        return
    yield from disagreements()
    if not preparation.is_current():
        yield (
            "The database has the schema of another release. Check out the commit of the machine that "
            "serves the pages, and let `manage.py up` there migrate the database to it."
        )
    if problem := why_not_runnable():
        yield problem
    try:
        if (store := artifact_store()) is not None:
            store.check()
    except ProblemError as error:
        yield error.message
    except StoreError as error:
        yield f"{error} Correct EVALAPP_ARTIFACTS, AWS_ENDPOINT_URL or its keys."


def _told(wanted: Environment) -> Iterator[str]:
    yield f"Training and generating on {socket.gethostname()} for the installation in DATABASE_URL."
    yield f"Store: {wanted.machines.store or 'none; ' + str(wanted.home) + ' is shared'}"
    bases = [folder.label for folder in bases_on_disk()]
    yield f"Base models here: {', '.join(bases) or 'none yet; put them into EVALAPP_MODEL_FOLDERS'}"
