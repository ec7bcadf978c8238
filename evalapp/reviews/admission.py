"""Admission after the calibration round, by pseudonym where names are not shown.

Who is admitted for how they did is admitted by the pseudonym's number. By name only somebody who has given
nothing yet, so that the change of one row of the round names nobody.
"""

from evalapp.accounts.models import User
from evalapp.campaigns.calibration import admit
from evalapp.campaigns.models import Campaign, CampaignReviewer
from evalapp.core.errors import ConflictError, MissingError
from evalapp.reviews.pseudonyms import pseudonym_numbers


def admit_by_name(*, campaign_reviewer: CampaignReviewer, by: User | None) -> None:
    """As `admit`. ConflictError where pseudonyms hold and the person may have given answers."""
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
    """Admit the reviewer of that number; how they are called. MissingError where nobody has it."""
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
