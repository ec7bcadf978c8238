from django.dispatch import Signal

inbox_entries_requested = Signal()
"""Sent with ``project`` when its inbox is put together: packages above answer with their `InboxEntry` rows,
most pressing first.
"""
