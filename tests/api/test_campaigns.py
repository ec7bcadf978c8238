"""What a manager does on the campaign's and the project's pages, by programs."""

from collections.abc import Callable
from typing import Any

import pytest

from evalapp.accounts.models import Project, User
from evalapp.campaigns.allocation import claim_assignment
from evalapp.campaigns.models import Assignment, Campaign
from evalapp.reviews.services import skip_item
from tests.api.conftest import Program, problem_in
from tests.campaigns.making import make_open_campaign
from tests.factories import make_campaign, review_all

pytestmark = pytest.mark.django_db

ProgramFor = Callable[[User | None], Program]


def design_of(campaign: Campaign, **changes: Any) -> dict[str, Any]:
    return {
        "name": "Another round",
        "rubric_version": campaign.rubric_version_id,
        "dataset_version": campaign.dataset_version_id,
        "split": campaign.split,
        "candidates": list(campaign.candidates.values_list("model_version", flat=True)),
        "reviewers": list(campaign.reviewers.values_list("user", flat=True)),
        "overlap": 1,
        **changes,
    }


def test_what_a_design_costs_is_told_before_anything_is_made(
    project: Project, manager: User, reviewer: User, engineer: User, program_for: ProgramFor
) -> None:
    program = program_for(manager)
    campaign = make_campaign(project, [reviewer, engineer])
    asked = program.post(f"projects/{project.slug}/campaigns/cost/", design_of(campaign)).json()
    # Four items of two candidates, each rated once, shared by two people at 90 s.
    assert {name: asked[name] for name in ("items", "reviews", "people", "share", "share_seconds")} == {
        "items": 4, "reviews": 8, "people": 2, "share": 4, "share_seconds": 360,
    }  # fmt: skip
    assert project.campaigns.count() == 1
    problem = problem_in(
        program.post(f"projects/{project.slug}/campaigns/cost/", design_of(campaign, overlap=3)), 400
    )
    assert "overlap" in problem["fields"]
    made = program.post(f"projects/{project.slug}/campaigns/", design_of(campaign)).json()
    assert program.get(f"projects/{project.slug}/campaigns/{made['id']}/cost/").json() == asked


def test_a_reviewer_leaves_once_and_what_they_wrote_stays(
    project: Project, manager: User, reviewer: User, engineer: User, program_for: ProgramFor
) -> None:
    campaign = make_campaign(project, [reviewer, engineer])
    review_all(campaign, reviewer, {})
    address = f"projects/{project.slug}/campaigns/{campaign.pk}/reviewers/{reviewer.pk}/"
    assert program_for(manager).ask("DELETE", address).status_code == 204
    problem_in(program_for(manager).ask("DELETE", address), 409)
    assert campaign.reviewers.get(user=reviewer).left_at is not None
    assert campaign.reviews.filter(reviewer=reviewer).count() == 8


def test_a_rubric_goes_out_as_yaml_and_comes_back_as_it_was(
    project: Project, manager: User, reviewer: User, program_for: ProgramFor
) -> None:
    program = program_for(manager)
    version = make_campaign(project, [reviewer]).rubric_version
    base = f"projects/{project.slug}/rubrics"
    text = program.get(f"{base}/{version.rubric_id}/versions/1/yaml/").json()["yaml"]
    brought = program.post(f"{base}/yaml/", {"yaml": text, "name": "Brought"})
    assert brought.status_code == 201
    before, after = (
        program.get(f"{base}/{pk}/versions/1/").json() for pk in (version.rubric_id, brought.json()["id"])
    )
    assert after["criteria"] == before["criteria"]
    problem_in(program.post(f"{base}/yaml/", {"yaml": text, "name": "Brought"}), 409)
    problem_in(program.post(f"{base}/yaml/", {"yaml": "- not a rubric"}), 400)


def test_a_version_says_what_makes_its_ratings_worse(
    project: Project, manager: User, program_for: ProgramFor
) -> None:
    made = program_for(manager).post(
        f"projects/{project.slug}/rubrics/", {"name": "Bare", "criteria": [{"name": "Tone and style"}]}
    )
    version = program_for(manager).get(f"projects/{project.slug}/rubrics/{made.json()['id']}/versions/1/")
    hints = version.json()["hints"]
    assert {hint["criterion"] for hint in hints} == {"tone-and-style"}
    assert {"name", "level_descriptions"} <= {hint["field"] for hint in hints}


def test_two_versions_have_to_be_there_in_their_order(
    project: Project, manager: User, reviewer: User, program_for: ProgramFor
) -> None:
    version = make_campaign(project, [reviewer]).rubric_version
    address = f"projects/{project.slug}/rubrics/{version.rubric_id}/link/"
    problem_in(program_for(manager).get(address), 404)
    problem_in(program_for(manager).get(f"{address}?earlier=2&later=1"), 404)
    problem_in(program_for(manager).get(f"{address}?earlier=1&later=2"), 404)


def test_members_are_invited_given_roles_and_removed(
    project: Project, owner: User, reviewer: User, program_for: ProgramFor
) -> None:
    program = program_for(owner)
    base = f"projects/{project.slug}"
    made = program.post(f"{base}/invitations/", {"email": "new@cast.example", "role": "reviewer"})
    assert made.status_code == 201
    assert "/invitations/" in made.json()["link"]
    (waiting,) = program.get(f"{base}/invitations/").json()["results"]
    assert (waiting["email"], "link" in waiting) == ("new@cast.example", False)
    assert program.ask("DELETE", f"{base}/invitations/{waiting['id']}/").status_code == 204
    problem_in(program.ask("DELETE", f"{base}/invitations/{waiting['id']}/"), 409)
    changed = program.patch(f"{base}/members/{reviewer.pk}/", {"role": "engineer"})
    assert changed.json()["role"] == "engineer"
    assert program.ask("DELETE", f"{base}/members/{reviewer.pk}/").status_code == 204
    problem_in(program.ask("DELETE", f"{base}/members/{owner.pk}/"), 409)
    actions = [event["action"] for event in program.get(f"{base}/audit/?action=member.").json()["results"]]
    assert actions[:2] == ["member.removed", "member.role_changed"]


def test_items_tell_how_far_they_are_and_why_they_were_skipped(
    project: Project, manager: User, reviewer: User, engineer: User, program_for: ProgramFor
) -> None:
    campaign = make_open_campaign(project, [reviewer, engineer], rows=2, candidates=2, overlap=1)
    campaign_reviewer = campaign.reviewers.get(user=reviewer)
    assignment = Assignment.objects.get(pk=claim_assignment(campaign_reviewer=campaign_reviewer)[0].id)
    skip_item(reviewer=reviewer, assignment=assignment, reason="Not my field.")
    address = f"projects/{project.slug}/campaigns/{campaign.pk}/items/"
    all_items = program_for(manager).get(address).json()["results"]
    assert [(each["row_number"], each["overlap"], each["submitted"]) for each in all_items] == [
        (1, 1, 0),
        (2, 1, 0),
    ]
    skipped = program_for(manager).get(f"{address}?list=skipped").json()["results"]
    assert [each["skipped"] for each in skipped] == [["Not my field."]]
    assert program_for(manager).get(f"{address}?list=in_progress").json()["results"] == []
    assert "list" in problem_in(program_for(manager).get(f"{address}?list=lost"), 400)["fields"]
