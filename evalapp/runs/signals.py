"""Signals for packages that depend on runs."""

from django.dispatch import Signal

outputs_stored = Signal()
"""Sent with ``run`` in the transaction that stores the outputs of a generation or import, so listeners'
writes are committed with them or not at all.
"""
