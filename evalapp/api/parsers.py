"""Bodies of the API are JSON of limited size, read strictly."""

from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from rest_framework.parsers import BaseParser

from evalapp.core.errors import TooLargeError
from evalapp.core.strict_json import read_json


class StrictJSONParser(BaseParser):
    """UTF-8 JSON without repeated names, NaN, infinities, NUL, lone surrogates, or numbers
    too long to keep.
    """

    media_type = "application/json"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        limit = getattr((parser_context or {}).get("view"), "most_body_bytes", None)
        limit = limit or settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        content = stream.read(limit + 1)
        if len(content) > limit:
            raise TooLargeError(
                f"The body is larger than {limit:,} bytes. Send less at once, or upload a file."
            )
        return read_json(content)
