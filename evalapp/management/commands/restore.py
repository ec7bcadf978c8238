"""`manage.py restore FILE`: brings the installation back to the state of a backup."""

import argparse
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from evalapp.embedded import preparation, restores
from evalapp.embedded.addresses import health
from evalapp.embedded.problems import ServiceProblem
from evalapp.embedded.services import ensure_running_alone
from evalapp.env import environment


class Command(BaseCommand):
    help = "Replace the database and the files by those of a backup; evalapp must not be running."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--force", action="store_true", help="replace an existing installation")

    def handle(self, *args: Any, **options: Any) -> None:
        wanted = environment()
        try:
            # An external database may serve an evalapp of another home or machine.
            if not wanted.embedded_postgres and health(wanted) is not None:
                raise CommandError(f"evalapp is running at {wanted.bind.url}. Stop it first.")
            with ensure_running_alone(wanted):
                if not options["force"] and not restores.is_empty(wanted):
                    raise CommandError(
                        f"{wanted.home} already contains an installation. Back it up and add --force to"
                        " replace it, or set EVALAPP_HOME to an empty folder."
                    )
                manifest = restores.restore(wanted, options["file"].expanduser().absolute())
                preparation.migrate()
        except ServiceProblem as problem:
            raise CommandError(str(problem)) from problem
        self.stdout.write(
            f"Restored the database and {len(manifest.members) - 1} files as of"
            f" {manifest.made_at.isoformat()}."
        )
