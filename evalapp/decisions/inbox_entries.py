from typing import NamedTuple


class InboxEntry(NamedTuple):
    """``kind``: for the API; ``text``: what is to do; ``href``: where to do it."""

    kind: str
    text: str
    href: str
