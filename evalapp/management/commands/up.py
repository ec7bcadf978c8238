"""`manage.py up`: runs the whole product in the foreground, until Ctrl-C."""

import argparse
import importlib.util
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.management import get_commands
from django.core.management.base import BaseCommand, CommandError

from evalapp.accounts.models import User
from evalapp.core.installation import announce
from evalapp.core.static_build import build_browser_bundle
from evalapp.embedded import preparation, programs
from evalapp.embedded.problems import ServiceProblem
from evalapp.embedded.supervisor import AlreadyRunning, OneShot, Supervisor
from evalapp.env import Environment, environment


class Command(BaseCommand):
    help = "Start PostgreSQL, Valkey, the web, the workers and the scheduler, and keep them running."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--demo", action="store_true", help="also start the demonstration")
        parser.add_argument(
            "--without-model-worker",
            action="store_true",
            help="run no models here, because another machine trains and generates",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        wanted = environment()
        started = time.monotonic()

        def afterwards() -> Iterator[OneShot]:
            self._announce(wanted, time.monotonic() - started, demonstration=options["demo"])
            yield from _one_shots(
                wanted, demonstration=options["demo"], with_models=not options["without_model_worker"]
            )

        try:
            Supervisor(
                wanted,
                prepare=self._prepare,
                afterwards=afterwards,
                report=self._tell,
                with_model_worker=not options["without_model_worker"],
            ).run()
        except AlreadyRunning as running:
            self._tell(f"{running} Open {wanted.bind.url} or stop it first.")
        except ServiceProblem as problem:
            raise CommandError(str(problem)) from problem

    def _prepare(self) -> None:
        if preparation.migrate():
            self._tell("The database schema is current.")
        with preparation.briefly_connected():
            self._has_accounts = User.objects.exists()
        build_browser_bundle(settings.HOME / "build")
        preparation.collect_static_files()
        announce()

    def _announce(self, wanted: Environment, seconds: float, *, demonstration: bool) -> None:
        self._tell(f"evalapp runs at {wanted.bind.url} (ready after {seconds:.0f} s; Ctrl-C stops it)")
        if demonstration or wanted.demo_logins_file.exists():
            self._tell(f"Log-ins of the demonstration: {wanted.demo_logins_file}")
        elif not self._has_accounts:
            self._tell("Create the first account with: .venv/bin/python manage.py create_owner")
        self._tell(f"Logs: {wanted.log_folder}")

    def _tell(self, line: str) -> None:
        try:
            self.stdout.write(f"{datetime.now().astimezone():%Y-%m-%d %H:%M:%S} {line}")
            self.stdout.flush()
        except OSError:
            # The terminal is gone, but the product keeps running.
            sys.stdout = sys.stderr


def _one_shots(wanted: Environment, *, demonstration: bool, with_models: bool) -> Iterator[OneShot]:
    demonstration = demonstration and "demo" in get_commands()
    if demonstration:
        yield _demonstration("The recorded part of the demonstration is ready.")
    if not (with_models and _model_is_wanted(wanted)):
        return
    yield OneShot(
        program=programs.bundled_model(wanted),
        before="Downloading and converting the small model, once (about 100 MB; takes a minute) …",
        after="The small model is ready.",
        on_failure=(
            "The small model could not be created. Imported outputs and your own models can still be used."
        ),
    )
    if demonstration and wanted.bundled_model_folder.exists():
        yield _demonstration("The live part of the demonstration can run.")


def _demonstration(after: str) -> OneShot:
    return OneShot(
        program=programs.management_command("demo", "--start", niceness=5),
        before="",
        after=after,
        on_failure="The demonstration could not be started.",
    )


def _model_is_wanted(wanted: Environment) -> bool:
    if wanted.bundled_model_folder.exists():
        return False
    # A separate interpreter is assumed to have its packages.
    return str(wanted.model_python) != sys.executable or importlib.util.find_spec("torch") is not None
