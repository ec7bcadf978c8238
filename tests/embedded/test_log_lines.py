"""What opens something to whoever reads it is in no log."""

import logging
from collections.abc import Iterator
from io import StringIO

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client
from gunicorn.config import Config

from evalapp.embedded.web_log import WebLog

TOKEN = "Zk3-_x9Q" * 5
SECRET_PATHS = [
    f"/invitations/{TOKEN}/",
    f"/invitations/{TOKEN}/nothing-here/",
    f"/accounts/password/reset/key/1a-{TOKEN}/",
    f"/accounts/emergency/{TOKEN}/",
]


@pytest.fixture
def log() -> Iterator[StringIO]:
    """What the product's own handler writes."""
    root = logging.getLogger()
    ours = next(handler for handler in root.handlers if handler.get_name() == "stderr")
    stream = StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(ours.formatter)
    root.addHandler(handler)
    yield stream
    root.removeHandler(handler)


@pytest.mark.django_db
@pytest.mark.parametrize("path", SECRET_PATHS)
def test_a_refused_request_leaves_no_secret_in_the_log(path: str, log: StringIO) -> None:
    Client().get(path)
    Client(enforce_csrf_checks=True).post(path)
    assert "***" in log.getvalue()
    assert TOKEN not in log.getvalue()


@pytest.mark.parametrize("path", SECRET_PATHS)
def test_the_servers_own_lines_hold_no_secret(path: str) -> None:
    settings = Config()
    settings.set("errorlog", "-")
    web_log = WebLog(settings)
    stream = StringIO()
    for handler in web_log.error_log.handlers:
        handler.setStream(stream)

    web_log.error("Error handling request %s", path)

    assert "Error handling request /" in stream.getvalue() and "***" in stream.getvalue()
    assert TOKEN not in stream.getvalue()


def test_other_addresses_are_logged_as_they_are(log: StringIO) -> None:
    paths = "/projects/invitations/members/ /projects/a/invitations/12/revoke/"
    logging.getLogger("evalapp").warning("%s", paths)
    assert paths in log.getvalue()


@pytest.mark.django_db
def test_rows_that_the_database_refused_are_in_no_log(log: StringIO) -> None:
    written = "the summary\n\nomits the dosage"
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE reviews (comment text CHECK (comment = ''))")
        try:
            with transaction.atomic():
                cursor.execute("INSERT INTO reviews VALUES (%s)", [written])
        except IntegrityError as error:
            logging.getLogger("evalapp").exception("refused")
            logging.getLogger("evalapp").warning("%r", error)
    assert log.getvalue().count('violates check constraint "reviews_comment_check"') >= 3
    assert "the summary" not in log.getvalue()
    assert "the dosage" not in log.getvalue()
    assert "The above exception was the direct cause" in log.getvalue()
