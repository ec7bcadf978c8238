from collections.abc import Callable

import pytest
from django.test import Client

from evalapp.accounts.models import Project, User
from evalapp.accounts.people import anonymise_person
from evalapp.audit.services import record
from evalapp.decisions.deletion import delete_project
from tests.factories import make_campaign

ClientFor = Callable[[User | None], Client]


def path(project: Project, query: str = "") -> str:
    return f"/projects/{project.slug}/settings/audit/{query}"


@pytest.mark.parametrize(
    ("who", "status"),
    [("owner", 200), ("manager", 200), ("engineer", 403), ("reviewer", 403), ("stranger", 404)],
)
def test_owners_and_managers_read_the_audit(
    who: str, status: int, request: pytest.FixtureRequest, client_for: ClientFor, project: Project
) -> None:
    assert client_for(request.getfixturevalue(who)).get(path(project)).status_code == status


def test_it_shows_this_project_alone(
    client_for: ClientFor, owner: User, project: Project, other_project: Project
) -> None:
    record("run.started", by=owner, project=project, data={"n": "<b>7</b>"})
    record("run.cancelled", by=owner, project=other_project)
    text = client_for(owner).get(path(project)).text
    assert "run.started" in text and "run.cancelled" not in text
    assert "&lt;b&gt;7&lt;/b&gt;" in text


def test_details_may_have_any_name(client_for: ClientFor, owner: User, project: Project) -> None:
    """A template reads "data.items" as the field of that name, which an opened campaign has."""
    record("campaign.opened", by=owner, project=project, data={"items": 3, "keys": ["a"]})
    page = client_for(owner).get(path(project))
    assert page.status_code == 200
    assert '<span class="soft">items</span> 3' in page.text


def test_filters_narrow_by_person_object_and_kind(
    client_for: ClientFor, owner: User, manager: User, project: Project
) -> None:
    record("run.started", by=owner, project=project, obj=project)
    record("member.added", by=manager, project=project, obj=owner)
    browser = client_for(owner)

    def actions(query: str) -> list[str]:
        page = browser.get(path(project, query)).context["page"]
        return [event.action for event in page.rows]

    assert actions("") == ["member.added", "run.started"]
    assert actions(f"?actor={owner.pk}") == ["run.started"]
    assert actions(f"?object_type=user&object_id={owner.pk}") == ["member.added"]
    assert actions("?action=member.") == ["member.added"]
    assert actions("?actor=nonsense") == ["member.added", "run.started"]


def test_pages_follow_each_other_without_gap_or_repeat(
    client_for: ClientFor, owner: User, project: Project
) -> None:
    for number in range(120):
        record(f"run.{number}", by=owner, project=project)
    browser, query, seen = client_for(owner), "", []
    for _ in range(3):
        page = browser.get(path(project, query)).context["page"]
        seen += [event.action for event in page.rows]
        query = f"?after={page.next_after}"
    assert seen == [f"run.{number}" for number in range(119, -1, -1)]


def test_an_invented_page_address_is_refused_in_words(
    client_for: ClientFor, owner: User, project: Project
) -> None:
    response = client_for(owner).get(path(project, "?after=1"))
    assert response.status_code == 400
    assert "Open the list again" in response.text


@pytest.mark.parametrize("count", [1, 3])
def test_the_page_costs_the_same_for_one_row_and_three(
    count: int,
    client_for: ClientFor,
    owner: User,
    project: Project,
    django_assert_num_queries: Callable[[int], object],
) -> None:
    for _ in range(count):
        record("run.started", by=owner, project=project)
    browser = client_for(owner)
    with django_assert_num_queries(7):  # type: ignore[attr-defined]
        browser.get(path(project))


def test_who_deletes_their_data_is_seen_to_leave_each_of_their_projects(
    client_for: ClientFor, owner: User, reviewer: User, project: Project
) -> None:
    anonymise_person(user=reviewer, by=reviewer)
    text = client_for(owner).get(path(project, "?action=member.")).text
    assert "Member left" in text and f"Former member {reviewer.pk}" in text and "Reviewer" not in text


def test_the_site_admin_reads_of_deleted_projects_and_of_accounts(
    client_for: ClientFor,
    owner: User,
    engineer: User,
    stranger: User,
    project: Project,
    other_project: Project,
) -> None:
    record("run.started", by=owner, project=other_project)
    anonymise_person(user=engineer, by=engineer)
    deleted = project.pk
    delete_project(project=project, typed_name=project.name, by=owner)
    stranger.is_superuser = True
    stranger.save(update_fields=["is_superuser"])
    browser = client_for(stranger)

    assert 'href="/audit/"' in browser.get("/profile/").text
    assert 'href="/audit/"' not in client_for(owner).get("/profile/").text
    whole = browser.get("/audit/").text
    for words in ("Project deleted", project.name, "Person anonymised", other_project.name, "Run started"):
        assert words in whole
    narrowed = browser.get(f"/audit/?project={deleted}")
    assert "Project deleted" in narrowed.text and "Run started" not in narrowed.text
    assert "of one project" in narrowed.text
    assert "Person anonymised" in browser.get("/audit/?action=person.").text


def test_details_name_what_they_speak_of(
    client_for: ClientFor, owner: User, reviewer: User, project: Project
) -> None:
    campaign = make_campaign(project, [owner, reviewer])
    version = campaign.candidates.select_related("model_version").get(position=0).model_version
    record("dataset.version_created", by=owner, project=project, data={"content_hash": "ab" * 32})
    text = client_for(owner).get(path(project)).text

    assert f"</span> {version}, plain" in text
    assert f"</span> {owner}, {reviewer}" in text
    assert "</span> abababababab<" in text

    record("job.created", by=owner, project=project, data={"task": "evalapp.runs.tasks.carry_out_training"})
    record("export_row.accepted", by=owner, project=project, data={"export": 987_654})
    text = client_for(owner).get(path(project)).text
    assert "</span> carry out training" in text and "evalapp.runs" not in text
    assert "</span> 987654" in text  # what is nowhere named keeps its number


@pytest.mark.parametrize("count", [1, 3])
def test_names_in_details_cost_the_same_for_one_row_and_three(
    count: int,
    client_for: ClientFor,
    owner: User,
    project: Project,
    django_assert_num_queries: Callable[[int], object],
) -> None:
    for number in range(count):
        data = {"reviewers": [owner.pk], "candidates": [number + 1], "job": number + 1}
        record("campaign.created", by=owner, project=project, data=data)
    browser = client_for(owner)
    with django_assert_num_queries(9):  # type: ignore[attr-defined]
        browser.get(path(project))
