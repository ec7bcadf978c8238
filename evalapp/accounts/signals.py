"""What the packages above must hear of. They answer in the same transaction; accounts knows none of them."""

from django.dispatch import Signal

reviewing_ended = Signal()
"""``user`` may not review any more in ``project`` (None: anywhere); ``by`` is who saw to that."""

person_anonymised = Signal()
"""The data of ``user`` is being deleted. Their row is locked: nothing that waits for it comes after."""
