"""Ends campaign reviews of people who lose the permission to review."""

from typing import Any

from django.dispatch import receiver

from evalapp.accounts.models import Project, User
from evalapp.accounts.signals import reviewing_ended
from evalapp.campaigns.services import leave_campaigns


@receiver(reviewing_ended)
def end_their_campaign_reviews(
    sender: Any, user: User, project: Project | None, by: User, **kwargs: Any
) -> None:
    leave_campaigns(user=user, project=project, by=by)
