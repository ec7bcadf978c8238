"""The supported versions of PostgreSQL."""

import psycopg

from evalapp.embedded.binaries import POSTGRES_MAJOR
from evalapp.embedded.problems import ServiceProblem
from evalapp.env import Environment

OLDEST_MAJOR = 15
"""The first version with NULLS NOT DISTINCT, which some constraints need."""


def check_database_version(environment: Environment) -> None:
    """Raise ServiceProblem if the database's PostgreSQL is older than supported. The database must answer."""
    if environment.embedded_postgres:
        return
    with psycopg.connect(environment.database_url, connect_timeout=5) as connection:
        major = connection.info.server_version // 10_000
    if major < OLDEST_MAJOR:
        raise ServiceProblem(
            f"The database in DATABASE_URL is a PostgreSQL {major}, and evalapp needs PostgreSQL"
            f" {OLDEST_MAJOR} to {POSTGRES_MAJOR}: bring the server to one of them, or unset DATABASE_URL for"
            " the embedded one."
        )
