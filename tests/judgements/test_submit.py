from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction

from evalapp.accounts.people import anonymise_person
from evalapp.audit.models import AuditEvent
from evalapp.campaigns.comparisons import arranged
from evalapp.campaigns.models import Assignment, AssignmentState, CampaignReviewer, Comparison, Skip
from evalapp.campaigns.services import close_campaign
from evalapp.core.errors import InvalidError, MissingError, StaleError
from evalapp.judgements.models import Judgement, JudgementDraft, JudgementRevision
from evalapp.judgements.queries import comparison_id_at, judging_stand, stand_task, verdict_of
from evalapp.judgements.services import (
    amend_judgement,
    keep_draft,
    skip_comparisons,
)
from evalapp.judgements.verdicts import Verdict
from evalapp.reviews.answers import ReviewAnswers
from evalapp.reviews.drafts import DraftConflictError
from evalapp.reviews.models import Review
from evalapp.reviews.services import submit_at
from evalapp.reviews.submitting import CampaignClosedError
from tests.campaigns.making import make_open_campaign
from tests.judgements.conftest import again, claim, judge

pytestmark = pytest.mark.django_db


def keep(stand, verdict, revision=0):
    return keep_draft(stand=again(stand), verdict=verdict, seconds_active=1.0, revision=revision)


def test_a_judgement_is_stored_with_the_sides_it_was_given_on_and_counts_once(campaign, reviewer):
    stand = claim(campaign, reviewer)
    result = judge(campaign, reviewer, Verdict("b", None, " Clearer. "), stand=stand)
    judgement = Judgement.objects.get()
    comparison = Comparison.objects.get(pk=comparison_id_at(stand))
    assert result.judgement == judgement
    assert (judgement.choice, judgement.ranks, judgement.comment) == ("b", None, "Clearer.")
    assert judgement.outputs == arranged(comparison.outputs, stand.assignment.arrangement)
    assert (judgement.seconds_active, judgement.is_simulated, judgement.revision) == (7.5, False, 1)
    campaign_reviewer = CampaignReviewer.objects.get(campaign=campaign, user=reviewer)
    assert (campaign_reviewer.reviews_done, campaign_reviewer.seconds_active) == (1, 7.5)
    assignment = Assignment.objects.get(pk=stand.assignment.pk)
    assert (assignment.state, assignment.reviews_done, assignment.open_slots) == (
        AssignmentState.SUBMITTED,
        1,
        [],
    )
    event = AuditEvent.objects.get(action="judgement.submitted")
    assert (event.actor_id, event.object_id) == (reviewer.pk, judgement.pk)


def test_a_ranking_is_stored_as_ranks_of_the_outputs_shown(ranking, reviewer):
    judge(ranking, reviewer, Verdict("", [2, 3, 1]))
    judgement = Judgement.objects.get()
    assert (judgement.choice, judgement.ranks, len(judgement.outputs)) == ("", [2, 3, 1], 3)


def test_what_is_not_whole_is_refused_and_nothing_counts(campaign, ranking, reviewer):
    for of, verdict, field in (
        (campaign, Verdict(), "choice"),
        (ranking, Verdict("", [1, 2, None]), "ranks"),
    ):
        with pytest.raises(InvalidError) as refused:
            judge(of, reviewer, verdict)
        assert list(refused.value.fields) == [field]
    assert not Judgement.objects.exists()


def test_a_closed_campaign_takes_no_amendment(campaign, reviewer):
    done = judge(campaign, reviewer).judgement
    close_campaign(campaign=campaign, by=None)
    with pytest.raises(CampaignClosedError):
        amend_judgement(judgement=done, by=reviewer, verdict=Verdict("b"), revision=1)


def test_an_amendment_replaces_the_verdict_and_keeps_what_it_said(campaign, reviewer, other_reviewer):
    judgement = judge(campaign, reviewer, Verdict("a", None, "First.")).judgement
    amended = amend_judgement(judgement=judgement, by=reviewer, verdict=Verdict("tie"), revision=1)
    assert (amended.revision, verdict_of(amended)) == (2, Verdict("tie"))
    assert JudgementRevision.objects.get().body == {"choice": "a", "ranks": None, "comment": "First."}
    # The same edit once more, because its answer was lost on the way.
    assert amend_judgement(judgement=judgement, by=reviewer, verdict=Verdict("tie"), revision=1).revision == 2
    with pytest.raises(StaleError):
        amend_judgement(judgement=judgement, by=reviewer, verdict=Verdict("b"), revision=1)
    with pytest.raises(MissingError):
        amend_judgement(judgement=judgement, by=other_reviewer, verdict=Verdict("b"), revision=2)
    assert Judgement.objects.get().choice == "tie"


def test_an_edit_that_changes_nothing_stores_nothing(campaign, reviewer):
    judgement = judge(campaign, reviewer).judgement
    assert amend_judgement(judgement=judgement, by=reviewer, verdict=Verdict("a"), revision=1).revision == 1
    assert not JudgementRevision.objects.exists()


def test_a_skipped_item_goes_to_others_and_its_drafts_go(campaign, reviewer):
    stand = claim(campaign, reviewer)
    keep(stand, Verdict("a"))
    skip_comparisons(reviewer=reviewer, assignment=stand.assignment, reason="My own client")
    assert not JudgementDraft.objects.exists()
    assert Assignment.objects.get(pk=stand.assignment.pk).state == AssignmentState.AVAILABLE
    assert Skip.objects.get().item_id == stand.assignment.item_id
    assert claim(campaign, reviewer).assignment.item_id != stand.assignment.item_id


def test_a_draft_is_kept_and_a_newer_one_of_another_tab_is_not_written_over(campaign, reviewer):
    stand = claim(campaign, reviewer)
    assert keep(stand, Verdict("a", None, "So far")).revision == 1
    assert keep(stand, Verdict("a", None, "So far, more"), revision=1).revision == 2
    # Repeated, because its answer was lost.
    assert keep(stand, Verdict("a", None, "So far, more"), revision=1).revision == 2
    with pytest.raises(DraftConflictError):
        keep(stand, Verdict("b"), revision=1)
    assert stand_task(again(stand)).draft == Verdict("a", None, "So far, more")
    judge(campaign, reviewer, stand=again(stand))
    assert not JudgementDraft.objects.exists()


def test_a_draft_follows_its_answers_to_a_assignment_where_they_stand_the_other_way(project, reviewer):
    campaign = make_open_campaign(project, [reviewer], rows=1, candidates=2, overlap=1, method="pairwise")
    stand = claim(campaign, reviewer)
    keep(stand, Verdict("a"))
    Assignment.objects.filter(pk=stand.assignment.pk).update(arrangement=1 - stand.assignment.arrangement)
    assert stand_task(again(stand)).draft == Verdict("b")


def test_the_drafts_of_a_deleted_person_go(campaign, reviewer):
    keep(claim(campaign, reviewer), Verdict("a"))
    anonymise_person(user=reviewer, by=reviewer)
    assert not JudgementDraft.objects.exists()


def test_the_quota_is_exact_and_both_reviewers_see_the_sides_the_other_way_round(
    campaign, reviewer, other_reviewer
):
    for person in (reviewer, other_reviewer):
        for _ in range(4):
            judge(campaign, person)
    assert set(Assignment.objects.values_list("state", flat=True)) == {AssignmentState.SUBMITTED}
    assert Judgement.objects.count() == campaign.reviews_total == 8
    for comparison in Comparison.objects.filter(item__campaign=campaign):
        one, other = comparison.judgements.all()
        assert one.outputs == other.outputs[::-1]


def test_a_campaign_that_compares_takes_no_review_of_one_answer(campaign, reviewer):
    stand = claim(campaign, reviewer)
    with pytest.raises(InvalidError):
        submit_at(
            campaign_reviewer=stand.campaign_reviewer,
            assignment=stand.assignment,
            slot=0,
            client_id=uuid4(),
            answers=ReviewAnswers({"tone": 3}),
        )
    assert not Review.objects.exists()


def test_addresses_of_reviews_and_of_comparisons_do_not_meet(project, reviewer, campaign):
    from evalapp.campaigns.allocation import next_review
    from evalapp.reviews.queries import stand_at
    from tests.reviews.conftest import campaign_reviewer_of

    stand = claim(campaign, reviewer)
    with pytest.raises(MissingError):
        stand_at(reviewer, stand.assignment.key, 0)
    rated = make_open_campaign(project, [reviewer], name="Rated", dataset="Rated", rubric="Rated", overlap=1)
    assignment = next_review(campaign_reviewer=campaign_reviewer_of(rated, reviewer)).assignment
    with pytest.raises(MissingError):
        judging_stand(reviewer, assignment.key, 0)


@pytest.mark.parametrize(
    "change",
    [
        {"choice": "c"},
        {"choice": ""},
        {"ranks": [1, 2]},
        {"seconds_active": -1},
        {"choice": "", "ranks": [1, 2, 2], "outputs": [1, 2, 3]},
        {"choice": "", "ranks": [1, 2, 4], "outputs": [1, 2, 3]},
        {"choice": "", "ranks": [1, 2, 3, 4], "outputs": [1, 2, 3]},
    ],
)
def test_the_database_itself_refuses_a_verdict_that_is_none(campaign, reviewer, change):
    judgement = judge(campaign, reviewer).judgement
    with pytest.raises(IntegrityError), transaction.atomic():
        Judgement.objects.filter(pk=judgement.pk).update(**change)
