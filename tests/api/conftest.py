import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from evalapp.accounts.models import User
from evalapp.accounts.tokens import create_api_token


class Program:
    """Asks the API with somebody's token; ``secret`` is that token, or "" for none."""

    def __init__(self, secret: str) -> None:
        self.secret = secret
        self._client = Client()

    def ask(self, method: str, path: str, content: bytes | str = b"", **options: Any) -> Any:
        """Send bytes as they are. ``path`` is below /api/v1/, or a whole address."""
        headers = {"Authorization": f"Bearer {self.secret}"} if self.secret else {}
        headers |= options.pop("headers", {})
        address = path if path.startswith(("/", "http")) else f"/api/v1/{path}"
        kind = options.pop("content_type", "application/json")
        return self._client.generic(method, address, content, kind, headers=headers, **options)

    def get(self, path: str, **options: Any) -> Any:
        return self.ask("GET", path, **options)

    def post(self, path: str, body: object = None, **options: Any) -> Any:
        return self.ask("POST", path, json.dumps({} if body is None else body), **options)

    def put(self, path: str, body: object, **options: Any) -> Any:
        return self.ask("PUT", path, json.dumps(body), **options)

    def patch(self, path: str, body: object, **options: Any) -> Any:
        return self.ask("PATCH", path, json.dumps(body), **options)


def program_of(user: User | None) -> Program:
    return Program(create_api_token(user=user, name="Test", by=user).secret if user else "")


@pytest.fixture
def program_for() -> Callable[[User | None], Program]:
    return program_of


#: An id moved far away, whole: parts of times and UUIDs have its first digits now and then.
FAR_ID = re.compile(r"(?<![\w.])98765\d{4}(?!\w)")


def move_ids_far_away(*tables: str) -> None:
    """Ids of rows that must not show, far from any other figure, so that finding one means something. Never
    back: what a file's tests share may have such ids already.
    """
    with connection.cursor() as cursor:
        for table in tables:
            sequence = f"evalapp_{table}_id_seq"
            cursor.execute(f"SELECT setval('{sequence}', greatest(last_value, 987650000)) FROM {sequence}")


def problem_in(response: Any, status: int) -> dict[str, Any]:
    """The error of an answer, which must have the one shape that all errors have."""
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/json"
    body = response.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"code", "message", "fields"}
    assert all(isinstance(texts, list) for texts in body["error"]["fields"].values())
    return dict(body["error"])
