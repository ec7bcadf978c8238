"""A report as plain blocks, for the page and the PDF.

Everything in a block is data. `html_report.py` and `pdf_report.py` set the same document, and neither takes a
word of it for markup.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from evalapp.charts.chart import Chart
from evalapp.charts.drawing import PHONE_WIDTH, as_svg
from evalapp.core.tables import Table

Block = dict[str, Any]


@dataclass
class Document:
    """``banner``: the design in a line. ``blocks`` are in reading order."""

    title: str
    project: str
    made: str
    banner: str
    blocks: list[Block] = field(default_factory=list)

    def section(self, title: str, blocks: Iterable[Block | None]) -> None:
        """A heading and what stands below it; nothing where nothing does."""
        found = [block for block in blocks if block is not None]
        if found:
            self.blocks += [{"kind": "heading", "text": title}, *found]

    def annex(self) -> None:
        """What the first pages rest on begins here, on a page of its own."""
        self.blocks.append({"kind": "annex", "text": "Annex"})

    @property
    def anchors(self) -> set[str]:
        """The paragraphs of `docs/measures.md` on the numbers of its tables."""
        return {anchor for block in self.blocks for anchor in block.get("anchors", ())}

    def as_dict(self) -> dict[str, Any]:
        return {
            "title": self.title,
            "project": self.project,
            "made": self.made,
            "banner": self.banner,
            "blocks": self.blocks,
        }


def paragraph(text: str) -> Block | None:
    return {"kind": "paragraph", "text": text} if text else None


def notice(text: str, tone: str = "warn") -> Block | None:
    """A sentence that nobody may miss; ``tone`` is ok, warn or bad."""
    return {"kind": "notice", "text": text, "tone": tone} if text else None


def listing(items: list[str]) -> Block | None:
    return {"kind": "listing", "items": items} if items else None


def facts(pairs: list[tuple[str, str]]) -> Block | None:
    found = [{"name": name, "value": value} for name, value in pairs if value]
    return {"kind": "facts", "pairs": found} if found else None


def table(given: Table | None) -> Block | None:
    """A table in words; columns of numbers stand at the right."""
    if given is None or not given.rows:
        return None
    return {
        "kind": "table",
        "title": given.title,
        "columns": [{"label": column.label, "is_figure": column.kind != "text"} for column in given.columns],
        "rows": [[{"main": cell.main, "beside": cell.beside} for cell in row] for row in given.words()],
        "note": given.note,
        "anchors": [column.anchor for column in given.columns if column.anchor],
    }


def picture(caption: str, chart: Chart | None) -> Block | None:
    """A chart with the sentence that tells what is seen."""
    if chart is None:
        return None
    if not chart.rows:
        return paragraph(chart.says)
    return {
        "kind": "picture",
        "caption": caption,
        "says": chart.says,
        "svg": as_svg(chart),
        "phone_svg": as_svg(chart, width=PHONE_WIDTH),
    }
