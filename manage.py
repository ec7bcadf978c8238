#!/usr/bin/env python
"""The product's command line: `./manage.py help`."""

import contextlib
import os
import sys

# These start the servers themselves, need none, or must not run beside them.
WITHOUT_SERVERS = frozenset(
    {"up", "work", "status", "backup", "restore", "help", "version", "check", "collectstatic", "makemessages"}
)


# Its 1 means “do not ship”.
FAILURE_OF = {"gate": 3}


def needs_servers(arguments: list[str]) -> bool:
    """Whether `manage.py ARGUMENTS` talks to the database or the broker."""
    if not arguments or arguments[0].startswith("-") or arguments[0] in WITHOUT_SERVERS:
        return False
    return not {"-h", "--help"} & set(arguments)


def main(arguments: list[str]) -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "evalapp.settings")
    failure = FAILURE_OF.get(arguments[0] if arguments else "", 1)
    try:
        from django.core.management import execute_from_command_line

        from evalapp.embedded.problems import ServiceProblem
        from evalapp.embedded.services import ensure_running
        from evalapp.env import EnvironmentProblem
    except ImportError as error:
        print(f"{error}. Run `make run` once: it installs what evalapp needs.", file=sys.stderr)
        return failure
    try:
        with ensure_running() if needs_servers(arguments) else contextlib.nullcontext():
            execute_from_command_line(["manage.py", *arguments])
    except (ServiceProblem, EnvironmentProblem) as problem:
        print(problem, file=sys.stderr)
        return failure
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
