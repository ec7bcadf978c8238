"""A report as a PDF, set by Typst from a fixed template that reads the document as data.

No word of the document is ever part of the template, so nothing that people wrote is markup.
"""

import json
import logging
from pathlib import Path
from typing import Any

from evalapp.reports.document import Document

logger = logging.getLogger(__name__)

TEMPLATE = Path(__file__).with_name("report.typ")
# A PDF that screen readers walk through; it takes a font for every letter.
ACCESSIBLE = "ua-1"


def as_pdf(document: Document, *, made_at: int) -> bytes:
    """The PDF; the same for the same document and ``made_at`` (seconds since 1970)."""
    import typst

    files = _files(document)
    try:
        return _typeset(files, made_at, pdf_standards=ACCESSIBLE)
    except typst.TypstError as error:
        # A name in a script that this server has no font for; the rest of the report is sound.
        logger.warning("The PDF is written without accessibility tags: %s", error)
        return _typeset(files, made_at)


def _typeset(files: dict[str, bytes], made_at: int, **options: Any) -> bytes:
    import typst

    made = typst.compile(files, format="pdf", timestamp=made_at, **options)
    assert isinstance(made, bytes)
    return made


def _files(document: Document) -> dict[str, bytes]:
    values = document.as_dict()
    pictures: dict[str, bytes] = {}
    blocks = []
    for block in values["blocks"]:
        if block["kind"] == "picture":
            name = f"picture-{len(pictures) + 1}.svg"
            pictures[name] = block["svg"].encode()
            blocks.append(
                {"kind": "picture", "caption": block["caption"], "says": block["says"], "svg": name}
            )
        else:
            blocks.append(block)
    whole = json.dumps({**values, "blocks": blocks}, ensure_ascii=False)
    return {"main.typ": TEMPLATE.read_bytes(), "document.json": whole.encode(), **pictures}
