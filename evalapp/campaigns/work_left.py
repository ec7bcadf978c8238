"""Whether a reviewer's campaigns have something for them now, told without claiming anything."""

from collections.abc import Sequence
from typing import Any

from django.db import connection

from evalapp.campaigns.fair_share import ELIGIBLE, FOR_ANYBODY, TO_BE_TAKEN_OVER
from evalapp.campaigns.models import CampaignReviewer, CampaignState

_IS_ADMITTED = """(r.admitted_at IS NOT NULL OR EXISTS (
    SELECT 1 FROM evalapp_campaign c WHERE c.id = r.campaign_id AND c.calibration_items = 0))"""
_WITH_WORK = f"""
SELECT r.id FROM evalapp_campaignreviewer r
WHERE r.id = ANY(%(seats)s) AND (
    EXISTS (SELECT 1 FROM evalapp_assignment p
            WHERE p.reviewer_id = %(user)s AND p.campaign_id = r.campaign_id AND p.state = 'in_progress')
    OR EXISTS (SELECT 1 FROM evalapp_assignment p WHERE p.campaign_id = r.campaign_id AND p.state = 'available'
               AND {FOR_ANYBODY} AND {ELIGIBLE})
    OR EXISTS (SELECT 1 FROM evalapp_assignment p WHERE p.campaign_id = r.campaign_id AND p.state = 'available'
               AND p.assigned_to_id = %(user)s AND (p.purpose = 'calibration' OR p.purpose = 'review' AND {_IS_ADMITTED})
               AND {ELIGIBLE})
    OR EXISTS (SELECT 1 FROM evalapp_assignment p WHERE {TO_BE_TAKEN_OVER}))
""".replace("%(campaign)s", "r.campaign_id").replace("%(admitted)s", _IS_ADMITTED)  # noqa: S608 - constants only


def seats_with_work(seats: Sequence[CampaignReviewer]) -> set[int]:
    """Of one person's seats those where something is in progress or can be claimed now; one read for all.

    Quotas are not asked, and what checks a reviewer comes between other work.
    """
    running = [
        seat for seat in seats if seat.campaign.state == CampaignState.OPEN and not seat.campaign.is_overdue
    ]
    if not running:
        return set()
    parameters: dict[str, Any] = {"seats": [seat.pk for seat in running], "user": running[0].user_id}
    with connection.cursor() as database:
        database.execute(_WITH_WORK, parameters)
        return {seat for (seat,) in database.fetchall()}
