"""What every page about a campaign's disputes begins with."""

from typing import Any

from django.urls import reverse

from evalapp.accounts.access import MemberRequest
from evalapp.adjudication.models import Appeal
from evalapp.campaigns.models import Campaign, CampaignState, ItemOutput
from evalapp.core.errors import MissingError
from evalapp.core.http import get_or_missing
from evalapp.reviews.models import SendBack


def campaign_or_missing(request: MemberRequest, campaign_id: int) -> Campaign:
    """Of a draft there is nothing to dispute, so it is not there."""
    opened = request.project.campaigns.exclude(state=CampaignState.DRAFT)
    return get_or_missing(opened.select_related("project", "rubric_version"), pk=campaign_id)


def output_or_missing(campaign: Campaign, item_output_id: int) -> ItemOutput:
    outputs = ItemOutput.objects.select_related("item__example", "output", "candidate")
    found = outputs.filter(item__campaign=campaign, pk=item_output_id).first()
    if found is None:
        raise MissingError("There is no such output in this campaign.")
    return found


def tabs_of(campaign: Campaign, current: str) -> list[dict[str, Any]]:
    """Disagreements, sent back, appeals; with how many wait."""
    address = [campaign.project.slug, campaign.pk]
    sent = SendBack.objects.filter(review__campaign=campaign, resolved_at=None).count()
    appeals = Appeal.objects.filter(campaign=campaign, answered_at=None).count()
    labels = {
        "adjudication_list": "Disagreements",
        "send_back_list": f"Sent back ({sent})" if sent else "Sent back",
        "appeal_list": f"Appeals ({appeals})" if appeals else "Appeals",
    }
    return [
        {"label": label, "href": reverse(name, args=address), "current": name == current}
        for name, label in labels.items()
    ]
