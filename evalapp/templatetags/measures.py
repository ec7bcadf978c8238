"""Figures of the analysis pages."""

import itertools
from collections.abc import Mapping
from typing import Any

from django import template
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import slugify
from markdown_it import MarkdownIt

register = template.Library()

_DOCUMENT = MarkdownIt("commonmark", {"html": False}).enable("table")
CORPUS_LABELS = {"bleu": "BLEU (corpus)", "chrf": "chrF++ (corpus)", "ter": "TER (corpus)"}


@register.simple_tag
def percent(share: float | None) -> str:
    """A share as whole percent; a dash where there is none."""
    return "–" if share is None else f"{100 * share:.0f}%"


@register.simple_tag
def p_value(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


@register.filter
def item(mapping: Mapping[Any, Any], key: Any) -> Any:
    """The mapping's value for a key, or None."""
    return mapping.get(key)


@register.filter
def corpus_label(name: str) -> str:
    return CORPUS_LABELS.get(name, name)


@register.filter
def render_document(text: str) -> SafeString:
    """A document of the product's own as HTML, each heading with an anchor made of its words."""
    tokens = _DOCUMENT.parse(text)
    for opening, inline in itertools.pairwise(tokens):
        if opening.type == "heading_open":
            opening.attrSet("id", slugify(inline.content))
    return mark_safe(_DOCUMENT.renderer.render(tokens, _DOCUMENT.options, {}))  # noqa: S308 - our own text, html off


@register.filter
def cell_for(row: Any, key: str) -> Any:
    """What people say of a comparison's candidate on the criterion of that key, or None."""
    return row.cell(key) if row is not None else None
