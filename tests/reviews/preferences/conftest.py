from types import SimpleNamespace
from uuid import uuid4

import pytest

from evalapp.adjudication.disagreements import disputed_comparisons
from evalapp.adjudication.models import ComparisonAdjudication
from evalapp.adjudication.services import adjudicate_comparison
from evalapp.campaigns.allocation import NextReview, next_review
from evalapp.campaigns.models import Campaign, CampaignReviewer, Comparison
from evalapp.reviews.kinds import PREFERENCE
from evalapp.reviews.preferences.answers import PreferenceAnswers
from evalapp.reviews.queries import review_context_at
from evalapp.reviews.services import submit_at
from tests.adjudication.conftest import address
from tests.campaigns.making import make_open_campaign

A_IS_BETTER = PreferenceAnswers("a")
CLEARER = PreferenceAnswers("a", None, "Clearer.")
B_IS_BETTER = PreferenceAnswers("b")
WHY = "The second names the deadline, the first does not."


def make_pairwise(project, reviewers) -> Campaign:
    return make_open_campaign(project, reviewers, rows=4, candidates=2, overlap=2, method="pairwise")


@pytest.fixture
def campaign(project, reviewer, other_reviewer) -> Campaign:
    return make_pairwise(project, [reviewer, other_reviewer])


def make_ranking(project, reviewers) -> Campaign:
    return make_open_campaign(
        project,
        reviewers,
        rows=3,
        candidates=3,
        overlap=2,
        method="ranking",
        name="Ranking",
        dataset="Ranked",
        rubric="Ranked",
    )


@pytest.fixture
def ranking(project, reviewer, other_reviewer) -> Campaign:
    return make_ranking(project, [reviewer, other_reviewer])


def claim(campaign, user):
    """The next comparison as the reviewer stands before it."""
    campaign_reviewer = CampaignReviewer.objects.select_related(
        "campaign__rubric_version", "campaign__project", "user"
    ).get(campaign=campaign, user=user)
    found = next_review(campaign_reviewer=campaign_reviewer)
    assert isinstance(found, NextReview), found
    return review_context_at(user, found.assignment.key, found.slot)


def again(review_context):
    """The same stand, read anew."""
    return review_context_at(
        review_context.campaign_reviewer.user, review_context.assignment.key, review_context.slot
    )


def judge(campaign, user, preference=A_IS_BETTER, *, review_context=None, client_id=None, seconds=7.5):
    return submit_at(
        review_context=review_context or claim(campaign, user),
        client_id=client_id or uuid4(),
        answers=preference,
        seconds_active=seconds,
    )


def url_of(review_context) -> str:
    return f"/reviews/{review_context.assignment.key}/{review_context.slot}/"


def body(preference=CLEARER, *, client_id=None, revision=0):
    answers = preference.as_dict() if isinstance(preference, PreferenceAnswers) else preference
    return {
        "client_id": str(client_id or uuid4()),
        "answers": answers,
        "seconds_active": 7.5,
        "revision": revision,
    }


def post(client, url, data):
    return client.post(url, data, content_type="application/json", headers={"Accept": "application/json"})


def judge_all(campaign, person, preference, comment="") -> None:
    """Judge all that they get; ``preference`` is of each comparison's own order."""
    while True:
        try:
            review_context = claim(campaign, person)
        except AssertionError:
            return
        comparison = Comparison.objects.get(pk=review_context.subject_id)
        said = preference.turned(comparison.outputs, PREFERENCE.task_at(review_context).outputs)
        judge(
            campaign,
            person,
            PreferenceAnswers(said.choice, said.ranks, comment),
            review_context=review_context,
        )


def judge_oppositely(campaign, reviewer, other_reviewer) -> None:
    judge_all(campaign, reviewer, PreferenceAnswers("a"), "Clearer.")
    judge_all(campaign, other_reviewer, PreferenceAnswers("b"), "Kinder.")


@pytest.fixture
def disputed(campaign, reviewer, other_reviewer) -> SimpleNamespace:
    judge_oppositely(campaign, reviewer, other_reviewer)
    return dispute_in(campaign, reviewer, other_reviewer)


def dispute_in(campaign, reviewer, other_reviewer) -> SimpleNamespace:
    """Every comparison has two opposite preferences; ``comparison`` is one of them."""
    comparison = disputed_comparisons(campaign).rows[0].subject_id
    preferences = campaign.reviews.select_related("comparison__item", "assignment", "campaign__project")
    return SimpleNamespace(
        campaign=campaign,
        comparison=preferences.filter(comparison=comparison)[0].comparison,
        mine=preferences.get(comparison=comparison, reviewer=reviewer),
        theirs=preferences.get(comparison=comparison, reviewer=other_reviewer),
    )


def decide(disputed, by, preference=B_IS_BETTER, *, reason=WHY, revision=0) -> ComparisonAdjudication:
    return adjudicate_comparison(
        campaign=disputed.campaign,
        comparison=disputed.comparison,
        preference=preference,
        reason=reason,
        revision=revision,
        by=by,
    )


def desk_of(disputed) -> str:
    return address(disputed.campaign, f"adjudication/comparisons/{disputed.comparison.pk}/")


def own_page(review) -> str:
    return f"/reviews/{review.assignment.key}/{review.slot}/discussion/"
