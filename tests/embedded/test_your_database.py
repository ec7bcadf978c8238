"""A database of one's own that cannot be used is refused at the start, with what to do."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import psycopg
import pytest

from evalapp.embedded.postgres import PostgresServer
from evalapp.embedded.problems import ServiceProblem
from evalapp.embedded.services import why_broker_is_silent, why_database_is_silent
from evalapp.embedded.your_database import check_your_database
from evalapp.env import Environment
from tests.installations import temporary_installation


class LosingConnection(psycopg.Connection[Any]):
    """A connection whose session forgets between transactions what was prepared in it, as
    behind PgBouncer.
    """

    def transaction(self, *arguments: Any, **named: Any) -> AbstractContextManager[Any]:
        self.pgconn.exec_(b"DEALLOCATE ALL")
        return super().transaction(*arguments, **named)


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with temporary_installation() as made:
        running = PostgresServer(made.environment, durable=False)
        running.start()
        yield running
        running.stop()


@pytest.fixture
def yours(server: PostgresServer) -> Environment:
    return replace(server._environment, embedded_postgres=False)


@pytest.fixture
def other_role(server: PostgresServer, yours: Environment) -> Iterator[Environment]:
    """The same database through a role that neither owns it nor anything in it."""
    with server._superuser_connection() as administrator:
        administrator.execute("CREATE ROLE other LOGIN PASSWORD 'of-the-test'")
    host = quote(str(yours.socket_folder), safe="")
    yield replace(yours, database_url=f"postgresql://other:of-the-test@/evalapp?host={host}")
    with psycopg.connect(yours.database_url) as owner:
        owner.execute("DROP TABLE IF EXISTS evalapp_user")
        owner.execute("REVOKE CREATE ON SCHEMA public FROM other")
    with server._superuser_connection() as administrator:
        administrator.execute("DROP ROLE other")


def test_its_owner_may_use_it(yours: Environment) -> None:
    check_your_database(yours)


def test_a_pooler_that_loses_prepared_statements_is_refused(
    yours: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evalapp.embedded.your_database.psycopg.connect", LosingConnection.connect)
    with pytest.raises(ServiceProblem, match=r"does not exist.*max_prepared_statements.*pool_mode = session"):
        check_your_database(yours)


def test_a_role_that_may_make_no_tables_is_told_what_to_ask_for(other_role: Environment) -> None:
    with pytest.raises(ServiceProblem, match=r'role other .* ALTER DATABASE "evalapp" OWNER TO "other"'):
        check_your_database(other_role)


def test_a_role_to_which_the_tables_do_not_belong_is_told_whose_they_are(
    yours: Environment, other_role: Environment
) -> None:
    with psycopg.connect(yours.database_url) as owner:
        owner.execute("CREATE TABLE evalapp_user (id int)")
        owner.execute("GRANT CREATE ON SCHEMA public TO other")
    with pytest.raises(ServiceProblem, match=r"evalapp_user .* belongs to evalapp.*REASSIGN OWNED"):
        check_your_database(other_role)


def test_a_server_that_does_not_answer_tells_the_drivers_reason(yours: Environment) -> None:
    away = replace(
        yours, database_url="postgresql://nobody@127.0.0.1:1/nothing", redis_url="redis://127.0.0.1:1/0"
    )
    assert "Connection refused" in why_database_is_silent(away)
    assert "Connection refused" in why_broker_is_silent(away)
    wrong = replace(yours, database_url=yours.database_url.replace("/evalapp?", "/elsewhere?"))
    assert 'database "elsewhere" does not exist' in why_database_is_silent(wrong)
    assert "\n" not in why_database_is_silent(wrong)
