from django.dispatch import Signal

champion_changed = Signal()
"""A version has become its project's champion: ``version``, ``by``, and ``decision``, the id of the one that
promoted it, or None. Sent inside the transaction.
"""
