"""A reviewer's own progress, on the page where they rate and on their list."""

import pytest

from evalapp.accounts.models import User
from evalapp.campaigns.allocation import NextReview, next_review
from evalapp.campaigns.models import Campaign, CampaignReviewer
from evalapp.reviews.presentation import progress_payload
from tests.campaigns.making import make_open_campaign
from tests.reviews.conftest import claim, submit
from tests.reviews.test_pages import JSON, next_url

pytestmark = pytest.mark.django_db


def test_a_reviewer_sees_their_own_progress_first_and_the_campaigns_beside_it(campaign, reviewer, client_for):
    client = client_for(reviewer)
    submit(campaign, reviewer)
    page = client.get(next_url(campaign)).content.decode()
    # 4 items of 2 answers each; two people rate each, 16 in all.
    assert '<progress data-progress="bar" max="8" value="1" aria-label="Your reviews">' in page
    assert ">1</strong> by you" in page and ">of up to 8</span>" in page
    assert '<span data-progress="done">1</span> of 16' in page
    home = client.get("/reviews/").content.decode()
    assert '<progress max="8" value="1" aria-label="Your reviews">' in home and "1 of 16" in home

    for _ in range(7):
        submit(campaign, reviewer)
    end = client.get(next_url(campaign), headers=JSON).json()
    assert end["no_work"]["title"] == "Your part is done"
    own = [end["progress"][name] for name in ("mine", "mine_total", "mine_words", "done", "total")]
    assert own == [8, 8, "nothing left for you", 8, 16]
    assert "nothing left for you" in client.get(next_url(campaign)).content.decode()


def test_a_campaign_for_visitors_has_a_goal_of_five(campaign, reviewer, client_for):
    Campaign.objects.filter(pk=campaign.pk).update(invites_visitors=True)
    page = client_for(reviewer).get(next_url(campaign)).content.decode()
    assert 'max="5" value="0"' in page and ">of 5, more if you like</span>" in page


def test_a_visitor_who_has_reached_the_goal_is_told_that_there_is_more(campaign, reviewer, client_for):
    Campaign.objects.filter(pk=campaign.pk).update(invites_visitors=True)
    for _ in range(6):
        submit(campaign, reviewer)
    home = client_for(reviewer).get("/reviews/").content.decode()
    assert "You have completed your 5 reviews, thank you. More are available" in home
    assert "nearly all reviews available to you" not in home and "Continue reviewing" in home
    for _ in range(2):
        submit(campaign, reviewer)
    end = client_for(reviewer).get("/reviews/").content.decode()
    assert (
        "More are available" not in end
        and "You have completed nearly all reviews available to you here" in end
    )


def test_the_first_button_leads_to_a_campaign_with_work_left(project, reviewer, client_for):
    fresh = make_open_campaign(
        project, [reviewer], rows=1, candidates=1, name="With work", dataset="A", rubric="A"
    )
    done = make_open_campaign(project, [reviewer], rows=1, candidates=1, name="Done", dataset="B", rubric="B")
    submit(done, reviewer)
    home = client_for(reviewer).get("/reviews/").text
    assert home.index("<h2>With work</h2>") < home.index("<h2>Done</h2>")
    start = f'<a class="button button-main" href="{next_url(fresh)}">Start reviewing</a>'
    assert start in home
    submit(fresh, reviewer)
    assert "button-main" not in client_for(reviewer).get("/reviews/").text


@pytest.mark.parametrize(("gold", "repeats", "calibration"), [(10, 0, 0), (10, 5, 0), (33, 17, 3), (0, 1, 1)])
def test_checks_cannot_be_told_from_the_number_of_reviews(
    campaign: Campaign, reviewer: User, gold: int, repeats: int, calibration: int
) -> None:
    campaign.items_total, campaign.gold_share, campaign.repeat_share = 37, gold, repeats
    campaign.calibration_items = calibration
    campaign_reviewer = CampaignReviewer.objects.get(campaign=campaign, user=reviewer)
    campaign_reviewer.campaign = campaign

    totals = set()
    for done in (0, 1, 75, 120, 121):
        campaign_reviewer.reviews_done, campaign_reviewer.checks_done = done // 2, done - done // 2
        shown = progress_payload(campaign_reviewer)
        totals.add(shown["mine_total"])
        assert shown["mine"] == done <= shown["mine_total"]

    assert campaign.reviews_per_assignment == 2
    assert all(total % 2 == 0 for total in totals)


def test_home_leads_on_where_the_estimate_is_reached(campaign, reviewer, client_for):
    campaign_reviewer = CampaignReviewer.objects.filter(campaign=campaign, user=reviewer)
    campaign_reviewer.update(checks_done=8)
    home = client_for(reviewer).get("/reviews/").text
    assert "Nothing is left" not in home
    assert f'<a href="{next_url(campaign)}">Check for more work' in home


def test_nobody_is_asked_to_continue_where_nothing_is_left_for_them(
    project, reviewer, other_reviewer, client_for
):
    campaign = make_open_campaign(project, [reviewer, other_reviewer], rows=2, candidates=1, overlap=1)
    submit(campaign, reviewer)
    assert "Continue reviewing" in client_for(reviewer).get("/reviews/").text
    held = claim(campaign, other_reviewer)
    # What is left is on somebody else's screen.
    home = client_for(reviewer).get("/reviews/").text
    assert "Continue reviewing" not in home and "No item is available to you now." in home
    assert "Start reviewing" in client_for(other_reviewer).get("/reviews/").text
    submit(campaign, other_reviewer, held)
    for person in (reviewer, other_reviewer):
        home = client_for(person).get("/reviews/").text
        assert "Continue reviewing" not in home and "Start reviewing" not in home
        assert "All reviews are submitted, thank you." in home


def test_where_everything_is_done_nobody_is_asked_to_continue(
    project, reviewer, other_reviewer, engineer, client_for
):
    # Three people share what two review each: nobody does every item, and repeats are an estimate.
    campaign = make_open_campaign(
        project, [reviewer, other_reviewer, engineer], rows=6, candidates=1, overlap=2, repeat_share=20
    )
    for _ in range(6):
        for person in (reviewer, other_reviewer, engineer):
            if isinstance(next_review(campaign_reviewer=campaign.reviewers.get(user=person)), NextReview):
                submit(campaign, person)
    done = campaign.reviews.count()
    assert not campaign.assignments.exclude(state="submitted").filter(purpose="review").exists()
    # More repeats were expected than came, and some are too near to their first time ever to come.
    Campaign.objects.filter(pk=campaign.pk).update(checks_total=2)

    for person in (reviewer, other_reviewer, engineer):
        home = client_for(person).get("/reviews/").content.decode()
        assert "Continue reviewing" not in home and "All reviews are submitted, thank you." in home
        assert f"{done} of {done}" in home and "nothing left for you" in home
    end = client_for(reviewer).get(next_url(campaign), headers=JSON).json()["progress"]
    assert (end["done"], end["total"]) == (done, done)
