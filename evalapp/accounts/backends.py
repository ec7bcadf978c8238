from functools import cache
from typing import Any

from allauth.account.auth_backends import AuthenticationBackend

from evalapp.accounts.models import User
from evalapp.core.joins import JoinedRows


@cache
def _rows() -> JoinedRows:
    return JoinedRows(person=User)


class AccountBackend(AuthenticationBackend):
    """allauth's, with the read of the person that every request makes written out."""

    def get_user(self, user_id: Any) -> User | None:
        found = _rows().first("FROM evalapp_user person WHERE id = %(id)s", {"id": user_id})
        if found is None:
            return None
        (user,) = found
        return user if self.user_can_authenticate(user) else None
