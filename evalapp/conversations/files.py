"""Files in messages: their bytes as Base64, or their address or id if they were not fetched. Pure."""

import hashlib
import re
from typing import Any

from evalapp.conversations.form import BLOB, GONE, NOT_FETCHED, Part, bytes_of

ANY_IMAGE = "image/*"
_DATA_URI = re.compile(r"data:([^;,]*)(?:;[^;,]*)*?;base64,", re.IGNORECASE)
_ADDRESS = re.compile(r"(?:https?|gs|s3)://", re.IGNORECASE)


def blob(media: object, data: object, **more: Any) -> Part | None:
    """The part for a file given as Base64; None if it is not Base64."""
    content = bytes_of(data) if isinstance(data, str) else None
    if content is None or not isinstance(media, str):
        return None
    part = {"type": BLOB, "sha256": hashlib.sha256(content).hexdigest(), "media": media, "data": data}
    return part | {name: value for name, value in more.items() if isinstance(value, str)}


def referred_file(was: object, media: str = "", **more: Any) -> Part | None:
    """The part for a file that is only referred to, by its address or its id elsewhere."""
    if not isinstance(was, str):
        return None
    part = {"type": GONE, "why": NOT_FETCHED, "was": was}
    if media:
        part["media"] = media
    return part | {name: value for name, value in more.items() if isinstance(value, str)}


def file_at_address(address: object, media: str = "", **more: Any) -> Part | None:
    """The part for a file given by an address: a blob for a data URI, otherwise a file that is gone."""
    if not isinstance(address, str):
        return None
    if found := _DATA_URI.match(address):
        return blob(found[1], address[found.end() :], **more)
    return None if address[:5].lower() == "data:" else referred_file(address, media, **more)


def data_uri(part: Part) -> str:
    return f"data:{part['media']};base64,{part['data']}"


def is_address(part: Part) -> bool:
    """Whether a file that is gone has an address on the web or in a cloud store."""
    return bool(_ADDRESS.match(part.get("was", "")))


def is_image(part: Part) -> bool:
    return bool(part.get("media", "").startswith("image/"))
