"""What packages above runs may listen to."""

from django.dispatch import Signal

outputs_stored = Signal()
"""Sent with ``run`` in the transaction that stores the outputs of a generation or an import: what a
listener writes is there with them or not at all.
"""
