"""Nobody waits while somebody else holds what they have not begun, and nobody claims more
than their share.
"""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from evalapp.accounts.models import User
from evalapp.audit.models import AuditEvent
from evalapp.campaigns.allocation import (
    ClaimedAssignment,
    NextReview,
    NoWork,
    NoWorkReason,
    claimed_assignments,
)
from evalapp.campaigns.fair_share import MOST_CLAIMED
from evalapp.campaigns.models import Assignment, AssignmentState, Campaign
from evalapp.campaigns.running import release_claimed
from evalapp.campaigns.services import close_campaign
from evalapp.core.errors import ConflictError
from evalapp.reviews.drafts import DraftPlace, save_draft
from evalapp.reviews.models import Draft, Review
from evalapp.reviews.preferences.answers import PreferenceAnswers
from evalapp.reviews.submitting import LeaseLostError
from tests.api.conftest import problem_in, program_of
from tests.campaigns.making import make_open_campaign, make_team
from tests.campaigns.test_allocation import campaign_reviewer_of, fill, next_for
from tests.cast import client_of
from tests.reviews.conftest import GOOD, assignment_of, submit

pytestmark = pytest.mark.django_db


def fill_claims(campaign: Campaign, person: User) -> list[ClaimedAssignment]:
    """Ask as often as a page that fetches ahead; what is held then, in the order of claiming."""
    for _ in range(MOST_CLAIMED + 1):
        next_for(campaign, person)
    return claims(campaign, person)


def claims(campaign: Campaign, person: User) -> list[ClaimedAssignment]:
    return claimed_assignments(campaign_reviewer_of(campaign, person))


def made(people_count: int, **options: object) -> tuple[Campaign, list[User]]:
    project, people = make_team(people_count)
    return make_open_campaign(project, people, **{"overlap": 1, "candidates": 1, **options}), people


@pytest.mark.parametrize("method", ["pointwise", "pairwise"])
def test_a_third_reviewer_gets_what_two_others_hold_and_have_not_begun(method: str) -> None:
    campaign, (first, second, third) = made(3, rows=5, candidates=3, method=method)
    # Alone, the first may take all that is left.
    assert len(fill_claims(campaign, first)) == MOST_CLAIMED
    before = [claims(campaign, first), fill_claims(campaign, second)]
    assert (
        sum(map(len, before)) == 2 * MOST_CLAIMED - 4
        and not campaign.assignments.filter(state="available").exists()
    )
    found = next_for(campaign, third)
    assert isinstance(found, NextReview)
    # The last of whoever has the most; what is on a screen stays.
    remaining = claims(campaign, first)
    assert remaining == before[0][: len(remaining)] and len(remaining) == 3
    assert claims(campaign, second)[0] == before[1][0]
    # Whoever has one already takes nothing more from anybody.
    assert fill_claims(campaign, third) == claims(campaign, third) and len(claims(campaign, third)) == 1


def test_what_is_reviewed_or_drafted_in_part_and_the_first_of_a_hand_are_taken_from_nobody() -> None:
    campaign, (first, second) = made(2, rows=5, candidates=2)
    held = fill_claims(campaign, first)
    fill(campaign, first, NextReview(held[4], 0))
    save_draft(
        DraftPlace(first, campaign.pk, "item_output", held[3].outputs_order[1], None),
        GOOD.as_dict(),
        revision=0,
    )
    got = []
    while isinstance(found := next_for(campaign, second), NextReview):
        got.append(found.assignment.id)
        fill(campaign, second, found)
    assert list(dict.fromkeys(got)) == [held[2].id, held[1].id]
    assert [each.id for each in claims(campaign, first)] == [held[0].id, held[3].id, held[4].id]
    # The true time: when the first of the leases ends. Nothing is told where the deadline comes before.
    assert found == NoWork(NoWorkReason.ALL_TAKEN, claims(campaign, first)[0].lease_expires_at)
    Campaign.objects.update(deadline=timezone.now() + timedelta(minutes=5))
    assert next_for(campaign, second) == NoWork(NoWorkReason.ALL_TAKEN, None)


def test_a_drafted_comparison_is_taken_from_nobody() -> None:
    campaign, (first, second) = made(2, rows=2, candidates=3, method="pairwise")
    held = fill_claims(campaign, first)
    assert len(held) == 2
    of = DraftPlace(first, campaign.pk, "comparison", held[1].outputs_order[2], [1, 2])
    save_draft(of, PreferenceAnswers(comment="B, bec").as_dict(), revision=0)
    assert next_for(campaign, second).reason == NoWorkReason.ALL_TAKEN


def test_an_item_of_ones_own_or_a_skipped_one_is_not_taken_over() -> None:
    campaign, (first, second) = made(2, rows=2, overlap=2)
    for person in (first, second):
        assert len(fill_claims(campaign, person)) == 2
    while isinstance(found := next_for(campaign, first), NextReview):
        fill(campaign, first, found)
    assert found.reason == NoWorkReason.NOTHING_LEFT_FOR_YOU and len(claims(campaign, second)) == 2


def test_a_hand_is_a_fair_share_of_what_is_left_among_those_at_work() -> None:
    campaign, people = made(4, rows=12, candidates=2)
    for person in people[:3]:
        next_for(campaign, person)
    # 12 among three; the fourth is not there, so nothing is kept for them.
    assert [len(fill_claims(campaign, person)) for person in people[:3]] == [4, 4, 4]
    campaign, people = made_again(rows=4)
    for person in people[:3]:
        next_for(campaign, person)
    assert [len(fill_claims(campaign, person)) for person in people[:3]] == [1, 1, 1]
    assert isinstance(next_for(campaign, people[3]), NextReview)


def made_again(rows: int) -> tuple[Campaign, list[User]]:
    project, people = make_team(4, "Other round")
    return make_open_campaign(project, people, rows=rows, candidates=1, overlap=1, name="Other"), people


def test_assigned_work_is_held_and_kept_as_before() -> None:
    campaign, (first, second) = made(2, rows=8, candidates=2, distribution="manual")
    assert [len(fill_claims(campaign, person)) for person in (first, second)] == [4, 4]
    while isinstance(found := next_for(campaign, first), NextReview):
        fill(campaign, first, found)
    assert found.reason == NoWorkReason.ASSIGNED_TO_OTHERS and len(claims(campaign, second)) == 4


def test_who_submits_what_was_taken_over_keeps_their_text() -> None:
    campaign, (first, second) = made(2, rows=2)
    lost = NextReview(fill_claims(campaign, first)[1], 0)
    taken = next_for(campaign, second)
    assert taken.assignment.id == lost.assignment.id
    with pytest.raises(LeaseLostError, match="your text is kept"):
        submit(campaign, first, lost)
    assert Draft.objects.get(reviewer=first).body["comment"] == GOOD.comment
    submit(campaign, second, taken)
    assert Review.objects.get().reviewer == second


def test_the_page_that_shows_what_was_taken_over_is_told_so_with_its_last_submission() -> None:
    campaign, (first, second) = made(2, rows=3)
    held = fill_claims(campaign, first)
    assert len(held) == 2
    client = client_of(first)

    def send(assignment: ClaimedAssignment, showing: ClaimedAssignment) -> dict[str, object]:
        address = f"/reviews/{assignment.key}/0/?ahead&assignment={showing.key}&slot=0"
        body = {
            "client_id": str(assignment.key),
            "answers": GOOD.as_dict(),
            "seconds_active": 1,
            "revision": 0,
        }
        answer = client.post(address, body, content_type="application/json")
        assert answer.status_code == 201, answer.text
        return answer.json()

    # The third is free, so the second reviewer takes that and then what the first has fetched ahead.
    fill(campaign, second, next_for(campaign, second))
    assert next_for(campaign, second).assignment.id == held[1].id
    told = send(held[0], showing=held[1])
    assert (told["is_shown_taken"], told["ahead"]) == (True, None)


def test_a_manager_releases_what_somebody_holds_and_it_is_said_and_audited() -> None:
    campaign, (first, second) = made(2, rows=2, candidates=2)
    campaign.project.shows_reviewer_names = True
    campaign.project.save()
    held = fill_claims(campaign, first)
    begun = submit(campaign, first, NextReview(held[0], 0)).review
    assert len(held) == 2
    owner = client_of(campaign.project.created_by)
    address = f"/projects/{campaign.project.slug}/campaigns/{campaign.pk}/assignments/"
    (form,) = re.findall(r'action="([^"]+/release/)"', owner.get(address).text)
    page = owner.post(form, follow=True)
    assert f"2 items of {first.name} go to others." in page.text
    assert not claims(campaign, first) and form not in page.text
    event = AuditEvent.objects.get(action="campaign.items_released")
    assert event.data == {"reviewer": first.pk, "assignments": 2}
    assert event.actor_id == campaign.project.created_by_id
    # The begun one is not offered to them again; the review of it stays, and others finish it.
    assert Review.objects.filter(pk=begun.pk).exists()
    assert {each.item_id for each in fill_claims(campaign, first)} <= {held[1].item_id}
    assert held[0].id in {each.id for each in fill_claims(campaign, second)}


def test_what_is_released_counts_while_it_is_free_and_is_kept_as_text_afterwards() -> None:
    campaign, (first, second) = made(2, rows=2)
    held = [NextReview(assignment, 0) for assignment in fill_claims(campaign, first)]
    assert release_claimed(campaign_reviewer=campaign_reviewer_of(campaign, first), by=None) == 2
    assert submit(campaign, first, held[0]).review.reviewer == first
    assert next_for(campaign, second).assignment.id == held[1].assignment.id
    with pytest.raises(LeaseLostError, match="your text is kept"):
        submit(campaign, first, held[1])
    assert Draft.objects.filter(reviewer=first).exists()


def test_a_program_releases_and_is_refused_where_nothing_runs() -> None:
    campaign, (first, _) = made(2, rows=2)
    fill_claims(campaign, first)
    program = program_of(campaign.project.created_by)
    address = (
        f"/api/v1/projects/{campaign.project.slug}/campaigns/{campaign.pk}/reviewers/{first.pk}/release/"
    )
    answer = program.post(address)
    # How many is no secret only where the project shows its reviewers' names.
    assert (answer.status_code, answer.json()) == (200, {"released": None})
    assert not Assignment.objects.filter(state=AssignmentState.IN_PROGRESS).exists()
    close_campaign(campaign=campaign, by=None)
    assert "no reviewer has an item in progress" in problem_in(program.post(address), 409)["message"]
    with pytest.raises(ConflictError):
        release_claimed(campaign_reviewer=campaign_reviewer_of(campaign, first), by=None)


def test_the_page_tells_when_the_first_lease_ends_and_what_brings_something_sooner() -> None:
    campaign, (first, second) = made(2, rows=1)
    claimed = next_for(campaign, first)
    page = client_of(second).get(f"/reviews/campaigns/{campaign.key}/")
    assert "When one skips an item, or its lease expires, you get it." in page.text
    assert (
        f'datetime="{timezone.localtime(assignment_of(claimed).lease_expires_at).isoformat(timespec="seconds")}"'
        in page.text
    )
