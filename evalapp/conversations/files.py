"""Files inside messages: their bytes as Base64, or where they were when nobody fetched them. Pure."""

import hashlib
import re
from typing import Any

from evalapp.conversations.form import BLOB, GONE, NOT_FETCHED, Part, bytes_of

ANY_IMAGE = "image/*"
_DATA_URI = re.compile(r"data:([^;,]*)(?:;[^;,]*)*?;base64,", re.IGNORECASE)
_ADDRESS = re.compile(r"(?:https?|gs|s3)://", re.IGNORECASE)


def blob(media: object, data: object, **more: Any) -> Part | None:
    """The part of a file whose Base64 is given; None where it is none."""
    content = bytes_of(data) if isinstance(data, str) else None
    if content is None or not isinstance(media, str):
        return None
    part = {"type": BLOB, "sha256": hashlib.sha256(content).hexdigest(), "media": media, "data": data}
    return part | {name: value for name, value in more.items() if isinstance(value, str)}


def gone(was: object, media: str = "", **more: Any) -> Part | None:
    """The part of a file that is only named, by its address or its id elsewhere."""
    if not isinstance(was, str):
        return None
    part = {"type": GONE, "why": NOT_FETCHED, "was": was}
    if media:
        part["media"] = media
    return part | {name: value for name, value in more.items() if isinstance(value, str)}


def of_address(address: object, media: str = "", **more: Any) -> Part | None:
    """The part of a file given by an address: a blob of a data URI, else a file that is gone."""
    if not isinstance(address, str):
        return None
    if found := _DATA_URI.match(address):
        return blob(found[1], address[found.end() :], **more)
    return None if address[:5].lower() == "data:" else gone(address, media, **more)


def data_uri(part: Part) -> str:
    return f"data:{part['media']};base64,{part['data']}"


def is_address(part: Part) -> bool:
    """Whether a file that is gone was named by an address of the web or a store."""
    return bool(_ADDRESS.match(part.get("was", "")))


def is_image(part: Part) -> bool:
    return bool(part.get("media", "").startswith("image/"))
