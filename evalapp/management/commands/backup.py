"""`manage.py backup FILE`: writes the database and the files into one file, also while evalapp runs."""

import argparse
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from evalapp.embedded.backups import back_up, check_target
from evalapp.embedded.problems import ServiceProblem
from evalapp.embedded.services import ensure_running
from evalapp.env import environment


class Command(BaseCommand):
    help = "Write the database and the files into one file, completely or not at all; evalapp may be running."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--force", action="store_true", help="replace an existing file")

    def handle(self, *args: Any, **options: Any) -> None:
        target = options["file"].expanduser().absolute()
        wanted = environment()
        try:
            check_target(wanted, target, replace=options["force"])
            with ensure_running(wanted):
                manifest = back_up(wanted, target)
        except ServiceProblem as problem:
            raise CommandError(str(problem)) from problem
        megabytes = target.stat().st_size / 10**6
        self.stdout.write(
            f"{target}: the database and {len(manifest.members) - 1} files, {megabytes:.1f} MB. It "
            "contains the secret key and personal data: keep it private."
        )
