from uuid import uuid4

import pytest

from evalapp.campaigns.allocation import NextReview, next_review
from evalapp.campaigns.models import Assignment, Campaign, CampaignReviewer, ItemOutput
from evalapp.reviews.answers import ReviewAnswers
from tests.campaigns.making import make_open_campaign
from tests.factories import submit_review

GOOD = ReviewAnswers(
    {"accuracy": 4, "clarity": 5, "tone": 2, "personalization": 3, "material-factual-error": 0},
    {"tone": ("too-formal",)},
    "Reads well.",
)


@pytest.fixture
def campaign(project, reviewer, other_reviewer) -> Campaign:
    return make_open_campaign(project, [reviewer, other_reviewer], rows=4, candidates=2, overlap=2)


def campaign_reviewer_of(campaign, user) -> CampaignReviewer:
    return CampaignReviewer.objects.select_related(
        "campaign__rubric_version", "campaign__project", "user"
    ).get(campaign=campaign, user=user)


def claim(campaign, user) -> NextReview:
    found = next_review(campaign_reviewer=campaign_reviewer_of(campaign, user))
    assert isinstance(found, NextReview), found
    return found


def assignment_of(upcoming) -> Assignment:
    return Assignment.objects.select_related("campaign__project", "campaign__rubric_version").get(
        pk=upcoming.assignment.id
    )


def submit(campaign, user, upcoming=None, *, answers=GOOD, client_id=None, **options):
    upcoming = upcoming or claim(campaign, user)
    return submit_review(
        reviewer=user,
        assignment=assignment_of(upcoming),
        item_output=ItemOutput.objects.get(pk=upcoming.subject_id),
        client_id=client_id or uuid4(),
        answers=answers,
        seconds_active=options.pop("seconds_active", 12.5),
        **options,
    )


def body(answers=GOOD, *, client_id=None, revision=0, seconds_active=12.5):
    return {
        "client_id": str(client_id or uuid4()),
        "answers": answers.as_dict() if isinstance(answers, ReviewAnswers) else answers,
        "seconds_active": seconds_active,
        "revision": revision,
    }


def url_of(upcoming) -> str:
    return f"/reviews/{upcoming.assignment.key}/{upcoming.slot}/"


def post(client, url, data):
    return client.post(url, data, content_type="application/json", headers={"Accept": "application/json"})
