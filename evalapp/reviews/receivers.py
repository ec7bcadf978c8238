"""Deletes a person's drafts with their data."""

from typing import Any

from django.dispatch import receiver

from evalapp.accounts.models import User
from evalapp.accounts.signals import person_anonymised
from evalapp.reviews.models import Draft


@receiver(person_anonymised)
def delete_their_drafts(sender: Any, user: User, **kwargs: Any) -> None:
    Draft.objects.filter(reviewer=user).delete()
