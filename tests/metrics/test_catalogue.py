import re
from pathlib import Path

from evalapp.metrics.catalogue import CATALOGUE

MEASURES = Path(__file__).parents[2] / "docs" / "measures.md"


def anchors() -> set[str]:
    headings = re.findall(r"^#+ (.+)$", MEASURES.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


def test_every_metric_is_explained_where_its_page_links_to() -> None:
    assert {metric.anchor for metric in CATALOGUE.values()} <= anchors()


def test_every_link_inside_the_page_leads_somewhere() -> None:
    assert set(re.findall(r"\(#([^)]+)\)", MEASURES.read_text())) <= anchors()
