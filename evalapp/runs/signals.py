"""What packages above runs may listen to."""

from django.dispatch import Signal

outputs_stored = Signal()
"""Sent once the outputs of a generation or an import are committed, with ``run``."""
