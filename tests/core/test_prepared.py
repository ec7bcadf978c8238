import pytest
from django.db import OperationalError, connection, transaction

from evalapp.core.prepared import first_row, prepared_cursor

READ = "SELECT name FROM prepared_trial WHERE id = %(id)s"


@pytest.fixture
def table(transactional_db):
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE prepared_trial (id int PRIMARY KEY, name varchar(10))")
        cursor.execute("INSERT INTO prepared_trial VALUES (1, 'one')")
    yield
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE prepared_trial")


def change_the_type() -> None:
    # By another connection: a change by its own would end what it has prepared.
    other = connection.copy()
    del other.settings_dict["OPTIONS"]["pool"]
    with other.cursor() as cursor:
        cursor.execute("ALTER TABLE prepared_trial ALTER COLUMN name TYPE varchar(20)")
    other.close()


def keep_the_plan() -> None:
    for _ in range(8):
        assert first_row(READ, {"id": 1}) == ("one",)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%prepared_trial%'")
        assert cursor.fetchone() == (1,)


def test_plans_are_kept_and_a_changed_type_costs_one_try(table):
    keep_the_plan()
    change_the_type()
    with pytest.raises(OperationalError, match="have changed"):
        first_row(READ, {"id": 1})
    connection.close()
    assert first_row(READ, {"id": 1}) == ("one",)


def test_a_transaction_that_meets_a_changed_type_ends_whole(table):
    keep_the_plan()
    change_the_type()
    with pytest.raises(OperationalError), transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("UPDATE prepared_trial SET name = 'two'")
        first_row(READ, {"id": 1})
    connection.close()
    assert first_row(READ, {"id": 1}) == ("one",)


def test_no_row_is_none(table):
    assert first_row(READ, {"id": 2}) is None
    with prepared_cursor() as cursor:
        cursor.execute(READ, {"id": 1})
        assert cursor.fetchall() == [("one",)]
