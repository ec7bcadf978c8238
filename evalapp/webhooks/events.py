"""Emits events for packages above."""

import json
from collections.abc import Mapping

from django.db import connection

from evalapp.accounts.models import Project
from evalapp.webhooks.models import WebhookEvent


def emit_event(*, project: Project, event: WebhookEvent, facts: Mapping[str, object]) -> None:
    """Write a delivery for each endpoint of the project that subscribes to the event, within the caller's
    transaction.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT evalapp_webhook_tell(%s, %s, %s::jsonb)", [project.pk, str(event), json.dumps(facts)]
        )
