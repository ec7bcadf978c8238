"""The way in: a project switcher on every page, and what an empty project still needs."""

import re

import pytest

from evalapp.accounts.models import Project, User
from evalapp.campaigns.models import Campaign
from tests.campaigns.making import make_campaign, make_candidates, make_outputs, make_rubric, make_version
from tests.cast import client_of, make_project, make_user

pytestmark = pytest.mark.django_db


def rail_of(page: str) -> str:
    found = re.search(r'<nav class="rail".*?</nav>', page, re.DOTALL)
    assert found is not None
    return found.group()


def test_an_owner_finds_create_project_and_all_projects_on_every_page(project: Project, owner: User) -> None:
    other = make_project("Other", owner=owner)
    client = client_of(owner)
    base = f"/projects/{project.slug}"
    for address in (f"{base}/", f"{base}/data/", f"{base}/settings/", "/projects/", "/reviews/", "/profile/"):
        rail = rail_of(client.get(address).text)
        assert 'href="/projects/new/"' in rail and "Create project" in rail, address
        assert 'href="/projects/"' in rail and f'href="/projects/{other.slug}/"' in rail, address


def test_a_member_who_owns_nothing_switches_and_creates_none(
    project: Project, manager: User, reviewer: User
) -> None:
    rail = rail_of(client_of(manager).get(f"/projects/{project.slug}/").text)
    assert "All projects" in rail and "Create project" not in rail
    # Who only reviews sees their reviews alone.
    assert '<nav class="rail"' not in client_of(reviewer).get("/reviews/").text


def test_somebody_in_no_project_who_administers_the_site_is_led_to_the_first(db: None) -> None:
    admin = make_user("Admin")
    admin.is_superuser = True
    admin.save()
    page = client_of(admin).get("/", follow=True).text
    assert page.count('href="/projects/new/"') >= 2


def test_many_projects_are_found_under_all_projects(project: Project, owner: User) -> None:
    for number in range(15):
        make_project(f"Project {number:02}", owner=owner)
    rail = rail_of(client_of(owner).get("/projects/").text)
    assert len(re.findall(r'href="/projects/[a-z0-9-]+/"', rail)) == 12 + 1
    assert client_of(owner).get("/projects/").text.count("<tr data-href") == 16


def test_the_demonstrations_home_leads_to_a_project_of_ones_own(
    project: Project, owner: User, manager: User
) -> None:
    Project.objects.update(is_demonstration=True)
    main = client_of(owner).get(f"/projects/{project.slug}/").text.partition("<main")[2]
    assert 'href="/projects/new/"' in main
    main = client_of(manager).get(f"/projects/{project.slug}/").text.partition("<main")[2]
    assert 'href="/projects/new/"' not in main


def steps_on(page: str) -> list[tuple[str, bool, bool]]:
    """Of each step: its first word, whether it is done, and whether it is the primary action."""
    listed = re.search(r'<ol class="steps">(.*?)</ol>', page, re.DOTALL)
    assert listed is not None
    steps = re.findall(r"<li>(.*?)</li>", listed.group(1), re.DOTALL)
    return [(each.partition(":")[0].strip(), "Done" in each, "button-main" in each) for each in steps]


def test_an_empty_project_shows_what_is_left_and_which_is_next(owner: User) -> None:
    project = make_project("Empty", owner=owner)
    home = f"/projects/{project.slug}/"
    client = client_of(owner)
    page = client.get(home).text
    assert steps_on(page) == [
        ("Dataset", False, True),
        ("Rubric", False, False),
        ("Candidates", False, False),
        ("Reviewers", False, False),
        ("Gate", False, False),
        ("Campaign", False, False),
    ]
    assert f'href="{home}ratings/imports/new/"' in page or "Import ratings" in page
    for address in re.findall(
        r'<li>.*?href="([^"]+)"', page.partition('<ol class="steps">')[2].partition("</ol>")[0], re.DOTALL
    ):
        assert client.get(address).status_code == 200, address
    version = make_version(project)
    assert [done for _, done, _ in steps_on(client.get(home).text)] == [True, *[False] * 5]
    make_outputs(version, make_candidates(project, ["a"]))
    make_rubric(project)
    assert [done for _, done, _ in steps_on(client.get(home).text)] == [True, True, True, False, False, False]
    reviewer = make_user("Rev Iewer")
    project.memberships.create(user=reviewer, role="reviewer")
    steps = steps_on(client.get(home).text)
    assert [done for _, done, _ in steps] == [True, True, True, True, False, False]
    # The gate can be left out, and is asked for before anybody reviews.
    assert steps[4][2] and not steps[5][2]


def test_a_draft_is_the_next_step_and_an_opened_campaign_ends_the_list(
    project: Project, owner: User, reviewer: User
) -> None:
    campaign = make_campaign(project, [reviewer])
    home = client_of(owner).get(f"/projects/{project.slug}/").text
    assert f"“{campaign.name}” is a draft" in home
    assert f'href="/projects/{project.slug}/campaigns/{campaign.pk}/"' in home
    Campaign.objects.update(state="open", opened_at="2026-01-01T00:00Z")
    assert '<ol class="steps">' not in client_of(owner).get(f"/projects/{project.slug}/").text


def test_a_step_leads_nowhere_for_whose_role_may_not_take_it(project: Project, engineer: User) -> None:
    page = client_of(engineer).get(f"/projects/{project.slug}/").text
    listed = page.partition('<ol class="steps">')[2].partition("</ol>")[0]
    assert "Import a dataset" in listed and "Invite reviewers" not in listed and "Set a gate" not in listed
    assert "Import ratings" not in page
