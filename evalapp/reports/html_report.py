"""A report as one HTML file: styles and pictures inside, nothing fetched, and whole tables on
A4 and Letter.
"""

from pathlib import Path

from django.conf import settings
from django.template.loader import render_to_string
from django.utils.safestring import mark_safe

from evalapp.reports.document import Block, Document

STYLES = Path(settings.BASE_DIR) / "static" / "css"
# The same colours as everywhere; the file keeps its own rules beside them.
SHEETS = ("tokens.css", "report.css")


def as_html(document: Document) -> str:
    """The whole file. What people wrote is escaped by the template; drawings are our own."""
    styles = "\n".join((STYLES / name).read_text(encoding="utf-8") for name in SHEETS)
    blocks = [_renderable(block) for block in document.blocks]
    context = {
        "document": {**document.as_dict(), "blocks": blocks},
        "styles": mark_safe(styles),  # noqa: S308 - made here, of escaped parts
    }
    return render_to_string("reports/file.html", context)


def _renderable(block: Block) -> Block:
    if block["kind"] == "picture":
        # Drawn by the server from data, every word in it escaped (evalapp.charts.drawing).
        drawings = {name: mark_safe(block[name]) for name in ("svg", "phone_svg")}  # noqa: S308 - made here, of escaped parts
        return {**block, **drawings}
    if block["kind"] == "table":
        numbers = [column["is_figure"] for column in block["columns"]]
        return {**block, "rows": [list(zip(row, numbers, strict=True)) for row in block["rows"]]}
    return block
