from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest


class ClosedSignUpAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Nobody signs up by themselves: people come by invitation or `manage.py create_owner`."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False
