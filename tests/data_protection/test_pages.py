"""An owner searches for a person, looks at what was found, erases it and reads the receipt."""

from types import SimpleNamespace

import pytest

from evalapp.accounts.models import User
from evalapp.core.errors import ConflictError
from evalapp.data_protection.models import Erasure
from evalapp.data_protection.services import discard, hash_of, start_erasing, start_search
from evalapp.data_protection.tasks import erase_person, search_person
from evalapp.jobs.services import request_cancel
from tests.api.conftest import program_of
from tests.cast import client_of
from tests.data_protection.conftest import MARKS, NAME, TEXTS, leaks, snapshot

pytestmark = pytest.mark.django_db


def test_an_owner_searches_confirms_and_reads_the_receipt(world: SimpleNamespace) -> None:
    owner = client_of(world.owner)
    address = f"/projects/{world.project.slug}/settings/erasures/"
    answer = owner.post(address, {"texts": "\r\n".join(TEXTS), "reason": "Request 7"})
    assert answer.status_code == 302
    erasure = Erasure.objects.select_related("job").get()
    page = owner.get(answer.url)
    assert "Searching" in page.text and 'button-danger">Erase<' not in page.text
    search_person(erasure.job.pk)
    page = owner.get(answer.url)
    assert "Dataset rows" in page.text and "Nothing is erased before you confirm it" in page.text
    refused = owner.post(answer.url, {"action": "erase"})
    assert refused.status_code == 400 and "Tick this box to erase." in refused.text
    assert owner.post(answer.url, {"action": "erase", "confirm": "on"}).status_code == 302
    erasure.refresh_from_db()
    erase_person(erasure.job.pk)
    receipt = owner.get(answer.url).text
    assert "Receipt of erasure" in receipt and "Backups made before" in receipt and "Request 7" in receipt
    assert hash_of(world.project, NAME) in receipt and ">Letters v1</a>" in receipt
    # What a page holds of the person may only be what they typed themselves.
    assert not any(mark in receipt.casefold() for mark in MARKS)
    version = owner.get(f"/projects/{world.project.slug}/data/{world.version.dataset_id}/v1/card/").text
    assert "personal data in 1 row; the hashes are from before the erasure" in version
    assert "Request 7" in owner.get(address).text


def test_the_same_for_programs(world: SimpleNamespace) -> None:
    program = program_of(world.owner)
    erasures = f"projects/{world.project.slug}/erasures/"
    started = program.post(erasures, {"texts": list(TEXTS), "reason": "Request 7"})
    assert started.status_code == 202, started.content
    assert not any(mark in started.text.casefold() for mark in MARKS)
    erasure = Erasure.objects.select_related("job").get()
    address = f"{erasures}{erasure.pk}/"
    assert program.post(f"{address}erase/", {"confirm": True}).status_code == 409
    search_person(erasure.job.pk)
    found = program.get(address).json()
    assert found["state"] == "found" and {"place": "outputs", "rows": 1} in found["counts"]
    assert program.post(f"{address}erase/", {"confirm": False}).status_code == 400
    assert program.post(f"{address}erase/", {"confirm": True}).status_code == 202
    erasure.refresh_from_db()
    erase_person(erasure.job.pk)
    receipt = program.get(address).json()
    assert receipt["state"] == "done" and receipt["remaining"]["versions"] == [world.version.pk]
    assert leaks() == []
    assert len(program.get(erasures).json()["results"]) == 1


@pytest.mark.parametrize(
    "body",
    [
        {"texts": [], "reason": "x"},
        {"texts": ["ab"], "reason": "x"},
        {"texts": ["abc"] * 21, "reason": "x"},
        {"texts": ["a" * 201], "reason": "x"},
        {"texts": ["---"], "reason": "x"},
        {"texts": ["erased"], "reason": "x"},
        {"texts": ["abc"], "reason": " "},
        {"texts": ["abc"]},
    ],
)
def test_what_identifies_nobody_is_refused(world: SimpleNamespace, body: dict[str, object]) -> None:
    assert program_of(world.owner).post(f"projects/{world.project.slug}/erasures/", body).status_code == 400
    assert not Erasure.objects.exists()


def test_a_discarded_search_forgets_the_texts_and_erases_nothing(world: SimpleNamespace) -> None:
    before = snapshot()
    erasure = start_search(project=world.project, texts=TEXTS, reason="A request", by=world.owner)
    with pytest.raises(ConflictError, match="Cancel it first"):
        discard(erasure=erasure, by=world.owner)
    search_person(erasure.job.pk)
    address = f"/projects/{world.project.slug}/settings/erasures/{erasure.pk}/"
    assert client_of(world.owner).post(address, {"action": "discard"}).status_code == 302
    erasure.refresh_from_db()
    assert (erasure.state, erasure.sealed_texts) == ("discarded", "")
    assert snapshot() == before
    with pytest.raises(ConflictError):
        start_erasing(erasure=erasure, by=world.owner)


def test_a_cancelled_erasure_changes_nothing_and_can_be_started_again(world: SimpleNamespace) -> None:
    erasure = start_search(project=world.project, texts=TEXTS, reason="A request", by=world.owner)
    search_person(erasure.job.pk)
    erasure = start_erasing(erasure=erasure, by=world.owner)
    before = snapshot()
    first = erasure.job
    request_cancel(job=first, by=world.owner)
    erase_person(first.pk)
    assert snapshot() == before
    erasure = start_erasing(erasure=erasure, by=world.owner)
    erase_person(first.pk)
    assert snapshot() == before
    erase_person(erasure.job.pk)
    assert leaks() == []


def test_nobody_but_an_owner_may(world: SimpleNamespace, manager: User) -> None:
    address = f"/projects/{world.project.slug}/settings/erasures/"
    for person in (manager, world.engineer):
        assert client_of(person).get(address).status_code == 403
        answer = client_of(person).post(address, {"texts": NAME, "reason": "x"})
        assert answer.status_code == 403
    assert "erasures/" not in client_of(manager).get(f"/projects/{world.project.slug}/settings/").text
