"""Django's sessions in the database, with the read that every request makes written out."""

from functools import cache
from typing import cast

from django.contrib.sessions.backends.db import SessionStore as DatabaseSessionStore
from django.contrib.sessions.models import Session

from evalapp.core.joins import JoinedRows


@cache
def _rows() -> JoinedRows:
    return JoinedRows(session=Session)


class SessionStore(DatabaseSessionStore):
    def _get_session_from_db(self) -> Session | None:
        found = _rows().first(
            "FROM django_session session WHERE session_key = %(key)s AND expire_date > now()",
            {"key": self.session_key},
        )
        if found is None:
            self._session_key = None
            return None
        (session,) = found
        return cast(Session, session)
