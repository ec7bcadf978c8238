"""Emits webhook events for changes in other packages."""

from typing import Any

from django.dispatch import receiver
from django.urls import reverse

from evalapp.registry.models import ModelVersion
from evalapp.registry.signals import champion_changed
from evalapp.webhooks.events import emit_event
from evalapp.webhooks.models import WebhookEvent


@receiver(champion_changed)
def tell_champion(sender: Any, version: ModelVersion, decision: int | None, **kwargs: Any) -> None:
    """Sends only the version's id: reviewers may still be blind to the model's label."""
    facts = {
        "model_version": version.pk,
        "decision": decision,
        "path": reverse("model_version", args=[version.project.slug, version.pk]),
    }
    emit_event(project=version.project, event=WebhookEvent.CHAMPION_CHANGED, facts={"champion": facts})
