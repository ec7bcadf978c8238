"""While a project shows no names, what its reviewers did stands under numbers, on every page
and in the API.
"""

from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from django.urls import resolve
from django.utils import timezone

from evalapp.accounts.models import Project, User
from evalapp.campaigns.gold import set_gold
from evalapp.campaigns.models import Campaign, CampaignReviewer
from evalapp.campaigns.services import open_campaign
from tests.access_objects import make_world
from tests.api.conftest import program_of
from tests.blindness.spy import Spy, ask_every_address
from tests.blindness.world import far_ids, leaks_in
from tests.campaigns.making import make_campaign
from tests.cast import client_of
from tests.factories import answers
from tests.reviews.checking import gold_of, review_on
from tests.test_access import PROJECT_ROUTES, Route

pytestmark = pytest.mark.django_db
NAMES = ("Zoltan Zwicky", "Yolanda Yperen")

# Where somebody is needed by name, because something is done to them; none of these says how they review.
BY_NAME = {
    *("member_list", "api_members", "api_member"),
    *("campaign_detail", "campaign_new", "campaign_edit", "campaign_assignments"),
    *("stream_new", "stream_edit"),
    # Who did what when, for those who must account for it: an auditor's record, not a page about reviews.
    *("audit_list", "api_audit"),
}


@pytest.fixture
def world(project: Project, reviewer: User, other_reviewer: User) -> Iterator[SimpleNamespace]:
    """Two people with unmistakable names and ids: both have given their round of calibration, the second has
    begun first; one is admitted and has answered gold and repeats.
    """
    with far_ids():
        people = []
        for name, person in zip(NAMES, (reviewer, other_reviewer), strict=True):
            # Their ids tell their table, as all others here.
            made = User.objects.create_user(f"{name[:3]}@cast.example", name=name)
            project.memberships.filter(user=person).update(user=made)
            people.append(made)
        first, second = people
        world = make_world(project, reviewer=second)
        draft = make_campaign(
            project, people, rows=40, candidates=1, overlap=2, dataset="Checked rows",
            gold_share=20, repeat_share=50, calibration_items=2,
        )  # fmt: skip
        set_gold(campaign=draft, rows=gold_of(*range(1, 6)), by=None)
        campaign = open_campaign(campaign=draft, by=None)
        review_on(campaign, second, lambda _: answers(tone=1))
        review_on(campaign, first, lambda _: answers(tone=5))
        campaign.reviewers.filter(user=second).update(admitted_at=timezone.now())
        review_on(campaign, second, lambda assignment: answers(tone=1 + assignment.pk % 5), most=40)
        world.campaign, world.user, world.people = campaign, second, people
        world.campaign_reviewer = campaign.reviewers.get(user=second)
        world.review = campaign.reviews.filter(reviewer=second).latest("id")
        world.item_output = world.review.item_output
        world.item = world.item_output.item
        yield world


def named_at(world: SimpleNamespace, routes: list[Route]) -> set[str]:
    """The names of the addresses that tell the manager who a reviewer is, by name, address or id."""
    spy = Spy(world.project.created_by)
    ask_every_address(spy, routes, world, methods=("GET",))
    ids = {f"id {person.pk} of User" for person in world.people}
    secrets = {*NAMES, *(person.email for person in world.people)}
    found = set()
    for heard in spy.heard:
        assert heard.status < 500, heard
        if any(secret in heard.text for secret in secrets) or ids & set(leaks_in(heard.text, own_ids=set())):
            found.add(str(resolve(heard.asked.split()[1]).url_name))
    return found


def test_no_page_and_no_part_of_the_api_names_who_reviewed_how(world: SimpleNamespace) -> None:
    assert named_at(world, PROJECT_ROUTES) - BY_NAME == set()


def test_the_same_addresses_name_them_where_the_project_says_so(world: SimpleNamespace) -> None:
    """What the silence above is worth."""
    Project.objects.update(shows_reviewer_names=True)
    names = {
        *("campaign_checks", "campaign_calibration", "campaign_progress", "campaign_quality"),
        *("api_campaign_checks", "api_campaign_calibration", "api_campaign_progress"),
    }
    assert named_at(world, [route for route in PROJECT_ROUTES if route.name in names]) == names


def test_where_quotas_are_set_no_count_stands_beside_a_name(world: SimpleNamespace, manager: User) -> None:
    address = f"/projects/{world.project.slug}/campaigns/{world.campaign.pk}/assignments/"
    table = client_of(manager).get(address).text.partition("<table")[2].partition("</table>")[0]
    assert all(name in table for name in NAMES)
    assert 'class="right"' not in table
    # Nor does moving work say how much they had left.
    sent = {"source": "", "target": world.people[0].pk, "most": ""}
    moved = client_of(manager).post(address, sent, follow=True).text
    assert "were moved, up to the number you gave" in moved and "items moved" not in moved
    sent = {"source": world.people[0].pk, "target": None}
    told = program_of(manager).post(f"{_of(world.campaign)}reassign/", sent)
    assert (told.status_code, told.json()) == (200, {"moved": None})


def _of(campaign: Campaign) -> str:
    return f"projects/{campaign.project.slug}/campaigns/{campaign.pk}/"


def test_who_did_the_round_is_admitted_by_number(world: SimpleNamespace, manager: User) -> None:
    campaign = world.campaign
    page, browser = f"/{_of(campaign)}calibration/", client_of(manager)
    shown = browser.get(page).text
    assert '<button class="button" name="admit" value="2">' in shown and "/admit/" not in shown
    # The first row is Reviewer 1, who began first, not the first by name or by row.
    assert shown.index(">Reviewer 1") < shown.index(">Reviewer 2")
    done = browser.post(page, {"admit": "2"}, follow=True)
    assert "Reviewer 2 is admitted." in done.text and NAMES[0] not in done.text
    assert CampaignReviewer.objects.get(campaign=campaign, user=world.people[0]).admitted_at is not None
    again = browser.post(page, {"admit": "2"})
    assert again.status_code == 409 and "Reviewer 2 has been admitted already" in again.text
    for wrong in ("3", "x", "", "9" * 40):
        assert browser.post(page, {"admit": wrong}).status_code == 404


def test_programs_admit_by_number_and_not_by_name_who_has_begun(
    world: SimpleNamespace, manager: User, engineer: User
) -> None:
    campaign, program = world.campaign, program_of(manager)
    person = world.people[0]
    refused = program.post(f"{_of(campaign)}reviewers/{person.pk}/admit/")
    assert refused.status_code == 409 and "by their number" in refused.text
    told = program.post(f"{_of(campaign)}calibration/2/admit/").json()["people"]
    assert [(each["reviewer"], each["person"], each["is_admitted"]) for each in told] == [
        (1, None, True),
        (2, None, True),
    ]
    # Who has given nothing yet is in no row that could change.
    fresh = CampaignReviewer.objects.create(campaign=campaign, user=engineer)
    assert program.post(f"{_of(campaign)}reviewers/{engineer.pk}/admit/").status_code == 200
    fresh.refresh_from_db()
    assert fresh.admitted_at is not None
