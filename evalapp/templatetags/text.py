"""Text of users and models, made safe to show."""

import re
from collections.abc import Mapping
from typing import Any

import nh3
from django import template
from django.apps import apps
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.token import Token

register = template.Library()

# No raw HTML and no images: an image's URL would tell an outside server who reads the text and when. Line
# ends in prompts and outputs are meant.
_OPTIONS = {"html": False, "linkify": False, "breaks": True}
_MARKDOWN = MarkdownIt("commonmark", _OPTIONS).enable("table").disable("image")
_TAGS = {
    *("p", "br", "hr", "strong", "em", "s", "code", "pre", "blockquote", "ul", "ol", "li", "a"),
    *("h3", "h4", "h5", "h6", "table", "thead", "tbody", "tr", "th", "td"),
}
_ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}, "code": {"class"}}
_CLEANER = nh3.Cleaner(
    tags=_TAGS,
    attributes=_ATTRIBUTES,
    url_schemes={"http", "https", "mailto"},
    link_rel="noopener noreferrer nofollow",
)
_MOST_CHARACTERS = 40_000
# Parsing takes time per token, and each of these characters may start one. A table adds cells without such
# characters, so its cells are counted separately.
_MOST_MARKS = 4_000
_MARKS = re.compile(r"[\\`*_\[\]!<&|\n]")
_MOST_CELLS = 3_000
_TABLE_RULE = re.compile(r"^[ >]*\|?[ ]*:?-[-:| ]*$", re.MULTILINE)


def _lower_headings(tokens: list[Token]) -> None:
    # The page uses h1 and h2, so that an output cannot pose as a part of the page.
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + 2)}"


def _is_too_much(source: str) -> bool:
    if len(source) > _MOST_CHARACTERS or len(_MARKS.findall(source)) > _MOST_MARKS:
        return True
    columns = max((rule.count("|") + 1 for rule in _TABLE_RULE.findall(source)), default=0)
    # Every line below the delimiter row becomes a row with the same number of cells.
    return columns * source.count("\n") > _MOST_CELLS and "|" in source


@register.filter
def render_markdown(text: str | None) -> SafeString:
    """Markdown as inert HTML: no raw HTML, no images, no script URLs; headings start at h3.

    Shown complete, as plain text: text over 40,000 characters, with more than 4,000 marks or line ends, with
    tables of more than 3,000 cells, or nested deeper than the parser reads.
    """
    source = text or ""
    if _is_too_much(source):
        return format_html('<pre class="plain">{}</pre>', source)
    tokens = _MARKDOWN.parse(source)
    # The parser drops deeper content.
    if any(token.level >= _MARKDOWN.options.maxNesting - 1 for token in tokens):
        return format_html('<pre class="plain">{}</pre>', source)
    _lower_headings(tokens)
    html = _MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {})
    return mark_safe(_CLEANER.clean(html))  # noqa: S308 - nh3 is the last step


@register.filter
def pairs(mapping: Mapping[str, Any] | None) -> list[tuple[str, Any]]:
    """Pairs of name and value; unlike ".items" in a template, safe for a mapping with a key "items"."""
    return list(mapping.items()) if mapping else []


@register.filter
def in_words(value: Any) -> str:
    """A value of an audit event in words: lists with commas, objects as "train 600, test 20"."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or value == "":
        return "none"
    if isinstance(value, Mapping):
        return ", ".join(f"{spaced(name)} {in_words(inner)}" for name, inner in value.items())
    if isinstance(value, list):
        return ", ".join(map(in_words, value)) or "none"
    return str(value)


@register.filter
def spaced(code: str) -> str:
    """``dataset.version_created`` as "dataset version created"."""
    return str(code).replace("_", " ").replace(".", " ")


@register.filter
def object_kind(code: str) -> str:
    """A model's name in the audit log, ``datasetversion``, as "dataset version"."""
    try:
        return str(apps.get_model("evalapp", code)._meta.verbose_name)
    except LookupError:  # a kind of object that the current version no longer has
        return code
