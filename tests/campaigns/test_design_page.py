"""The design form: what is refused is told where it was written."""

import re
from typing import Any

import pytest
from django.urls import reverse
from django.utils.html import strip_tags

from evalapp.accounts.models import Project, User
from evalapp.audit.models import AuditEvent
from evalapp.campaigns.models import Campaign
from evalapp.campaigns.services import open_campaign
from evalapp.rubrics.drafts import CriterionDraft
from evalapp.rubrics.services import create_rubric, save_version
from tests.api.conftest import problem_in, program_of
from tests.at_once import at_once
from tests.campaigns.making import make_campaign as make_draft
from tests.campaigns.making import make_team
from tests.cast import client_of
from tests.factories import make_candidates, make_outputs, make_rubric, make_version

pytestmark = pytest.mark.django_db


def test_a_design_that_is_refused_says_why_in_the_form(
    project: Project, manager: User, reviewer: User
) -> None:
    version, rubric = make_version(project), make_rubric(project)
    (candidate,) = make_candidates(project, ["plain"])
    make_outputs(version, {candidate: "Answer {n}."})

    answer = client_of(manager).post(
        f"/projects/{project.slug}/campaigns/new/",
        {
            "name": "Round",
            "rubric_version": rubric.pk,
            "dataset_version": version.pk,
            "split": "feedback",
            "candidates": [candidate.pk],
            "reviewers": [reviewer.pk],
            "overlap": 9,
            "lease_minutes": 30,
        },
    )

    assert answer.status_code == 400
    page = answer.content.decode()
    assert "9 reviewers per item need at least 9 people; 1 chosen." in page.split("<aside")[0]
    assert page.count("reviewers per item need at least 9 people") == 1
    assert not Campaign.objects.exists()


def filled_in(draft: Campaign, **changes: Any) -> dict[str, Any]:
    """What a browser posts for the draft's design."""
    return {
        "name": draft.name,
        "rubric_version": draft.rubric_version_id,
        "dataset_version": draft.dataset_version_id,
        "split": draft.split,
        "candidates": list(draft.candidates.values_list("model_version", flat=True)),
        "reviewers": list(draft.reviewers.values_list("user", flat=True)),
        "overlap": draft.overlap,
        "lease_minutes": draft.lease_minutes,
        **changes,
    }


def page_of(draft: Campaign, action: str = "") -> str:
    return f"/projects/{draft.project.slug}/campaigns/{draft.pk}/{action}"


def test_a_design_without_anything_to_review_is_not_saved(
    project: Project, manager: User, reviewer: User
) -> None:
    draft, unanswered = make_draft(project, [reviewer]), make_version(project, name="Unanswered")
    browser, program = client_of(manager), program_of(manager)
    sent = filled_in(draft, name="Dead", dataset_version=unanswered.pk, split="feedback")

    answer = browser.post(f"/projects/{project.slug}/campaigns/new/", sent)
    edited = browser.post(page_of(draft, "edit/"), sent)
    told = program.post(f"projects/{project.slug}/campaigns/", sent)

    assert (answer.status_code, edited.status_code) == (400, 400)
    for page in (answer.text, edited.text):
        assert "has an answer of every chosen candidate, so there would be nothing" in page.split("<aside")[0]
    problem = problem_in(told, 400)
    assert "has an answer of every chosen candidate" in problem["fields"]["candidates"][0]
    assert Campaign.objects.count() == 1


def test_a_draft_is_edited_in_the_form_that_made_it(
    project: Project, manager: User, reviewer: User, other_reviewer: User
) -> None:
    draft = make_draft(project, [reviewer], name="Srping", rows=3)
    browser = client_of(manager)
    assert page_of(draft, "edit/") in browser.get(page_of(draft)).text
    form = browser.get(page_of(draft, "edit/")).text
    assert 'value="Srping"' in form and form.count("checked") >= 3
    assert '<strong class="number">3</strong> items' in form

    people = [reviewer.pk, other_reviewer.pk]
    saved = browser.post(
        page_of(draft, "edit/"), filled_in(draft, name="Spring", overlap=2, reviewers=people), follow=True
    )

    assert "The design is saved." in saved.text and ">Spring</h1>" in saved.text
    edited = Campaign.objects.get()
    assert (edited.name, edited.overlap, edited.seed) == ("Spring", 2, draft.seed)
    assert set(edited.reviewers.values_list("user", flat=True)) == set(people)
    assert AuditEvent.objects.filter(action="campaign.edited", object_id=draft.pk).count() == 1
    assert open_campaign(campaign=draft, by=manager).reviews_total == 3 * 2 * 2


def test_what_a_design_says_beyond_the_usual_is_in_sight(
    project: Project, manager: User, reviewer: User
) -> None:
    address = f"/projects/{project.slug}/campaigns"
    draft = make_draft(project, [reviewer], overlap=1)

    def in_sight(answer: Any) -> list[str]:
        return [group["title"] for group in answer.context["form"].more if group["is_open"]]

    browser = client_of(manager)
    assert in_sight(browser.get(f"{address}/new/")) == []
    assert in_sight(browser.get(f"{address}/{draft.pk}/edit/")) == []
    Campaign.objects.update(quota=5, gold_share=10, lease_minutes=30)
    assert in_sight(browser.get(f"{address}/{draft.pk}/edit/")) == [
        "Distribution, quotas and lease",
        "Review quality: gold, repeats, calibration",
    ]
    refused = browser.post(f"{address}/new/", {"examples_wanted": "none", "lease_minutes": "30"})
    assert in_sight(refused) == ["Examples and outputs"]


def test_a_draft_is_discarded_and_an_opened_campaign_is_not(
    project: Project, manager: User, reviewer: User
) -> None:
    draft, opened = (
        make_draft(project, [reviewer]),
        make_draft(project, [reviewer], name="Open", dataset="More", rubric="Second rubric"),
    )
    browser = client_of(manager)
    assert "Discard this draft?" in browser.get(page_of(draft)).text
    open_campaign(campaign=opened, by=manager)

    gone = browser.post(page_of(draft, "discard/"), follow=True)
    kept = browser.post(page_of(opened, "discard/"))
    unchanged = browser.post(page_of(opened, "edit/"), filled_in(opened, name="Other"))

    assert "The draft “Spring round” is discarded." in gone.text
    assert kept.status_code == 409 and "is not a draft any more, so it cannot be discarded" in kept.text
    assert (
        unchanged.status_code == 409
        and "is not a draft any more, so its design cannot change" in unchanged.text
    )
    assert [campaign.name for campaign in Campaign.objects.all()] == ["Open"]
    assert AuditEvent.objects.filter(action="campaign.discarded", object_label="Spring round").exists()
    page = browser.get(page_of(opened)).text
    assert "Discard" not in page and page_of(opened, "edit/") not in page


def test_a_program_edits_and_discards_a_draft(project: Project, manager: User, reviewer: User) -> None:
    draft = make_draft(project, [reviewer])
    program, address = program_of(manager), f"projects/{project.slug}/campaigns/{draft.pk}/"

    before = program.get(address).json()
    edited = program.patch(address, {"name": "By a program"})
    assert edited.json() == {**before, "name": "By a program"}
    refused = program.patch(address, {"overlap": 2})
    assert (refused.status_code, list(refused.json()["error"]["fields"])) == (400, ["overlap"])
    assert program.ask("DELETE", address).status_code == 204
    assert program.get(address).status_code == 404


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("action", ["edit/", "discard/"])
def test_a_draft_opened_at_the_same_moment_is_one_or_the_other(action: str) -> None:
    project, (reviewer,) = make_team(1)
    manager = project.created_by
    assert manager is not None
    for attempt in range(3):
        draft = make_draft(
            project, [reviewer], name=f"{attempt}", dataset=f"Data {attempt}", rubric=f"Rubric {attempt}"
        )
        sent = filled_in(draft, name=f"Edited {attempt}", is_blind="on")
        browsers = [client_of(manager), client_of(manager)]
        posts = [(page_of(draft, action), sent), (page_of(draft, "open/"), {})]

        changed, opened = at_once(2, lambda n: browsers[n].post(*posts[n]).status_code)  # noqa: B023

        left = Campaign.objects.filter(pk=draft.pk).first()
        if left is None:
            assert (action, changed) == ("discard/", 302) and opened in (404, 409)
            continue
        assert opened == 302 and left.state == "open"
        # An edit may come first; the launch then is of the edited design.
        assert left.name == (f"Edited {attempt}" if changed == 302 else str(attempt))
        assert changed in ((302, 409) if action == "edit/" else (409,))
        assert left.items_total * left.candidates.count() * left.overlap == left.reviews_total


def test_the_chosen_rubrics_weak_points_are_said_before_it_is_used_and_keep_nobody(
    project: Project, manager: User, reviewer: User
) -> None:
    draft = make_draft(project, [reviewer])
    weak = save_version(
        rubric=create_rubric(project=project, name="Weak", by=manager),
        criteria=[CriterionDraft(name="Clear & short")],
        by=manager,
    )
    client, home = client_of(manager), f"/projects/{project.slug}/campaigns/"
    warning, reason = "Rubric Weak v1 can be used;", "“&amp;” in the name asks two things at once"

    blank = client.get(f"{home}new/").text
    chosen = client.post(
        reverse("campaign_cost", args=[project.slug]), filled_in(draft, rubric_version=weak.pk)
    ).text
    other = client.post(reverse("campaign_cost", args=[project.slug]), filled_in(draft)).text
    in_pairs = client.post(
        reverse("campaign_cost", args=[project.slug]),
        filled_in(draft, rubric_version=weak.pk, method="pairwise"),
    ).text
    saved = client.post(f"{home}{draft.pk}/edit/", filled_in(draft, rubric_version=weak.pk), follow=True).text

    for page in (blank, chosen, saved):
        assert warning in page
        assert reason in page
    assert warning not in other
    assert warning not in in_pairs
    open_campaign(campaign=draft, by=manager)
    draft.refresh_from_db()
    assert draft.state == "open"
    assert warning not in client.get(f"{home}{draft.pk}/").text


def test_the_cost_of_a_person_adds_up(
    project: Project, manager: User, reviewer: User, other_reviewer: User
) -> None:
    draft = make_draft(project, [reviewer, other_reviewer], rows=10)
    address = reverse("campaign_cost", args=[project.slug])

    def said(**changes: Any) -> str:
        page = client_of(manager).post(address, filled_in(draft, **changes)).text
        return " ".join(strip_tags(page).split())

    assert "10 items × 2 candidates × 2 reviewers = 40 reviews" in said()
    assert "Each of 2 people: about 10 items × 2 candidates = 20 reviews." in said()
    assert "Each of 2 people: about 5 items × 2 candidates = 10 reviews." in said(overlap=1)
    checked = said(repeat_share=20)
    assert "Each of 2 people: about 10 items × 2 candidates + 2 checks = 22 reviews." in checked
    too_many = said(overlap=9)
    assert "9 reviewers per item need at least 9 people." in too_many
    assert "Each of" not in too_many


def test_a_new_design_begins_with_the_version_that_candidates_have_answered(
    project: Project, manager: User
) -> None:
    def chosen() -> tuple[str, str]:
        page = client_of(manager).get(f"/projects/{project.slug}/campaigns/new/").text
        (version,) = re.findall(
            r'<option value="(\d+)" selected',
            page.partition('name="dataset_version"')[2].partition("</select>")[0],
        ) or [""]
        (split,) = re.findall(
            r'<option value="(\w+)" selected', page.partition('name="split"')[2].partition("</select>")[0]
        )
        return version, split

    answered = make_version(project, name="Answered")
    candidates = make_candidates(project, ["plain"])
    make_outputs(answered, {candidates[0]: "Answer {n}."})
    newer = make_version(project, name="Newer")
    assert newer.pk > answered.pk
    # The newest has no answers, so a campaign over it could not be opened.
    assert chosen() == (str(answered.pk), "feedback")
    make_outputs(newer, {candidates[0]: "Answer {n}."})
    assert chosen() == (str(newer.pk), "feedback")
    # A link that proposes data is followed.
    page = client_of(manager).get(
        f"/projects/{project.slug}/campaigns/new/?dataset_version={answered.pk}&split=feedback"
    )
    assert f'<option value="{answered.pk}" selected' in page.text
