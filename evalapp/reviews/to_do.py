"""The number of reviews that wait for a person."""

from evalapp.accounts.models import User
from evalapp.campaigns.models import CampaignState
from evalapp.campaigns.work_left import campaign_reviewers_with_work
from evalapp.reviews.presentation import progress_payload
from evalapp.reviews.queries import campaign_reviewers_of


def reviews_to_do(user: User) -> int:
    """The estimated number of reviews still to come for this person, in open campaigns with work for them."""
    open_to_them = campaign_reviewers_of(user).filter(campaign__state=CampaignState.OPEN)
    campaign_reviewers = list(open_to_them.select_related(None).select_related("campaign"))
    with_work = campaign_reviewers_with_work(campaign_reviewers)
    progress = [progress_payload(each) for each in campaign_reviewers if each.pk in with_work]
    return sum(max(0, each["mine_total"] - each["mine"]) for each in progress)
