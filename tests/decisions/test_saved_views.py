"""Views of comparisons by name: one's own, and those that are shared with the project."""

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from evalapp.accounts.models import Project, User
from evalapp.accounts.people import anonymise_person
from evalapp.audit.models import AuditEvent
from evalapp.campaigns.models import Campaign
from evalapp.core.errors import ConflictError, InvalidError, NotAllowedError
from evalapp.decisions.models import SavedView
from evalapp.decisions.saved_views import change_view, save_view, views_for
from tests.analysis.segments import make_segmented
from tests.api.conftest import problem_in, program_of
from tests.cast import client_of

pytestmark = pytest.mark.django_db
QUERY = "field.segment=institutional&reviewers=1"


@pytest.fixture
def campaign(project: Project, reviewer: User, other_reviewer: User) -> Campaign:
    from tests.factories import review_all

    campaign = make_segmented(project, [reviewer, other_reviewer], rows=3)
    review_all(campaign, reviewer, {})
    return campaign


def saved(campaign: Campaign, by: User, name: str = "Institutional", *, shared: bool = False) -> SavedView:
    return save_view(campaign=campaign, name=name, query=QUERY, is_shared=shared, by=by)


def test_a_view_is_saved_from_the_page_and_opens_as_it_was(campaign: Campaign, manager: User) -> None:
    browser = client_of(manager)
    base = f"/projects/{campaign.project.slug}"
    page = browser.get(f"{base}/results/{campaign.pk}/?{QUERY}&page=3")
    assert "Save this view" in page.text
    assert "Save this view" not in browser.get(f"{base}/results/{campaign.pk}/").text
    answer = browser.post(
        f"{base}/results/{campaign.pk}/views/new/",
        {"name": "Institutional", "query": f"{QUERY}&page=3", "is_shared": "on"},
    )
    view = SavedView.objects.get()
    # What is no filter and no way of reading the page is not kept.
    assert (view.query, view.is_shared, view.owner) == (QUERY, True, manager)
    assert answer["Location"] == f"{base}/results/{campaign.pk}/?{QUERY}"
    opened = browser.get(f"{base}/results/views/{view.pk}/", follow=True)
    assert "a filtered view of 1 of 3 items" in opened.text
    assert ">Institutional<" in opened.text.replace("</a>", "<")
    event = AuditEvent.objects.get(action="saved_view.saved")
    assert event.data["query"] == QUERY


def test_a_private_view_is_its_owners_alone_and_a_shared_one_opens_for_the_project(
    campaign: Campaign, manager: User, engineer: User, owner: User
) -> None:
    private, shared = saved(campaign, engineer), saved(campaign, engineer, "For all", shared=True)
    base = f"/projects/{campaign.project.slug}/results/views"
    for person, expected in ((engineer, 302), (manager, 404), (owner, 404)):
        assert client_of(person).get(f"{base}/{private.pk}/").status_code == expected
        assert client_of(person).get(f"{base}/{shared.pk}/").status_code == 302
    assert [view.name for view in views_for(manager, campaign.project)] == ["For all"]
    assert client_of(manager).post(f"{base}/{private.pk}/delete/").status_code == 404
    listed = client_of(manager).get(f"{base}/").text
    assert "For all" in listed and "Institutional" not in listed
    program = program_of(manager)
    assert program.get(f"projects/{campaign.project.slug}/views/{private.pk}/").status_code == 404
    rows = program.get(f"projects/{campaign.project.slug}/views/").json()["results"]
    assert [row["name"] for row in rows] == ["For all"]


def test_rename_share_and_delete(campaign: Campaign, manager: User, engineer: User) -> None:
    view = saved(campaign, engineer)
    base = f"/projects/{campaign.project.slug}/results/views/{view.pk}"
    assert (
        client_of(engineer).post(f"{base}/edit/", {"name": "Large clients", "is_shared": "on"}).status_code
        == 302
    )
    view.refresh_from_db()
    assert (view.name, view.is_shared) == ("Large clients", True)
    # A manager keeps the shared ones in order, but takes nobody's into the dark.
    assert client_of(manager).post(f"{base}/edit/", {"name": "Clients", "is_shared": "on"}).status_code == 302
    refused = client_of(manager).post(f"{base}/edit/", {"name": "Clients"})
    assert (
        refused.status_code == 400 and "Only the person who saved a view can make it private" in refused.text
    )
    assert client_of(manager).post(f"{base}/delete/").status_code == 302
    assert not SavedView.objects.exists()
    actions = list(AuditEvent.objects.filter(action__startswith="saved_view").order_by("pk"))
    assert [event.action.split(".")[1] for event in actions] == ["saved", "changed", "changed", "deleted"]


def test_an_engineer_does_not_change_anothers_shared_view(
    campaign: Campaign, manager: User, engineer: User
) -> None:
    view = saved(campaign, manager, shared=True)
    with pytest.raises(NotAllowedError):
        change_view(view=view, name="Mine now", is_shared=True, by=engineer)
    base = f"/projects/{campaign.project.slug}/results/views/{view.pk}"
    assert "can change this view" in client_of(engineer).get(f"{base}/edit/").text
    assert client_of(engineer).post(f"{base}/delete/").status_code == 403


def test_names_are_unique_where_they_are_seen_together(
    campaign: Campaign, manager: User, engineer: User
) -> None:
    saved(campaign, manager)
    saved(campaign, engineer)
    saved(campaign, manager, shared=True)
    for shared in (True, False):
        with pytest.raises(ConflictError, match="called “Institutional” already"):
            saved(campaign, manager, shared=shared)
    mine = saved(campaign, engineer, "Other")
    with pytest.raises(ConflictError):
        change_view(view=mine, name="Institutional", is_shared=True, by=engineer)
    with pytest.raises(IntegrityError), transaction.atomic():
        SavedView.objects.create(
            project=campaign.project, campaign=campaign, owner=manager, name="x", query=""
        )


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("", "has no filter"),
        ("page=2", "has no filter"),
        ("field.colour=red", "no field “colour”"),
        ("colour=red", "“colour” is not a filter"),
        ("reviewers=1&" * 2_000, "at most 4,000 characters"),
    ],
)
def test_only_what_is_there_is_saved(query: str, words: str, campaign: Campaign, manager: User) -> None:
    with pytest.raises(InvalidError, match=words):
        save_view(campaign=campaign, name="x", query=query, is_shared=False, by=manager)
    body = {"campaign": campaign.pk, "name": "x", "query": query, "is_shared": False}
    problem = problem_in(program_of(manager).post(f"projects/{campaign.project.slug}/views/", body), 400)
    assert list(problem["fields"]) == ["query"]


def test_the_api_saves_changes_and_deletes(campaign: Campaign, manager: User) -> None:
    path = f"projects/{campaign.project.slug}/views/"
    program = program_of(manager)
    made = program.post(path, {"campaign": campaign.pk, "name": "A", "query": QUERY})
    assert made.status_code == 201
    assert (made.json()["query"], made.json()["is_shared"]) == (QUERY, False)
    one = f"{path}{made.json()['id']}/"
    assert program.patch(one, {"name": "B"}).json()["name"] == "B"
    shared = program.patch(one, {"is_shared": True}).json()
    assert (shared["name"], shared["is_shared"]) == ("B", True)
    assert program.ask("DELETE", one).status_code == 204
    problem_in(program.post(path, {"campaign": 10**9, "name": "A", "query": QUERY}), 400)


def test_private_views_go_with_their_owners_data(campaign: Campaign, engineer: User, manager: User) -> None:
    saved(campaign, engineer)
    saved(campaign, engineer, "Shared", shared=True)
    anonymise_person(user=engineer, by=engineer)
    assert [view.name for view in SavedView.objects.all()] == ["Shared"]


def test_the_list_takes_as_many_queries_for_three_as_for_one(campaign: Campaign, manager: User) -> None:
    address = f"/projects/{campaign.project.slug}/results/views/"
    browser = client_of(manager)
    counts = []
    for names in (["A"], ["B", "C"]):
        for name in names:
            saved(campaign, manager, name)
        browser.get(address)
        with CaptureQueriesContext(connection) as captured:
            browser.get(address)
        counts.append(len(captured))
    assert counts[0] == counts[1]
