"""Quotas of reviewers."""

from django.db.models import F, Sum

from evalapp.campaigns.models import Assignment, AssignmentState, CampaignReviewer, Purpose


def quota_of(campaign_reviewer: CampaignReviewer) -> int | None:
    """The most items for this reviewer; None without a limit."""
    return (
        campaign_reviewer.quota if campaign_reviewer.quota is not None else campaign_reviewer.campaign.quota
    )


def has_room(campaign_reviewer: CampaignReviewer) -> bool:
    """Whether another assignment fits the reviewer's quota, including assignments in progress. Needs a locked
    row, so that two tabs cannot both find room. Partly reviewed assignments count by their reviews; checks do
    not count.
    """
    quota, each = quota_of(campaign_reviewer), campaign_reviewer.campaign.reviews_per_assignment
    if quota is None:
        return True
    claimed = Assignment.objects.filter(
        reviewer=campaign_reviewer.user_id,
        campaign=campaign_reviewer.campaign_id,
        state=AssignmentState.IN_PROGRESS,
        purpose=Purpose.REVIEW,
    )
    in_progress = claimed.aggregate(reviews=Sum(F("outputs_total") - F("reviews_done")))["reviews"] or 0
    return campaign_reviewer.reviews_done + in_progress + each <= quota * each
