"""Settings of the model hub from the environment."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit


def web_url_in(text: str) -> str:
    """The address without an ending slash. Raises ValueError."""
    if urlsplit(text).scheme not in {"https", "http"} or not urlsplit(text).hostname or "@" in text:
        raise ValueError("write https:// and a host, without a name or password")
    return text.rstrip("/")


def hub_token_in(read: Callable[[str, Callable[[str], Any], Any], Any]) -> str:
    """Under our name, or under the one that the hub's own tools know; empty where neither is set.

    Raises ValueError, without the text, which is a secret.
    """
    name = next((name for name in ("EVALAPP_HF_TOKEN", "HF_TOKEN") if read(name, str, "")), "")
    token = str(read(name, str, "")) if name else ""
    if not (token.isascii() and token.isprintable()) or " " in token:
        raise ValueError(f"{name}: a token is one word of ASCII characters; copy it again.")
    return token
