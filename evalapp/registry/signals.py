from django.dispatch import Signal

champion_changed = Signal()
"""Sent inside the transaction when a version becomes its project's champion, with ``version``, ``by`` and
``decision``, the id of the promoting decision or None.
"""
