"""A reviewer tells the manager that something is wrong with an item, and keeps it."""

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from evalapp.accounts.models import User
from evalapp.audit.models import AuditEvent
from evalapp.campaigns.models import Assignment, AssignmentState, Campaign, Method
from evalapp.core.errors import ConflictError
from evalapp.decisions.inbox import inbox_of
from evalapp.reviews.flags import resolve_flag
from evalapp.reviews.models import Flag
from evalapp.reviews.preferences.answers import PreferenceAnswers
from tests.api.conftest import program_of
from tests.campaigns.making import make_open_campaign
from tests.cast import client_of
from tests.kept_cast import FIXTURES, Cast, again
from tests.reviews import conftest as rated
from tests.reviews.preferences import conftest as compared

pytestmark = pytest.mark.django_db
cast, owner, manager, engineer, reviewer, other_reviewer, project, empty_project = FIXTURES
NOTE = "The facts are of another <b>client</b>."


@pytest.fixture(scope="module", params=Method.values)
def made(request: pytest.FixtureRequest, cast: Cast) -> Campaign:
    """One that rates and one of each that compares: a flag is the same in all of them."""
    name = str(request.param)
    return make_open_campaign(
        cast.project, [cast.reviewer], rows=3, candidates=3, method=name, name=name, dataset=name, rubric=name
    )


@pytest.fixture
def campaign(made: Campaign) -> Campaign:
    return again(made)


def address_in_progress(campaign: Campaign, client: Client) -> str:
    page = client.get(f"/reviews/campaigns/{campaign.key}/", follow=True)
    return str(page.context["payload"]["url"])


def flag(campaign: Campaign, person: User, note: str = NOTE, *, api: bool = False) -> object:
    client = client_of(person)
    url = address_in_progress(campaign, client)
    if api:
        return program_of(person).post(f"/api/v1{url}flag/", {"note": note})
    headers = {"accept": "application/json"}
    return client.post(f"{url}flag/", {"note": note}, content_type="application/json", headers=headers)


def test_a_flag_reaches_the_manager_and_the_item_stays(
    campaign: Campaign, reviewer: User, manager: User
) -> None:
    assert flag(campaign, reviewer).json() == {"flagged": True}

    stored = Flag.objects.get()
    assert (stored.note, stored.reviewer, stored.resolved_at) == (NOTE, reviewer, None)
    assert Assignment.objects.get(state=AssignmentState.IN_PROGRESS).reviewer == reviewer
    assert AuditEvent.objects.get(action="item.flagged").object_id == stored.pk
    (entry,) = [each for each in inbox_of(campaign.project) if each.kind == "flagged"]
    assert "1 flag of reviewers to resolve" in entry.text
    page = client_of(manager).get(entry.href).content.decode()
    assert "another &lt;b&gt;client&lt;/b&gt;." in page
    assert reviewer.name not in page.partition("page-head")[2]
    case = client_of(manager).get(
        f"/projects/{campaign.project.slug}/results/{campaign.pk}/cases/{stored.item_id}/"
    )
    assert "A reviewer flagged this item" in case.content.decode()


def test_the_form_works_without_scripts(campaign: Campaign, reviewer: User) -> None:
    client = client_of(reviewer)
    url = address_in_progress(campaign, client)

    answer = client.post(f"{url}flag/", {"note": NOTE}, follow=True)

    assert answer.redirect_chain == [(url, 302)]
    assert "The item stays assigned to you." in answer.content.decode()


def test_a_second_note_takes_the_assignment_of_the_first(campaign: Campaign, reviewer: User) -> None:
    flag(campaign, reviewer)
    assert flag(campaign, reviewer, "Also cut short.", api=True).status_code == 204
    assert [each.note for each in Flag.objects.all()] == ["Also cut short."]


@pytest.mark.parametrize("note", ["", "  \u200b", "x" * 501, "a\x00b"])
def test_a_note_that_says_nothing_is_refused(campaign: Campaign, reviewer: User, note: str) -> None:
    # The API refuses a NUL wherever it stands, before it looks at the field.
    for api in (False,) if "\x00" in note else (False, True):
        answer = flag(campaign, reviewer, note, api=api)
        assert (answer.status_code, list(answer.json()["error"]["fields"])) == (400, ["note"])
    assert not Flag.objects.exists()


def test_nobody_flags_what_they_neither_hold_nor_reviewed(
    campaign: Campaign, reviewer: User, other_reviewer: User
) -> None:
    assignment = campaign.assignments.filter(state=AssignmentState.AVAILABLE).first()
    for person in (reviewer, other_reviewer):
        answer = client_of(person).post(
            f"/{'preferences' if campaign.compares else 'reviews'}/{assignment.key}/0/flag/",
            {"note": NOTE},
            content_type="application/json",
        )
        assert answer.status_code == 404


def test_what_was_submitted_can_still_be_flagged(campaign: Campaign, reviewer: User) -> None:
    client = client_of(reviewer)
    url = f"{address_in_progress(campaign, client)}flag/"
    while Assignment.objects.filter(state=AssignmentState.IN_PROGRESS).exists():
        if campaign.compares:
            review_context = compared.claim(campaign, reviewer)
            given = (
                PreferenceAnswers("a")
                if campaign.method == Method.PAIRWISE
                else PreferenceAnswers("", [2, 1, 3])
            )
            compared.judge(campaign, reviewer, given, review_context=review_context)
        else:
            rated.submit(campaign, reviewer)
    answer = client.post(url, {"note": NOTE}, content_type="application/json")
    assert answer.status_code == 200


def test_a_manager_resolves_a_flag_once(
    campaign: Campaign, reviewer: User, manager: User, engineer: User
) -> None:
    flag(campaign, reviewer)
    stored = Flag.objects.get()
    address = f"/projects/{campaign.project.slug}/campaigns/{campaign.pk}/flags/{stored.pk}/resolve/"
    assert client_of(engineer).post(address).status_code == 403

    assert client_of(manager).post(address).status_code == 302
    stored.refresh_from_db()
    assert stored.resolved_by == manager
    assert client_of(manager).post(address).status_code == 409
    with pytest.raises(ConflictError):
        resolve_flag(flag=stored, by=manager)
    assert [each.kind for each in inbox_of(campaign.project) if each.kind == "flagged"] == []
    page = client_of(manager).get(
        f"/projects/{campaign.project.slug}/campaigns/{campaign.pk}/flags/?show=resolved"
    )
    assert manager.name in page.content.decode()
    # What comes up later opens another.
    flag(campaign, reviewer, "Again.")
    assert Flag.objects.count() == 2


def test_the_api_lists_and_resolves(campaign: Campaign, reviewer: User, manager: User) -> None:
    flag(campaign, reviewer, api=True)
    base = f"/api/v1/projects/{campaign.project.slug}/campaigns/{campaign.pk}/flags/"
    client = program_of(manager)

    (row,) = client.get(base).json()["results"]

    assert set(row) == {"id", "item", "note", "created_at", "resolved_at"}
    assert client.post(f"{base}{row['id']}/resolve/").status_code == 204
    assert client.post(f"{base}{row['id']}/resolve/").status_code == 409


def test_a_flag_is_resolved_by_somebody_at_some_time(campaign: Campaign, reviewer: User) -> None:
    flag(campaign, reviewer)
    for half in ({"resolved_by": reviewer}, {"resolved_at": timezone.now()}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Flag.objects.update(**half)


def test_the_list_costs_the_same_for_one_and_for_three(
    campaign: Campaign, reviewer: User, other_reviewer: User, manager: User
) -> None:
    client = client_of(manager)
    address = f"/projects/{campaign.project.slug}/campaigns/{campaign.pk}/flags/"
    client.get(address)
    counts = []
    for number in (1, 2):
        for item in campaign.items.all()[: 2 * number - 1]:
            Flag.objects.get_or_create(
                campaign=campaign, item=item, reviewer=reviewer, defaults={"note": NOTE}
            )
        with CaptureQueriesContext(connection) as queries:
            client.get(address)
        counts.append(len(queries))
    assert Flag.objects.count() == 3
    assert counts[0] == counts[1]
