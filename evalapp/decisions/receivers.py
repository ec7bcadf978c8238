"""Deletes private views when their owner's personal data are deleted."""

from typing import Any

from django.dispatch import receiver

from evalapp.accounts.models import User
from evalapp.accounts.signals import person_anonymised
from evalapp.decisions.models import SavedView


@receiver(person_anonymised)
def delete_their_private_views(sender: Any, user: User, **kwargs: Any) -> None:
    SavedView.objects.filter(owner=user, is_shared=False).delete()
