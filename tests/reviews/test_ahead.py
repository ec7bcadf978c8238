"""The answer to a submission brings what comes after the task that is on the screen by then."""

import pytest

from evalapp.campaigns.models import Campaign, CampaignReviewer, CampaignState
from evalapp.reviews.models import Review
from evalapp.reviews.preferences.answers import PreferenceAnswers
from tests.campaigns.making import make_open_campaign
from tests.reviews.conftest import body, post
from tests.reviews.preferences.conftest import body as preference_body

pytestmark = pytest.mark.django_db
JSON = {"Accept": "application/json"}


def assignment_in(url):
    _, assignment, slot, _ = url.rsplit("/", 3)
    return f"assignment={assignment}&slot={slot}"


def fetch(client, start, on_screen=None):
    query = f"?{assignment_in(on_screen['url'])}" if on_screen else ""
    return client.get(f"{start}{query}", headers=JSON).json()


@pytest.mark.parametrize("kind", ["reviews", "preferences"])
def test_it_is_what_fetching_ahead_would_give(project, reviewer, other_reviewer, client_for, kind):
    options = {"method": "pairwise"} if kind == "preferences" else {}
    campaign = make_open_campaign(project, [reviewer, other_reviewer], rows=4, candidates=2, **options)
    given = body if kind == "reviews" else lambda: preference_body(PreferenceAnswers("a"))
    client, start = client_for(reviewer), f"/reviews/campaigns/{campaign.key}/"
    on_screen = fetch(client, start)
    shown_meanwhile = fetch(client, start, on_screen)
    seen = [on_screen["url"], shown_meanwhile["url"]]
    while True:
        answer = post(client, f"{on_screen['url']}?ahead&{assignment_in(shown_meanwhile['url'])}", given())
        assert answer.status_code == 201
        ahead = answer.json()["ahead"]
        fetched = fetch(client, start, shown_meanwhile)
        if ahead is None:
            assert "no_work" in fetched
            break
        # Each answer makes an id of its own for the submission to come.
        del ahead["client_id"], fetched["client_id"]
        assert ahead == fetched
        seen.append(ahead["url"])
        on_screen, shown_meanwhile = shown_meanwhile, ahead
    assert len(seen) == len(set(seen)) == (8 if kind == "reviews" else 4)


def test_it_comes_only_to_those_who_ask(campaign, reviewer, client_for):
    client, start = client_for(reviewer), f"/reviews/campaigns/{campaign.key}/"
    assert set(post(client, fetch(client, start)["url"], body()).json()) == {
        "saved_at",
        "revision",
        "is_replay",
    }


@pytest.mark.parametrize("query", ["ahead&assignment=nothing&slot=0", "ahead&assignment=&slot=x", "ahead"])
def test_a_strange_assignment_does_not_hinder_the_submission(campaign, reviewer, client_for, query):
    client, start = client_for(reviewer), f"/reviews/campaigns/{campaign.key}/"
    answer = post(client, f"{fetch(client, start)['url']}?{query}", body())
    assert answer.status_code == 201
    assert Review.objects.count() == 1


def test_who_left_at_that_moment_is_told_that_the_submission_was_stored(
    campaign, reviewer, client_for, monkeypatch
):
    client, start = client_for(reviewer), f"/reviews/campaigns/{campaign.key}/"
    address = fetch(client, start)["url"]

    def leave_first(*arguments, **named):
        CampaignReviewer.objects.filter(user=reviewer).update(left_at="2030-01-01T00:00Z")
        return campaign_reviewer_after_submission(*arguments, **named)

    from evalapp.reviews import views

    campaign_reviewer_after_submission = views.campaign_reviewer_after_submission
    monkeypatch.setattr(views, "campaign_reviewer_after_submission", leave_first)
    answer = post(client, f"{address}?ahead", body())
    assert (answer.status_code, answer.json()["ahead"]) == (201, None)
    assert Review.objects.count() == 1


def test_nothing_comes_from_a_campaign_that_was_paused_at_that_moment(
    campaign, reviewer, client_for, monkeypatch
):
    client, start = client_for(reviewer), f"/reviews/campaigns/{campaign.key}/"
    address = fetch(client, start)["url"]

    def pause_first(*arguments, **named):
        Campaign.objects.update(state=CampaignState.PAUSED)
        return campaign_reviewer_after_submission(*arguments, **named)

    from evalapp.reviews import views

    campaign_reviewer_after_submission = views.campaign_reviewer_after_submission
    monkeypatch.setattr(views, "campaign_reviewer_after_submission", pause_first)
    answer = post(client, f"{address}?ahead", body())
    assert (answer.status_code, answer.json()["ahead"]) == (201, None)
