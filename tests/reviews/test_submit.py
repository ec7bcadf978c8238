from uuid import uuid4

import pytest

from evalapp.audit.models import AuditEvent
from evalapp.campaigns.models import Assignment, AssignmentState, CampaignReviewer, Skip
from evalapp.campaigns.services import close_campaign
from evalapp.core.errors import InvalidError, MissingError, StaleError
from evalapp.reviews.answers import ReviewAnswers
from evalapp.reviews.models import Correction, Draft, Review, ReviewRevision, ReviewTag, Score
from evalapp.reviews.queries import answers_of
from evalapp.reviews.services import amend_review, skip_item
from evalapp.reviews.submitting import CampaignClosedError, LeaseLostError
from tests.reviews.conftest import GOOD, assignment_of, claim, submit

pytestmark = pytest.mark.django_db


def test_a_submission_stores_all_its_parts_and_counts_once(campaign, reviewer):
    answers = ReviewAnswers({**GOOD.scores, "accuracy": 1}, GOOD.tags, "No.", "**Better** answer.")
    result = submit(campaign, reviewer, answers=answers)
    review = Review.objects.get()
    assert result.review == review
    assert (review.comment, review.seconds_active, review.is_simulated) == ("No.", 12.5, False)
    assert dict(Score.objects.values_list("criterion__key", "value")) == answers.scores
    assert set(Score.objects.values_list("minimum", "maximum")) == {(1, 5), (0, 1)}
    assert ReviewTag.objects.get().tag.key == "too-formal"
    assert Correction.objects.get().text == "**Better** answer."
    assert answers_of(review) == ReviewAnswers(
        answers.scores, {"tone": ["too-formal"]}, "No.", "**Better** answer."
    )
    campaign_reviewer = CampaignReviewer.objects.get(campaign=campaign, user=reviewer)
    assert (
        campaign_reviewer.reviews_done,
        campaign_reviewer.seconds_active,
        campaign_reviewer.recent_items,
    ) == (
        1,
        12.5,
        [review.assignment.item_id],
    )
    assignment = review.assignment
    assert (assignment.reviews_done, len(assignment.open_slots), assignment.state) == (
        1,
        1,
        AssignmentState.IN_PROGRESS,
    )
    event = AuditEvent.objects.get(action="review.submitted")
    assert (event.actor_id, event.object_id) == (reviewer.pk, review.pk)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"accuracy": 6}, "scores.accuracy"),
        ({"accuracy": 0}, "scores.accuracy"),
        ({"accuracy": 999}, "scores.accuracy"),
        ({"accuracy": -(10**30)}, "scores.accuracy"),
        ({"accuracy": "4"}, "scores.accuracy"),
        ({"accuracy": True}, "scores.accuracy"),
        ({"accuracy": 4.0}, "scores.accuracy"),
        ({"accuracy": None}, "scores.accuracy"),
        ({"accuracy": "na"}, "scores.accuracy"),
        ({"material-factual-error": 2}, "scores.material-factual-error"),
        ({"foreign": 3}, "scores.foreign"),
    ],
)
def test_a_score_that_the_rubric_does_not_know_is_refused_by_name(campaign, reviewer, change, field):
    with pytest.raises(InvalidError) as refused:
        submit(campaign, reviewer, answers=ReviewAnswers({**GOOD.scores, **change}))
    assert list(refused.value.fields) == [field]
    assert not Review.objects.exists()


@pytest.mark.parametrize(
    ("answers", "field", "words"),
    [
        (ReviewAnswers(GOOD.scores, {"tone": ("rude",)}), "tags.tone", "not a reason"),
        (ReviewAnswers(GOOD.scores, {"nothing": ("x",)}), "tags.nothing", "no criterion"),
        (ReviewAnswers(GOOD.scores, {"accuracy": ("too-formal",)}), "tags.accuracy", "not a reason"),
        (ReviewAnswers(GOOD.scores, comment="a\x00b"), "comment", "NUL character (at 2)"),
        (ReviewAnswers(GOOD.scores, comment="\ud800"), "comment", "half of a surrogate pair"),
        (ReviewAnswers(GOOD.scores, comment="x" * 2**20), "comment", "1,048,576 characters"),
        (ReviewAnswers(GOOD.scores, correction="  "), "correction", "empty"),
        (ReviewAnswers(GOOD.scores, correction="a\x00"), "correction", "NUL"),
    ],
)
def test_texts_and_reasons_that_cannot_stay_are_refused_by_name(campaign, reviewer, answers, field, words):
    with pytest.raises(InvalidError) as refused:
        submit(campaign, reviewer, answers=answers)
    assert list(refused.value.fields) == [field]
    assert words in refused.value.fields[field][0]
    assert not Review.objects.exists()


def test_every_missing_score_is_named_at_once(campaign, reviewer):
    with pytest.raises(InvalidError) as refused:
        submit(campaign, reviewer, answers=ReviewAnswers())
    assert sorted(refused.value.fields) == sorted(f"scores.{key}" for key in GOOD.scores)


def test_a_correction_equal_to_the_answer_is_none(campaign, reviewer):
    upcoming = claim(campaign, reviewer)
    from evalapp.campaigns.models import ItemOutput

    text = ItemOutput.objects.get(pk=upcoming.subject_id).output.text
    submit(campaign, reviewer, upcoming, answers=ReviewAnswers(GOOD.scores, correction=f"{text}\r\n"))
    assert not Correction.objects.exists()


def test_a_assignment_of_somebody_else_is_refused_and_the_text_kept(campaign, reviewer, other_reviewer):
    upcoming = claim(campaign, reviewer)
    with pytest.raises(LeaseLostError):
        submit(campaign, other_reviewer, upcoming)
    draft = Draft.objects.get(reviewer=other_reviewer)
    assert draft.body["comment"] == "Reads well."
    assert not Review.objects.exists()


def test_somebody_without_a_campaign_reviewer_learns_nothing(campaign, reviewer, stranger, manager):
    upcoming = claim(campaign, reviewer)
    for person in (stranger, manager):
        with pytest.raises(MissingError):
            submit(campaign, person, upcoming)


def test_a_closed_campaign_takes_no_amendment(campaign, reviewer, owner):
    review = submit(campaign, reviewer).review
    close_campaign(campaign=campaign, by=owner)
    with pytest.raises(CampaignClosedError):
        amend_review(review=review, by=reviewer, answers=GOOD, revision=1)


def test_simulated_reviews_stay_in_demonstrations_and_mark_the_campaign(campaign, project, reviewer):
    with pytest.raises(InvalidError):
        submit(campaign, reviewer, is_simulated=True)
    project.is_demonstration = True
    project.save(update_fields=["is_demonstration"])
    assert submit(campaign, reviewer, is_simulated=True).review.is_simulated
    campaign.refresh_from_db()
    assert campaign.is_simulated


def test_an_amendment_keeps_what_was_said_before(campaign, reviewer):
    review = submit(campaign, reviewer).review
    amended = amend_review(
        review=review,
        by=reviewer,
        answers=ReviewAnswers({**GOOD.scores, "tone": 4}, comment="Now."),
        revision=1,
    )
    assert (amended.revision, amended.comment) == (2, "Now.")
    assert Score.objects.get(criterion__key="tone").value == 4
    assert not ReviewTag.objects.exists()
    before = ReviewRevision.objects.get()
    assert before.body == ReviewAnswers(GOOD.scores, {"tone": ["too-formal"]}, "Reads well.").as_dict()
    assert AuditEvent.objects.filter(action="review.amended").count() == 1


def test_an_amendment_that_changes_nothing_stores_nothing(campaign, reviewer):
    review = submit(campaign, reviewer).review
    same = amend_review(review=review, by=reviewer, answers=GOOD, revision=1)
    assert (same.revision, ReviewRevision.objects.count()) == (1, 0)
    assert not AuditEvent.objects.filter(action="review.amended").exists()


def test_a_stale_amendment_is_refused(campaign, reviewer):
    review = submit(campaign, reviewer).review
    amend_review(review=review, by=reviewer, answers=ReviewAnswers({**GOOD.scores, "tone": 4}), revision=1)
    with pytest.raises(StaleError):
        amend_review(review=review, by=reviewer, answers=GOOD, revision=1)
    assert Score.objects.get(criterion__key="tone").value == 4


@pytest.mark.parametrize("is_closed_since", [False, True], ids=["open", "closed since"])
def test_an_amendment_whose_answer_was_lost_is_sent_again_and_changes_nothing(
    campaign, reviewer, is_closed_since
):
    review = submit(campaign, reviewer).review
    edit = ReviewAnswers({**GOOD.scores, "tone": 4}, comment=" Now. ", correction="Better said.")
    amend_review(review=review, by=reviewer, answers=edit, revision=1)
    if is_closed_since:
        close_campaign(campaign=campaign, by=None)
    again = amend_review(review=review, by=reviewer, answers=edit, revision=1)
    assert (again.pk, again.revision, again.comment) == (review.pk, 2, "Now.")
    assert review.revisions.count() == 1
    assert AuditEvent.objects.filter(action="review.amended").count() == 1
    Correction.objects.update(text="Another tab's.")
    with pytest.raises((StaleError, CampaignClosedError)):
        amend_review(review=review, by=reviewer, answers=edit, revision=1)


def test_nobody_amends_anothers_review(campaign, reviewer, other_reviewer):
    review = submit(campaign, reviewer).review
    with pytest.raises(MissingError):
        amend_review(review=review, by=other_reviewer, answers=GOOD, revision=1)


def test_a_replay_after_an_amendment_changes_nothing(campaign, reviewer):
    upcoming, client_id = claim(campaign, reviewer), uuid4()
    review = submit(campaign, reviewer, upcoming, client_id=client_id).review
    amend_review(review=review, by=reviewer, answers=ReviewAnswers({**GOOD.scores, "tone": 4}), revision=1)
    assert submit(campaign, reviewer, upcoming, client_id=client_id).is_replay
    assert Score.objects.get(criterion__key="tone").value == 4


def test_a_skip_gives_the_assignment_away_for_good(campaign, reviewer, other_reviewer):
    upcoming = claim(campaign, reviewer)
    assignment = assignment_of(upcoming)
    with pytest.raises(InvalidError):
        skip_item(reviewer=reviewer, assignment=assignment, reason="  ")
    skip_item(reviewer=reviewer, assignment=assignment, reason="My own client")
    assert Assignment.objects.get(pk=assignment.pk).state == AssignmentState.AVAILABLE
    assert Skip.objects.get().reason == "My own client"
    with pytest.raises(LeaseLostError):
        skip_item(reviewer=reviewer, assignment=assignment, reason="Again")
    items = {claim(campaign, reviewer).assignment.item_id for _ in range(6)}
    assert assignment.item_id not in items
    with pytest.raises(LeaseLostError):
        submit(campaign, reviewer, upcoming)
