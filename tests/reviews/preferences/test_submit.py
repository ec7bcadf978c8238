import pytest
from django.db import IntegrityError, transaction

from evalapp.accounts.people import anonymise_person
from evalapp.audit.models import AuditEvent
from evalapp.campaigns.comparisons import arranged
from evalapp.campaigns.models import (
    Assignment,
    AssignmentState,
    CampaignReviewer,
    Comparison,
    ItemOutput,
    Skip,
)
from evalapp.campaigns.services import close_campaign
from evalapp.core.errors import InvalidError, MissingError, StaleError
from evalapp.reviews.drafts import DraftConflictError
from evalapp.reviews.kinds import PREFERENCE, kind_of
from evalapp.reviews.models import Draft, Review, ReviewRevision
from evalapp.reviews.preferences.answers import PreferenceAnswers
from evalapp.reviews.preferences.models import Preference
from evalapp.reviews.preferences.tasks import preference_of
from evalapp.reviews.services import (
    amend_review,
    keep_draft,
    skip_item,
)
from evalapp.reviews.submitting import CampaignClosedError
from tests.campaigns.making import make_open_campaign
from tests.reviews.preferences.conftest import again, claim, judge

pytestmark = pytest.mark.django_db


def keep(review_context, preference, revision=0):
    return keep_draft(
        review_context=again(review_context), answers=preference, seconds_active=1.0, revision=revision
    )


def test_a_judgement_is_stored_with_the_sides_it_was_given_on_and_counts_once(campaign, reviewer):
    review_context = claim(campaign, reviewer)
    result = judge(
        campaign, reviewer, PreferenceAnswers("b", None, " Clearer. "), review_context=review_context
    )
    review = Review.objects.get()
    comparison = Comparison.objects.get(pk=review_context.subject_id)
    assert result.review == review
    assert (review.preference.choice, review.preference.ranks, review.comment) == ("b", None, "Clearer.")
    assert review.preference.outputs == arranged(comparison.outputs, review_context.assignment.arrangement)
    assert (review.seconds_active, review.is_simulated, review.revision) == (7.5, False, 1)
    campaign_reviewer = CampaignReviewer.objects.get(campaign=campaign, user=reviewer)
    assert (campaign_reviewer.reviews_done, campaign_reviewer.seconds_active) == (1, 7.5)
    assignment = Assignment.objects.get(pk=review_context.assignment.pk)
    assert (assignment.state, assignment.reviews_done, assignment.open_slots) == (
        AssignmentState.SUBMITTED,
        1,
        [],
    )
    event = AuditEvent.objects.get(action="review.submitted")
    assert (event.actor_id, event.object_id) == (reviewer.pk, review.pk)


def test_a_ranking_is_stored_as_ranks_of_the_outputs_shown(ranking, reviewer):
    judge(ranking, reviewer, PreferenceAnswers("", [2, 3, 1]))
    review = Review.objects.get()
    assert (review.preference.choice, review.preference.ranks, len(review.preference.outputs)) == (
        "",
        [2, 3, 1],
        3,
    )


def test_what_is_not_whole_is_refused_and_nothing_counts(campaign, ranking, reviewer):
    for of, preference, field in (
        (campaign, PreferenceAnswers(), "choice"),
        (ranking, PreferenceAnswers("", [1, 2, None]), "ranks"),
    ):
        with pytest.raises(InvalidError) as refused:
            judge(of, reviewer, preference)
        assert list(refused.value.fields) == [field]
    assert not Review.objects.exists()


def test_a_closed_campaign_takes_no_amendment(campaign, reviewer):
    done = judge(campaign, reviewer).review
    close_campaign(campaign=campaign, by=None)
    with pytest.raises(CampaignClosedError):
        amend_review(review=done, by=reviewer, answers=PreferenceAnswers("b"), revision=1)


def test_an_amendment_replaces_the_preference_and_keeps_what_it_said(campaign, reviewer, other_reviewer):
    review = judge(campaign, reviewer, PreferenceAnswers("a", None, "First.")).review
    amended = amend_review(review=review, by=reviewer, answers=PreferenceAnswers("tie"), revision=1)
    assert (amended.revision, preference_of(amended)) == (2, PreferenceAnswers("tie"))
    assert ReviewRevision.objects.get().body == {"choice": "a", "ranks": None, "comment": "First."}
    # The same edit once more, because its answer was lost on the way.
    assert (
        amend_review(review=review, by=reviewer, answers=PreferenceAnswers("tie"), revision=1).revision == 2
    )
    with pytest.raises(StaleError):
        amend_review(review=review, by=reviewer, answers=PreferenceAnswers("b"), revision=1)
    with pytest.raises(MissingError):
        amend_review(review=review, by=other_reviewer, answers=PreferenceAnswers("b"), revision=2)
    assert Review.objects.get().preference.choice == "tie"


def test_an_edit_that_changes_nothing_stores_nothing(campaign, reviewer):
    review = judge(campaign, reviewer).review
    assert amend_review(review=review, by=reviewer, answers=PreferenceAnswers("a"), revision=1).revision == 1
    assert not ReviewRevision.objects.exists()


def test_a_skipped_item_goes_to_others_and_its_drafts_go(campaign, reviewer):
    review_context = claim(campaign, reviewer)
    keep(review_context, PreferenceAnswers("a"))
    skip_item(reviewer=reviewer, assignment=review_context.assignment, reason="My own client")
    assert not Draft.objects.exists()
    assert Assignment.objects.get(pk=review_context.assignment.pk).state == AssignmentState.AVAILABLE
    assert Skip.objects.get().item_id == review_context.assignment.item_id
    assert claim(campaign, reviewer).assignment.item_id != review_context.assignment.item_id


def test_a_draft_is_kept_and_a_newer_one_of_another_tab_is_not_written_over(campaign, reviewer):
    review_context = claim(campaign, reviewer)
    assert keep(review_context, PreferenceAnswers("a", None, "So far")).revision == 1
    assert keep(review_context, PreferenceAnswers("a", None, "So far, more"), revision=1).revision == 2
    # Repeated, because its answer was lost.
    assert keep(review_context, PreferenceAnswers("a", None, "So far, more"), revision=1).revision == 2
    with pytest.raises(DraftConflictError):
        keep(review_context, PreferenceAnswers("b"), revision=1)
    assert PREFERENCE.task_at(again(review_context)).draft == PreferenceAnswers("a", None, "So far, more")
    judge(campaign, reviewer, review_context=again(review_context))
    assert not Draft.objects.exists()


def test_a_draft_follows_its_answers_to_a_assignment_where_they_stand_the_other_way(project, reviewer):
    campaign = make_open_campaign(project, [reviewer], rows=1, candidates=2, overlap=1, method="pairwise")
    review_context = claim(campaign, reviewer)
    keep(review_context, PreferenceAnswers("a"))
    Assignment.objects.filter(pk=review_context.assignment.pk).update(
        arrangement=1 - review_context.assignment.arrangement
    )
    assert PREFERENCE.task_at(again(review_context)).draft == PreferenceAnswers("b")


def test_the_drafts_of_a_deleted_person_go(campaign, reviewer):
    keep(claim(campaign, reviewer), PreferenceAnswers("a"))
    anonymise_person(user=reviewer, by=reviewer)
    assert not Draft.objects.exists()


def test_the_quota_is_exact_and_both_reviewers_see_the_sides_the_other_way_round(
    campaign, reviewer, other_reviewer
):
    for person in (reviewer, other_reviewer):
        for _ in range(4):
            judge(campaign, person)
    assert set(Assignment.objects.values_list("state", flat=True)) == {AssignmentState.SUBMITTED}
    assert Review.objects.count() == campaign.reviews_total == 8
    for comparison in Comparison.objects.filter(item__campaign=campaign):
        one, other = comparison.reviews.all()
        assert one.preference.outputs == other.preference.outputs[::-1]


def test_a_campaign_that_compares_takes_no_ratings(campaign):
    with pytest.raises(InvalidError) as refused:
        kind_of(campaign).read({"scores": {"tone": 3}, "comment": ""})
    assert list(refused.value.fields) == ["answers.scores"]


@pytest.mark.parametrize(
    "change",
    [
        {"choice": "c"},
        {"choice": ""},
        {"ranks": [1, 2]},
        {"choice": "", "ranks": [1, 2, 2], "outputs": [1, 2, 3]},
        {"choice": "", "ranks": [1, 2, 4], "outputs": [1, 2, 3]},
        {"choice": "", "ranks": [1, 2, 3, 4], "outputs": [1, 2, 3]},
    ],
)
def test_the_database_itself_refuses_a_preference_that_is_none(campaign, reviewer, change):
    review = judge(campaign, reviewer).review
    with pytest.raises(IntegrityError), transaction.atomic():
        Preference.objects.filter(review=review).update(**change)


def test_the_database_itself_refuses_a_review_of_nothing_and_of_two_things(campaign, reviewer):
    review = judge(campaign, reviewer).review
    output = ItemOutput.objects.filter(item=review.item).first()
    for change in ({"comparison": None}, {"item_output": output}, {"seconds_active": -1}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Review.objects.filter(pk=review.pk).update(**change)
