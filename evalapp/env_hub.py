"""What the variables of a model hub (EVALAPP_HUB, EVALAPP_HF_TOKEN) may hold; `evalapp.env` reads them."""

from urllib.parse import urlsplit

HUB = "https://huggingface.co"
TOKEN_NAMES = ("EVALAPP_HF_TOKEN", "HF_TOKEN")


def hub_in(text: str) -> str:
    """The hub's address without a slash at its end. Raises ValueError for one that is none, or holds a secret."""
    if urlsplit(text).scheme not in {"https", "http"} or not urlsplit(text).hostname or "@" in text:
        raise ValueError("write https:// and a host, without a name or password")
    return text.rstrip("/")


def is_token(text: str) -> bool:
    """Whether a request can carry it in a header; empty is none."""
    return text.isascii() and (text.isprintable() or not text) and " " not in text
