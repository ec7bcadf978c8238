"""What other packages do that receivers of webhooks are told of."""

from typing import Any

from django.dispatch import receiver
from django.urls import reverse

from evalapp.registry.models import ModelVersion
from evalapp.registry.signals import champion_changed
from evalapp.webhooks.events import emit_event
from evalapp.webhooks.models import WebhookEvent


@receiver(champion_changed)
def tell_champion(sender: Any, version: ModelVersion, decision: int | None, **kwargs: Any) -> None:
    """By its id: the label of a model stays inside, where reviewers may still be blind to it."""
    facts = {
        "model_version": version.pk,
        "decision": decision,
        "path": reverse("model_version", args=[version.project.slug, version.pk]),
    }
    emit_event(project=version.project, event=WebhookEvent.CHAMPION_CHANGED, facts={"champion": facts})
