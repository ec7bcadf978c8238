"""A hub's error answers in words, and the token for requests to it."""

import os

from hub.spec import TOKEN_VARIABLE

NOT_A_HUB = (
    "sent an answer that is not from a hub, perhaps the page of a proxy or a sign-in;"
    " open the URL from this machine to check"
)


def token() -> str:
    """The hub token; empty if there is none."""
    return os.environ.get(TOKEN_VARIABLE, "")


def status_words(hub: str, status: int, token: str) -> str:
    """Explain an HTTP error status. ``token`` describes the token of the request in words."""
    if status in (401, 403):
        return (
            f"{hub} refuses access (status {status}). It was requested with {token}; check that it is right"
            " and not expired"
        )
    if status == 429:
        return f"{hub} is rate-limiting requests (status 429); try again in a few minutes"
    return f"{hub} answered with status {status}; try again later, and check that it is a hub"


def first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
