"""A one-time link that signs the site admin in, for when single sign-on is broken."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from evalapp.accounts.emergency import MINUTES, emergency_path
from evalapp.accounts.models import User
from evalapp.core.errors import ProblemError
from evalapp.embedded import state
from evalapp.env import environment


class Command(BaseCommand):
    help = "Print a one-time link that signs the site admin in without a password or the identity provider."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--email", required=True, help="Email of the site admin.")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.with_email(options["email"]).first()
        if user is None:
            raise CommandError(f"There is no account with the email {options['email']}.")
        try:
            path = emergency_path(user)
        except ProblemError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"{state.as_running(environment()).bind.url}{path}")
        self.stdout.write(f"The link works once, within {MINUTES} minutes. Keep it to yourself.")
