"""The payloads of webhooks: ids, links and counts.

Never who reviewed, which candidate an answer came from, or where it stood on the reviewer's page: what
leaves the installation may come back to a reviewer who is still blind.
"""

import json
from typing import Any

from django.urls import reverse

from evalapp.campaigns.models import Campaign, Method
from evalapp.reviews.kinds import kind_of
from evalapp.reviews.models import Review
from evalapp.reviews.queries import answers_of
from evalapp.webhooks.models import TEST_EVENT, WebhookDelivery, WebhookEndpoint

TOLD_AS_IT_WAS = ("alert", "incident", "daily_alert", "champion")
"""What is told with the facts of its own moment, as they may change before it is sent."""


def body_of(delivery: WebhookDelivery) -> str | None:
    """The JSON text of a delivery, or None if its subject was deleted meanwhile."""
    endpoint = delivery.endpoint
    project = endpoint.project
    told: dict[str, Any] = {
        "id": str(delivery.key),
        "event": delivery.event,
        "at": delivery.created_at.isoformat(),
        "project": {
            "slug": project.slug,
            "name": project.name,
            "link": _link(endpoint, "project_home", project.slug),
        },
    }
    if delivery.event == TEST_EVENT:
        return json.dumps({**told, "message": "This is a test event."}, ensure_ascii=False)
    facts = delivery.facts
    for name in TOLD_AS_IT_WAS:
        if name in facts:
            own = {field: value for field, value in facts[name].items() if field != "path"}
            told[name] = {**own, "link": endpoint.site + facts[name]["path"]}
            return json.dumps(told, ensure_ascii=False)
    campaign = project.campaigns.filter(pk=facts["campaign"]).first()
    if campaign is None:
        return None
    told["campaign"] = _campaign(endpoint, campaign)
    if "review" in facts:
        reviews = kind_of(campaign).with_answers(campaign.reviews.select_related("assignment"))
        review = reviews.filter(pk=facts["review"]).first()
        if review is None:
            return None
        told["review"] = {**_submitted(review), **_answers(endpoint, campaign, review)}
        told["item"] = _item(endpoint, campaign, review.assignment.item_id)
    elif "item" in facts:
        told["item"] = _item(endpoint, campaign, facts["item"])
    return json.dumps(told, ensure_ascii=False)


def _campaign(endpoint: WebhookEndpoint, campaign: Campaign) -> dict[str, Any]:
    return {
        "id": campaign.pk,
        "name": campaign.name,
        "state": campaign.state,
        "items": campaign.items_total,
        "reviews": campaign.reviews_total,
        "is_simulated": campaign.is_simulated,
        "link": _link(endpoint, "campaign_detail", endpoint.project.slug, campaign.pk),
    }


def _item(endpoint: WebhookEndpoint, campaign: Campaign, item_id: int) -> dict[str, Any]:
    place: tuple[str, *tuple[object, ...]] = ("case_detail", endpoint.project.slug, campaign.pk, item_id)
    if campaign.method != Method.POINTWISE:
        place = ("preference_list", endpoint.project.slug, campaign.pk)
    return {"id": item_id, "link": _link(endpoint, *place)}


def _submitted(work: Review) -> dict[str, Any]:
    return {
        "id": work.pk,
        "submitted_at": work.submitted_at.isoformat(),
        "seconds_active": work.seconds_active,
        "is_simulated": work.is_simulated,
    }


def _answers(endpoint: WebhookEndpoint, campaign: Campaign, review: Review) -> dict[str, Any]:
    if not endpoint.includes_text:
        return {}
    # Not what was chosen: "the first" says nothing without who stood there, and that is blind.
    return {"comment": review.comment} if campaign.compares else {"answers": answers_of(review).as_dict()}


def _link(endpoint: WebhookEndpoint, route: str, *arguments: object) -> str:
    return endpoint.site + reverse(route, args=arguments)
