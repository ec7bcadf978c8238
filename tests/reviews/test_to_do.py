"""How many reviews the top bar says are to do."""

from evalapp.accounts.models import Project, User
from evalapp.campaigns.services import pause_campaign
from evalapp.reviews.to_do import reviews_to_do
from tests.factories import make_campaign
from tests.reviews.conftest import submit


def test_what_can_still_come_is_counted_until_the_campaign_pauses(
    project: Project, manager: User, reviewer: User, engineer: User
) -> None:
    campaign = make_campaign(project, [reviewer], rows=3)
    asked = campaign.reviews_total
    assert reviews_to_do(reviewer) == asked > 1
    assert reviews_to_do(engineer) == 0
    submit(campaign, reviewer)
    assert reviews_to_do(reviewer) == asked - 1
    pause_campaign(campaign=campaign, by=manager)
    assert reviews_to_do(reviewer) == 0
