"""Admission after the calibration round, by pseudonym in projects that hide names.

Reviewers admitted on their results are admitted by the number of their pseudonym. Admission by name is only
for people without answers, so that the changed row in the round reveals nobody.
"""

from evalapp.accounts.models import User
from evalapp.campaigns.calibration import admit
from evalapp.campaigns.models import Campaign, CampaignReviewer
from evalapp.core.errors import ConflictError, MissingError
from evalapp.reviews.pseudonyms import pseudonym_numbers


def admit_by_name(*, campaign_reviewer: CampaignReviewer, by: User | None) -> None:
    """As `admit`. Raises ConflictError if the project hides names and the person may have given answers."""
    campaign = campaign_reviewer.campaign
    hides = not campaign.project.shows_reviewer_names
    if hides and (
        campaign_reviewer.admitted_at
        or campaign_reviewer.left_at
        or campaign_reviewer.user_id in pseudonym_numbers([campaign])[campaign.pk]
    ):
        raise ConflictError(
            f"{campaign_reviewer.user} cannot be admitted by name: they have started the round, are"
            " admitted, or have left. This project does not show reviewers by name, so admit them by their"
            " number in the calibration."
        )
    admit(campaign_reviewer=campaign_reviewer, by=by)


def admit_by_number(*, campaign: Campaign, number: int, by: User | None) -> str:
    """Admit the reviewer with that number; returns their pseudonym. Raises MissingError for an unknown
    number.
    """
    people = {number: person for person, number in pseudonym_numbers([campaign])[campaign.pk].items()}
    campaign_reviewer = (
        CampaignReviewer.objects.select_related("user", "campaign__project")
        .filter(campaign=campaign, user=people.get(number))
        .first()
    )
    called = f"Reviewer {number}"
    if campaign_reviewer is None:
        raise MissingError(f"There is no {called} in this campaign.")
    admit(campaign_reviewer=campaign_reviewer, by=by, called=called)
    return called
