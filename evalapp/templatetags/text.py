"""What users and models wrote, made safe to show."""

from collections.abc import Mapping
from typing import Any

import nh3
from django import template
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt

register = template.Library()

# No raw HTML, and no images: an image's address would tell an outside server who reads what, when.
# Prompts and answers mean the ends of their lines.
_OPTIONS = {"html": False, "linkify": False, "breaks": True}
_MARKDOWN = MarkdownIt("commonmark", _OPTIONS).enable("table").disable("image")
_TAGS = {
    *("p", "br", "hr", "strong", "em", "s", "code", "pre", "blockquote", "ul", "ol", "li", "a"),
    *("h3", "h4", "h5", "h6", "table", "thead", "tbody", "tr", "th", "td"),
}
_ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}, "code": {"class"}}
_SHOWN_CHARACTERS = 200_000


def _lower_headings(tokens: list) -> None:  # type: ignore[type-arg]
    # The page owns h1 and h2, so an answer cannot pose as a part of it.
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + 2)}"


@register.filter
def render_markdown(text: str | None) -> SafeString:
    """Markdown as inert HTML: no raw HTML, no images, no script addresses; headings start at h3.

    Text over 200,000 characters is cut there, and says so.
    """
    source = text or ""
    note = ""
    if len(source) > _SHOWN_CHARACTERS:
        note = f"\n\n*Cut here: {len(source):,} characters in all.*"
        source = source[:_SHOWN_CHARACTERS]
    tokens = _MARKDOWN.parse(source + note)
    _lower_headings(tokens)
    html = _MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {})
    clean = nh3.clean(
        html,
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
    )
    return mark_safe(clean)  # noqa: S308 - nh3 is the last step


@register.filter
def pairs(mapping: Mapping[str, Any] | None) -> list[tuple[str, Any]]:
    """Names and values, whatever the names are: a template's ".items" is the value of a field "items"."""
    return list(mapping.items()) if mapping else []
