"""What a manager changes while a campaign runs: deadline, quotas, assignments, additions."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from evalapp.accounts.models import Project, User
from evalapp.audit.models import AuditEvent
from evalapp.campaigns.allocation import NextReview, NoWorkReason, claimed_assignments, reclaim_assignment
from evalapp.campaigns.leases import return_lapsed_assignments
from evalapp.campaigns.models import Assignment, AssignmentState, Campaign, CampaignReviewer
from evalapp.campaigns.running import add_assignments, add_items, reassign, set_deadline, set_quota
from evalapp.campaigns.services import close_campaign, give_back, remove_reviewer
from evalapp.core.errors import ConflictError, InvalidError
from evalapp.reviews.differing_items import items_that_differ
from evalapp.reviews.preferences.answers import PreferenceAnswers
from tests.api.conftest import problem_in, program_of
from tests.at_once import at_once
from tests.campaigns.making import make_open_campaign, make_team
from tests.campaigns.test_allocation import campaign_reviewer_of, fill, lapse, next_for, walk
from tests.cast import client_of
from tests.factories import answers
from tests.reviews.conftest import submit
from tests.reviews.preferences.conftest import judge

pytestmark = pytest.mark.django_db


def all_done(campaign: Campaign) -> bool:
    return not campaign.assignments.exclude(state=AssignmentState.SUBMITTED).exists()


def test_assigned_work_is_offered_to_its_people_only(
    project: Project, reviewer: User, other_reviewer: User
) -> None:
    people = [reviewer, other_reviewer]
    campaign = make_open_campaign(project, people, rows=6, candidates=1, overlap=1, distribution="manual")
    seen, end = walk(campaign, reviewer)
    assert len(seen) == 3 and end.reason == NoWorkReason.ASSIGNED_TO_OTHERS
    assert len(walk(campaign, other_reviewer)[0]) == 3 and all_done(campaign)
    assert next_for(campaign, reviewer).reason == NoWorkReason.ALL_DONE


def test_assigned_work_that_is_skipped_or_left_goes_to_anybody(
    project: Project, reviewer: User, other_reviewer: User
) -> None:
    people = [reviewer, other_reviewer]
    campaign = make_open_campaign(project, people, rows=6, candidates=1, overlap=1, distribution="manual")
    mine = Assignment.objects.get(pk=next_for(campaign, reviewer).assignment.id)
    assert give_back(assignment=mine, reviewer=reviewer, reason="My own client")
    assert len(walk(campaign, other_reviewer)[0]) == 4
    remove_reviewer(campaign_reviewer=campaign_reviewer_of(campaign, reviewer), by=None)
    assert len(walk(campaign, other_reviewer)[0]) == 2 and all_done(campaign)


def test_the_items_tell_why_they_were_skipped_and_which_are_in_hand(
    project: Project, manager: User, reviewer: User, other_reviewer: User
) -> None:
    campaign = make_open_campaign(project, [reviewer, other_reviewer], rows=4, candidates=1, overlap=1)
    skipped = Assignment.objects.get(pk=next_for(campaign, reviewer).assignment.id)
    assert give_back(assignment=skipped, reviewer=reviewer, reason="My <own> client")
    in_progress = Assignment.objects.get(pk=next_for(campaign, reviewer).assignment.id)
    address, client = f"/projects/{project.slug}/campaigns/{campaign.pk}/items/", client_of(manager)

    def listed(name: str) -> set[int]:
        page = client.get(address, {"list": name}).text
        return {item.pk for item in campaign.items.all() if f"/cases/{item.pk}/" in page}

    assert listed("skipped") == {skipped.item_id} and listed("in_progress") == {in_progress.item_id}
    assert len(listed("available")) == 3 and len(listed("")) == 4
    page = client.get(address).text
    assert "My &lt;own&gt; client" in page and reviewer.name not in page.partition("page-head")[2]
    assert "Use one of available, in_progress, skipped" in client.get(address, {"list": "nobody"}).text


def test_an_assigned_assignment_comes_back_to_its_person_when_its_lease_runs_out(
    project: Project, reviewer: User, other_reviewer: User
) -> None:
    people = [reviewer, other_reviewer]
    campaign = make_open_campaign(project, people, rows=2, candidates=2, overlap=1, distribution="manual")
    first = next_for(campaign, reviewer)
    lapse()
    assert return_lapsed_assignments() == 1
    assert next_for(campaign, other_reviewer).assignment.id != first.assignment.id
    assert next_for(campaign, reviewer).assignment.id == first.assignment.id
    # Begun, and then left: the rest is for anybody.
    fill(campaign, reviewer, next_for(campaign, reviewer))
    lapse(reviewer=reviewer)
    assert return_lapsed_assignments() == 1
    assert Assignment.objects.get(pk=first.assignment.id).assigned_to is None
    assert len(walk(campaign, other_reviewer)[0]) == 3 and all_done(campaign)


def test_nobody_is_handed_more_than_their_quota(
    project: Project, reviewer: User, other_reviewer: User
) -> None:
    people = [reviewer, other_reviewer]
    campaign = make_open_campaign(project, people, rows=8, candidates=2, overlap=1, quota=5)
    set_quota(campaign_reviewer=campaign_reviewer_of(campaign, reviewer), quota=3, by=None)
    seen, end = walk(campaign, reviewer)
    assert len(seen) == 6 and end.reason == NoWorkReason.QUOTA_REACHED
    assert len(walk(campaign, other_reviewer)[0]) == 10 and all_done(campaign)
    assert next_for(campaign, reviewer).reason == NoWorkReason.ALL_DONE


def test_a_assignment_whose_lease_ran_out_counts_again_only_within_the_quota(
    project: Project, reviewer: User, other_reviewer: User
) -> None:
    people = [reviewer, other_reviewer]
    campaign = make_open_campaign(project, people, rows=4, candidates=1, overlap=1, quota=2)
    late = next_for(campaign, reviewer)
    next_for(campaign, reviewer, showing=(late.assignment.key, late.slot))
    lapse()
    assert return_lapsed_assignments() == 2
    assert len(walk(campaign, reviewer)[0]) == 2
    free = Assignment.objects.select_related("campaign").filter(state=AssignmentState.AVAILABLE).first()
    assert free is not None and not reclaim_assignment(
        assignment=free, campaign_reviewer=campaign_reviewer_of(campaign, reviewer)
    )


def test_after_the_deadline_nothing_is_handed_out_until_it_is_moved(
    project: Project, manager: User, reviewer: User
) -> None:
    campaign = make_open_campaign(project, [reviewer], rows=3, candidates=1, overlap=1)
    shown = next_for(campaign, reviewer)
    Campaign.objects.update(deadline=timezone.now() - timedelta(hours=1))
    assert next_for(campaign, reviewer).reason == NoWorkReason.DEADLINE_PASSED
    # What is on the screen is still taken.
    fill(campaign, reviewer, shown)
    browser = client_of(manager)
    address = f"/projects/{project.slug}/campaigns/{campaign.pk}/"
    assert (
        "Overdue" in browser.get(address).text
        and "Overdue" in browser.get(f"/projects/{project.slug}/campaigns/").text
    )
    said = client_of(reviewer).get(f"/reviews/campaigns/{campaign.key}/").text
    assert "The deadline has passed" in said
    past = browser.post(f"{address}deadline/", {"deadline": "2020-01-01T10:00"})
    assert past.status_code == 400 and "The deadline is in the past." in past.text
    moved = browser.post(f"{address}deadline/", {"deadline": "2999-01-01T10:00"}, follow=True)
    assert "The deadline is moved." in moved.text and "Overdue" not in moved.text
    assert isinstance(next_for(campaign, reviewer), NextReview)
    assert AuditEvent.objects.get(action="campaign.deadline_moved").data["after"].startswith("2999-01-01")


def test_a_manager_moves_what_a_person_has_not_begun(
    project: Project, manager: User, reviewer: User, other_reviewer: User
) -> None:
    Project.objects.update(shows_reviewer_names=True)
    project.refresh_from_db()
    people = [reviewer, other_reviewer]
    campaign = make_open_campaign(project, people, rows=10, candidates=1, overlap=1, distribution="manual")
    begun = next_for(campaign, reviewer).assignment.id
    browser = client_of(manager)
    address = f"/projects/{project.slug}/campaigns/{campaign.pk}/assignments/"
    page = browser.get(address).text
    assert "Not started" in page
    sent = {"source": reviewer.pk, "target": other_reviewer.pk, "most": 2}
    assert "2 items moved." in browser.post(address, sent, follow=True).text
    waiting = Counter(
        campaign.assignments.filter(state=AssignmentState.AVAILABLE).values_list("assigned_to", flat=True)
    )
    assert waiting == {reviewer.pk: 2, other_reviewer.pk: 7}
    last = campaign.assignments.filter(assigned_to=reviewer).order_by("-rank").values_list("rank", flat=True)
    assert max(last) < max(
        campaign.assignments.filter(assigned_to=other_reviewer).values_list("rank", flat=True)
    )
    # In bulk to the shared queue.
    everything = browser.post(address, {"source": reviewer.pk, "target": "", "most": ""}, follow=True)
    assert "2 items moved." in everything.text
    assert Assignment.objects.get(pk=begun).reviewer == reviewer
    same = browser.post(address, {"source": reviewer.pk, "target": reviewer.pk})
    assert same.status_code == 400 and "Choose somebody other than" in same.text
    assert [
        event.data["assignments"] for event in AuditEvent.objects.filter(action="campaign.reassigned")
    ] == [
        2,
        2,
    ]


def test_nobody_is_given_an_item_that_they_have_or_more_than_their_quota(
    project: Project, reviewer: User, other_reviewer: User
) -> None:
    people = [reviewer, other_reviewer]
    campaign = make_open_campaign(project, people, rows=4, candidates=1, overlap=2, distribution="manual")
    assert reassign(campaign=campaign, source=reviewer, target=other_reviewer, most=None, by=None) == 0
    assert reassign(campaign=campaign, source=reviewer, target=None, most=None, by=None) == 4
    # Their own copy of an item waits for them, so the open one is not for them.
    assert len(walk(campaign, other_reviewer)[0]) == 4
    assert len(walk(campaign, reviewer)[0]) == 4 and all_done(campaign)


def test_a_full_quota_and_a_stranger_get_nothing(
    project: Project, reviewer: User, other_reviewer: User, manager: User
) -> None:
    people = [reviewer, other_reviewer]
    campaign = make_open_campaign(
        project, people, rows=4, candidates=1, overlap=1, distribution="manual", quota=3
    )
    assert reassign(campaign=campaign, source=reviewer, target=other_reviewer, most=None, by=None) == 1
    with pytest.raises(InvalidError, match="quota of 3 items is full"):
        reassign(campaign=campaign, source=reviewer, target=other_reviewer, most=None, by=None)
    with pytest.raises(InvalidError, match="is not a reviewer of this campaign"):
        reassign(campaign=campaign, source=reviewer, target=manager, most=None, by=None)
    close_campaign(campaign=campaign, by=None)
    with pytest.raises(ConflictError, match="is closed; work can be reassigned while it is open or paused"):
        reassign(campaign=campaign, source=reviewer, target=None, most=None, by=None)


def test_items_added_later_come_last_and_disturb_nothing(
    project: Project, reviewer: User, other_reviewer: User
) -> None:
    people = [reviewer, other_reviewer]
    campaign = make_open_campaign(
        project, people, rows=10, candidates=2, overlap=1, item_choice="random", examples_wanted=4
    )
    fill(campaign, reviewer, next_for(campaign, reviewer))
    before = {assignment.pk: vars_of(assignment) for assignment in campaign.assignments.all()}
    assert add_items(campaign=campaign, wanted=3, by=None) == 3
    assert (campaign.items_total, campaign.assignments_total, campaign.reviews_total) == (7, 7, 14)
    assert {
        assignment.pk: vars_of(assignment) for assignment in campaign.assignments.filter(pk__in=before)
    } == before
    assert min(campaign.assignments.exclude(pk__in=before).values_list("rank", flat=True)) == 5
    with pytest.raises(InvalidError, match=r"3 examples are left\. Add between 1 and 3"):
        add_items(campaign=campaign, wanted=4, by=None)
    assert add_items(campaign=campaign, wanted=None, by=None) == 3
    with pytest.raises(InvalidError, match="is in this campaign already"):
        add_items(campaign=campaign, wanted=None, by=None)
    walk(campaign, reviewer)
    assert all_done(campaign)


def vars_of(assignment: Assignment) -> dict[str, Any]:
    return {name: value for name, value in vars(assignment).items() if name != "_state"}


def test_more_reviewers_go_to_the_items_where_they_differ(
    project: Project, reviewer: User, other_reviewer: User, manager: User, engineer: User
) -> None:
    campaign = make_open_campaign(
        project, [reviewer, other_reviewer, engineer], rows=4, candidates=1, overlap=2
    )
    tone = campaign.rubric_version.criteria.get(key="tone")
    apart = campaign.items.order_by("pk").first()
    for person in (reviewer, other_reviewer):
        said = {apart.pk: answers(tone=5 if person == reviewer else 2)}
        review_by_item(campaign, person, said)
    assert items_that_differ(campaign, tone, least=3) == {apart.pk}
    assert items_that_differ(campaign, tone, least=4) == set()
    browser = client_of(manager)
    address = f"/projects/{project.slug}/campaigns/{campaign.pk}/additions/"
    sent = {"criterion": tone.pk, "least": 3, "more": 1}
    assert (
        ">1</strong> item has at least this difference" in browser.post(address, {**sent, "add": "show"}).text
    )
    added = browser.post(address, {**sent, "add": "assignments"}, follow=True)
    assert "1 of 1 items go to more reviewers." in added.text
    campaign.refresh_from_db()
    new = campaign.assignments.get(is_added=True)
    assert (new.item, new.number, new.rank) == (apart, 3, 9)
    assert (campaign.assignments_total, campaign.reviews_total) == (9, 9)
    # Not twice, while the third opinion is still to come.
    again = browser.post(address, {**sent, "add": "assignments"})
    assert again.status_code == 400 and "already have added reviewers" in again.text
    assert next_for(campaign, reviewer).reason == NoWorkReason.NOTHING_LEFT_FOR_YOU
    assert next_for(campaign, engineer).assignment.id == new.pk
    with pytest.raises(InvalidError, match="more people than the 3 who review here"):
        add_assignments(campaign=campaign, differing=lambda: {apart.pk}, more=1, by=None)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("method", ["pointwise", "pairwise"])
def test_reviewers_are_added_once_where_many_press_at_once(method: str) -> None:
    project, people = make_team(8)
    campaign = make_open_campaign(
        project, people, rows=1, candidates=2, overlap=2, item_choice="all", method=method
    )
    wanted: dict[str, Any] = {"more": 1, "agreement": 50}
    for number, person in enumerate(people[:2]):
        if method == "pairwise":
            # The second of an item is shown the sides the other way round.
            judge(campaign, person, PreferenceAnswers("a", None, ""))
            continue
        said = answers(tone=2 if number else 5)
        review_by_item(campaign, person, {campaign.items.get().pk: said})
        wanted = {"more": 1, "criterion": "tone", "least": 2}
    address = f"/api/v1/projects/{project.slug}/campaigns/{campaign.pk}/assignments/"
    programs = [program_of(project.created_by) for _ in range(12)]

    results = at_once(12, lambda number: programs[number].post(address, wanted))

    told = Counter(str(result.json()) for result in results)
    assert told == {str({"differing": 1, "added": 1}): 1, str({"differing": 0, "added": 0}): 11}
    campaign.refresh_from_db()
    assert campaign.assignments.filter(is_added=True).count() == 1
    assert (campaign.assignments_total, campaign.items.get().overlap) == (3, 3)
    assert AuditEvent.objects.filter(action="campaign.assignments_added").count() == 1


def review_by_item(campaign: Campaign, person: User, said: dict[int, Any]) -> None:
    """Everything that this person is offered, by item; what is not said is the ordinary answer."""
    while isinstance(upcoming := next_for(campaign, person), NextReview):
        submit(campaign, person, upcoming, answers=said.get(upcoming.assignment.item_id, answers()))


def test_programs_do_all_of_it(project: Project, manager: User, reviewer: User, other_reviewer: User) -> None:
    people = [reviewer, other_reviewer]
    campaign = make_open_campaign(
        project,
        people,
        rows=6,
        candidates=1,
        overlap=1,
        distribution="manual",
        item_choice="random",
        examples_wanted=4,
    )
    program, address = program_of(manager), f"projects/{project.slug}/campaigns/{campaign.pk}/"
    moved = program.post(f"{address}reassign/", {"source": reviewer.pk, "target": None, "most": 1})
    # How many only where the project names its reviewers.
    assert (moved.status_code, moved.json()) == (200, {"moved": None})
    foreign = program.post(f"{address}reassign/", {"source": 10**9, "target": None})
    assert "source" in problem_in(foreign, 400)["fields"]
    quota = program.post(f"{address}reviewers/{reviewer.pk}/quota/", {"quota": 2})
    assert quota.json() == {"person": reviewer.pk, "quota": 2}
    assert program.post(f"{address}items/", {"items": 1}).json() == {"added": 1}
    assert "items" in problem_in(program.post(f"{address}items/", {"items": 9}), 400)["fields"]
    told = program.post(f"{address}assignments/", {"criterion": "tone", "least": 1})
    assert told.json() == {"differing": 0, "added": 0}
    unknown = program.post(f"{address}assignments/", {"criterion": "colour", "least": 1})
    assert "There is no criterion “colour”" in problem_in(unknown, 400)["fields"]["criterion"][0]
    assert (
        "deadline"
        in problem_in(program.post(f"{address}deadline/", {"deadline": "2020-01-01T00:00Z"}), 400)["fields"]
    )
    later = program.post(f"{address}deadline/", {"deadline": "2999-01-01T00:00Z"})
    assert (later.json()["deadline"], later.json()["is_overdue"]) == ("2999-01-01T00:00:00Z", False)


@pytest.mark.django_db(transaction=True)
def test_two_tabs_find_no_room_twice_in_one_quota() -> None:
    project, (person, other) = make_team(2)
    campaign = make_open_campaign(project, [person, other], rows=20, candidates=1, overlap=1, quota=11)
    set_quota(campaign_reviewer=campaign_reviewer_of(campaign, person), quota=1, by=None)

    def ask(_: int) -> object:
        return next_for(campaign, person)

    for _ in range(3):
        at_once(6, ask)
    assert len(claimed_assignments(campaign_reviewer_of(campaign, person))) == 1


def test_the_pages_take_as_many_queries_for_three_people_as_for_one(
    manager: User, project: Project, reviewer: User, other_reviewer: User, engineer: User
) -> None:
    counts = []
    for people in ([reviewer], [reviewer, other_reviewer, engineer]):
        campaign = make_open_campaign(
            project,
            people,
            rows=2,
            overlap=1,
            name=f"{len(people)}",
            dataset=f"{len(people)}",
            rubric=f"{len(people)}",
        )
        browser = client_of(manager)
        address = f"/projects/{project.slug}/campaigns/{campaign.pk}/assignments/"
        browser.get(address)
        with CaptureQueriesContext(connection) as captured:
            browser.get(address)
        counts.append(len(captured))
    assert counts[0] == counts[1]
    assert CampaignReviewer.objects.count() == 4


def test_an_empty_or_silly_quota_is_told(project: Project, manager: User, reviewer: User) -> None:
    campaign = make_open_campaign(project, [reviewer], rows=2, overlap=1)
    campaign_reviewer = campaign_reviewer_of(campaign, reviewer)
    browser = client_of(manager)
    address = f"/projects/{project.slug}/campaigns/{campaign.pk}/reviewers/{campaign_reviewer.pk}/quota/"
    assert browser.post(address, {"quota": "0"}).status_code == 400
    assert browser.post(address, {"quota": "9" * 40}).status_code == 400
    assert f"The quota of {reviewer} is set." in browser.post(address, {"quota": "4"}, follow=True).text
    assert browser.post(address, {"quota": ""}).status_code == 302
    assert CampaignReviewer.objects.get().quota is None


def test_a_deadline_can_be_taken_away(project: Project, manager: User, reviewer: User) -> None:
    campaign = make_open_campaign(project, [reviewer], rows=1, overlap=1)
    set_deadline(campaign=campaign, deadline=timezone.now() + timedelta(days=1), by=manager)
    assert set_deadline(campaign=campaign, deadline=None, by=manager).deadline is None
