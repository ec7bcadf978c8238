"""Whether a reviewer's campaigns have items for them now, without claiming any."""

from collections.abc import Sequence
from typing import Any

from django.db import connection

from evalapp.campaigns.fair_share import ELIGIBLE, FOR_ANYBODY, TO_BE_TAKEN_OVER
from evalapp.campaigns.models import CampaignReviewer, CampaignState

_IS_ADMITTED = """(r.admitted_at IS NOT NULL OR EXISTS (
    SELECT 1 FROM evalapp_campaign c WHERE c.id = r.campaign_id AND c.calibration_items = 0))"""
_WITH_WORK = f"""
SELECT r.id FROM evalapp_campaignreviewer r
WHERE r.id = ANY(%(campaign_reviewers)s) AND (
    EXISTS (SELECT 1 FROM evalapp_assignment p
            WHERE p.reviewer_id = %(user)s AND p.campaign_id = r.campaign_id AND p.state = 'in_progress')
    OR EXISTS (SELECT 1 FROM evalapp_assignment p WHERE p.campaign_id = r.campaign_id
        AND p.state = 'available'
               AND {FOR_ANYBODY} AND {ELIGIBLE})
    OR EXISTS (SELECT 1 FROM evalapp_assignment p WHERE p.campaign_id = r.campaign_id
        AND p.state = 'available'
               AND p.assigned_to_id = %(user)s AND (p.purpose = 'calibration' OR p.purpose = 'review'
                   AND {_IS_ADMITTED})
               AND {ELIGIBLE})
    OR EXISTS (SELECT 1 FROM evalapp_assignment p WHERE {TO_BE_TAKEN_OVER}))
""".replace("%(campaign)s", "r.campaign_id").replace("%(admitted)s", _IS_ADMITTED)  # noqa: S608 - constants only


def campaign_reviewers_with_work(campaign_reviewers: Sequence[CampaignReviewer]) -> set[int]:
    """Ids of a person's rows as campaign reviewer with work in progress or to claim now; one query.

    Ignores quotas, and checks except calibration, which come between other work.
    """
    running = [
        campaign_reviewer
        for campaign_reviewer in campaign_reviewers
        if campaign_reviewer.campaign.state == CampaignState.OPEN
        and not campaign_reviewer.campaign.is_overdue
    ]
    if not running:
        return set()
    parameters: dict[str, Any] = {
        "campaign_reviewers": [campaign_reviewer.pk for campaign_reviewer in running],
        "user": running[0].user_id,
    }
    with connection.cursor() as database:
        database.execute(_WITH_WORK, parameters)
        return {campaign_reviewer for (campaign_reviewer,) in database.fetchall()}
