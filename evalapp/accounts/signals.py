"""Signals for the packages above, handled in the same transaction."""

from django.dispatch import Signal

reviewing_ended = Signal()
"""``user`` may not review any more in ``project`` (None: anywhere); ``by`` is who saw to that."""

person_anonymised = Signal()
"""The data of ``user`` is being deleted. Their row is locked: nothing that waits for it comes after."""
