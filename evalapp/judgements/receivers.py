"""What somebody chose and never submitted goes with their data."""

from typing import Any

from django.dispatch import receiver

from evalapp.accounts.models import User
from evalapp.accounts.signals import person_anonymised
from evalapp.judgements.models import JudgementDraft


@receiver(person_anonymised)
def delete_their_drafts(sender: Any, user: User, **kwargs: Any) -> None:
    JudgementDraft.objects.filter(reviewer=user).delete()
