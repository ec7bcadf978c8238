"""Files to import, as bytes."""

import json
from collections.abc import Iterable
from io import BytesIO
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile


def jsonl(*rows: Any) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def question(number: int = 1, **fields: Any) -> dict[str, Any]:
    return {"prompt": f"Question {number}?", "completion": f"Answer {number}.", "split": "train", **fields}


def questions(numbers: Iterable[int], **fields: Any) -> bytes:
    return jsonl(*(question(number, **fields) for number in numbers))


def upload(content: bytes, name: str = "rows.jsonl") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content)


def stream(content: bytes) -> BytesIO:
    return BytesIO(content)
