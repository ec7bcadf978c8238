"""The definitions that a report carries are those of the product's own document."""

import re
from pathlib import Path

from django.conf import settings

import evalapp.analysis
import evalapp.reports
from evalapp.analysis.help_topics import topics
from evalapp.reports.definitions import definitions


def test_definitions_are_plain_paragraphs_in_the_document_s_order() -> None:
    found = definitions({"paired-difference", "candidate-score", "no-such-measure"})
    assert [title for title, _ in found] == ["Candidate score", "Paired difference"]
    for _, text in found:
        assert len(text) > 40
        assert not set("*`[]") & set(text)


def test_every_paragraph_that_is_named_is_in_the_document() -> None:
    named = set()
    for package in (evalapp.analysis, evalapp.reports):
        for source in Path(package.__path__[0]).rglob("*.py"):
            named |= set(re.findall(r'anchor="([\w-]+)"', source.read_text(encoding="utf-8")))
    for template in (Path(settings.BASE_DIR) / "templates").rglob("*.html"):
        named |= set(re.findall(r'url "help_topic" "([\w-]+)"', template.read_text(encoding="utf-8")))
    assert len(named) > 20
    assert named - topics().keys() == set()
