"""Erasing while others work: on real transactions."""

import threading
from types import SimpleNamespace

import pytest
from django.db import connection

from evalapp.data_protection import erasing
from evalapp.data_protection.person import ERASED
from evalapp.data_protection.remaining import what_remains
from evalapp.data_protection.services import start_erasing
from evalapp.data_protection.tasks import erase_person
from evalapp.jobs.services import request_cancel
from evalapp.jobs.work import Work
from evalapp.reviews.models import Review
from tests.at_once import until_somebody_waits
from tests.data_protection.conftest import NAME, leaks, searched, snapshot

pytestmark = pytest.mark.django_db(transaction=True)


def test_what_somebody_saves_meanwhile_is_not_written_over(
    world: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    erasure = start_erasing(erasure=searched(world.project, world.owner), by=world.owner)
    comment, saved = f"Rather this, {NAME}.", []
    locking = erasing._erase_rows

    def save() -> None:
        try:
            saved.append(Review.objects.exclude(comment="").update(comment=comment))
        finally:
            connection.close()

    def erase_after_somebody_saved(place, keys, person, touched) -> None:
        # They were found as they were; now they say something else.
        if place.model == "Review" and keys:
            other = threading.Thread(target=save)
            other.start()
            other.join()
        locking(place, keys, person, touched)

    monkeypatch.setattr(erasing, "_erase_rows", erase_after_somebody_saved)
    erase_person(erasure.job.pk)
    assert saved == [1]
    assert Review.objects.exclude(comment="").get().comment == f"Rather this, {ERASED}."


def test_whoever_writes_a_row_that_is_being_erased_waits_for_the_end(
    world: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    erasure = start_erasing(erasure=searched(world.project, world.owner), by=world.owner)
    threads = []

    def save() -> None:
        try:
            Review.objects.filter(comment__contains=ERASED).update(seconds_active=77)
            Review.objects.exclude(comment="").update(seconds_active=78)
        finally:
            connection.close()

    def with_somebody_waiting(*arguments) -> dict[str, object]:
        threads.append(threading.Thread(target=save))
        threads[0].start()
        until_somebody_waits()
        return what_remains(*arguments)

    monkeypatch.setattr(erasing, "what_remains", with_somebody_waiting)
    erase_person(erasure.job.pk)
    threads[0].join()
    review = Review.objects.exclude(comment="").get()
    assert review.seconds_active == 78 and ERASED in review.comment
    assert leaks() == []


def test_a_cancel_before_the_end_changes_nothing(
    world: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    erasure = start_erasing(erasure=searched(world.project, world.owner), by=world.owner)
    before = snapshot()
    remains = erasing.what_remains

    def cancelled(*arguments) -> dict[str, object]:
        thread = threading.Thread(target=_cancel, args=[erasure])
        thread.start()
        thread.join()
        monkeypatch.setattr(Work, "is_cancelled", property(lambda work: True))
        return remains(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(erasing, "what_remains", cancelled)
        erase_person(erasure.job.pk)
    erasure.refresh_from_db()
    erasure.job.refresh_from_db()
    assert (erasure.job.state, erasure.state) == ("cancelled", "erasing")
    assert snapshot() == before


def _cancel(erasure) -> None:
    try:
        request_cancel(job=erasure.job, by=None)
    finally:
        connection.close()
