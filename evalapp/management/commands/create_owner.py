"""Creates the first account with its project, or a link for setting a new password."""

import getpass
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.validators import validate_email
from django.db import transaction
from django.utils import timezone

from evalapp.accounts.email_verification import verify_email
from evalapp.accounts.emails import checked_email
from evalapp.accounts.identities import provider_name
from evalapp.accounts.models import User
from evalapp.accounts.one_time_links import void_links_of
from evalapp.accounts.people import password_path
from evalapp.audit.services import record
from evalapp.core.errors import ProblemError
from evalapp.core.names import checked_name
from evalapp.decisions.services import set_up_project
from evalapp.embedded import state
from evalapp.env import environment

FIRST_PROJECT = "First project"


@contextmanager
def _refuses_end_of_input() -> Iterator[None]:
    try:
        yield
    except EOFError as error:
        raise CommandError("The input ended. Nothing was stored; run the command again.") from error


class Command(BaseCommand):
    help = "Create an owner: an account with its own project. Run it again for a new password link."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--email", default="", help="Email to sign in with; asked for if missing.")
        parser.add_argument("--name", default="", help="Name of the person, as colleagues see it.")
        parser.add_argument(
            "--project",
            default="",
            help=f"Name of the project; default for a new account: “{FIRST_PROJECT}”.",
        )
        parser.add_argument(
            "--admin",
            action="store_true",
            help=(
                "Also make the person a site admin, who can read the audit of all projects but opens none of "
                "them by that alone."
            ),
        )
        parser.add_argument(
            "--link",
            action="store_true",
            help="Print a link for setting the password instead of asking for a password.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        email = options["email"] or self._ask_email()
        try:
            email = checked_email(email)
            validate_email(email)
        except ProblemError as error:
            raise CommandError(error.message) from error
        except ValidationError as error:
            raise CommandError(f"{email!r} is not an e-mail address.") from error
        user = User.objects.with_email(email).first()
        password = None
        # The password of an email that was never verified may be somebody else's.
        needs_one = user is None or not user.has_usable_password() or user.email_verified_at is None
        if settings.PASSWORDS_ALLOWED and not options["link"] and needs_one:
            password = self._ask_password(email, options["name"])
        try:
            user = self._store(user, email=email, password=password, options=options)
        except ProblemError as error:
            raise CommandError(error.message) from error
        address = state.as_running(environment()).bind.url
        if not settings.PASSWORDS_ALLOWED:
            self.stdout.write(f"{email} can sign in with {provider_name()} at {address}/accounts/login/")
        elif password is None:
            self.stdout.write(f"Set the password of {email} at {address}{password_path(user, by=None)}")
            self.stdout.write("The link works once, within three days.")
        else:
            self.stdout.write(f"{email} can sign in at {address}/accounts/login/")

    def _ask_email(self) -> str:
        if not sys.stdin.isatty():
            raise CommandError("There is no terminal to ask for the email. Give it with --email.")
        with _refuses_end_of_input():
            return input("E-mail address: ")

    def _ask_password(self, email: str, name: str) -> str:
        """The password typed twice, or the first line of a standard input that is not a terminal."""
        if sys.stdin.isatty():
            with _refuses_end_of_input():
                password = getpass.getpass("Password: ")
                again = getpass.getpass("Repeat the password: ")
            if again != password:
                raise CommandError("The two passwords differ. Nothing was stored; run the command again.")
        else:
            password = sys.stdin.readline().rstrip("\n")
            if not password:
                raise CommandError("There is no terminal to ask for a password. Run the command with --link.")
        try:
            validate_password(password, User(email=email, name=name))
        except ValidationError as error:
            raise CommandError("That password is not allowed. " + " ".join(error.messages)) from error
        return password

    @staticmethod
    @transaction.atomic
    def _store(user: User | None, *, email: str, password: str | None, options: dict[str, Any]) -> User:
        is_new = user is None
        if user is None:
            name = checked_name(options["name"], of="the person") if options["name"] else ""
            user = User.objects.create_user(email, password, name=name, email_verified_at=timezone.now())
            record("person.created", by=None, obj=user)
        else:
            _keep_person(user, password)
        if options["admin"] and not user.is_superuser:
            user.is_superuser = True
            user.save(update_fields=["is_superuser"])
            void_links_of(user, by=None)
            record("person.made_site_admin", by=None, obj=user)
        # A new account needs one: only an owner can create further projects.
        if name := options["project"] or (FIRST_PROJECT if is_new else ""):
            set_up_project(name=name, by=user)
        return user


def _keep_person(user: User, password: str | None) -> None:
    """Confirm the email of an existing account and set its password."""
    verify_email(user, how="create_owner")
    if password is not None:
        user.set_password(password)
        user.save(update_fields=["password"])
        record("person.password_set", by=None, obj=user)
    elif settings.PASSWORDS_ALLOWED:
        record("person.reset_link_created", by=None, obj=user)
