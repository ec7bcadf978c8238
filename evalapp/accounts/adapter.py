from allauth.account.adapter import DefaultAccountAdapter
from django.db import transaction
from django.http import HttpRequest

from evalapp.accounts.models import User
from evalapp.accounts.one_time_links import void_links_for
from evalapp.accounts.people import lock_person
from evalapp.audit.services import record
from evalapp.core.client_address import client_address


class ClosedSignUpAdapter(DefaultAccountAdapter):
    """Nobody signs up by themselves: people come by invitation or `manage.py create_owner`."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    @transaction.atomic
    def set_password(self, user: User, password: str) -> None:
        """Store the password and void the links that would set another. ConflictError once the data is
        deleted.
        """
        lock_person(user)
        user.set_password(password)
        user.save(update_fields=["password"])
        void_links_for(user, by=user)
        record("person.password_set", by=user, obj=user)

    def get_client_ip(self, request: HttpRequest) -> str:
        return client_address(request)
