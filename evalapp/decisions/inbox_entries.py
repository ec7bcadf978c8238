from typing import NamedTuple


class InboxEntry(NamedTuple):
    """``kind`` is for programs; ``text`` says what waits, ``href`` is where it is dealt with."""

    kind: str
    text: str
    href: str
