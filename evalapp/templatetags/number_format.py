"""Filters for numbers, settings and reasons."""

import json
from typing import Any

from django import template

register = template.Library()


@register.filter
def indented_json(value: Any) -> str:
    """Indented JSON without ASCII escapes; plain text, so templates escape it."""
    return json.dumps(value, ensure_ascii=False, indent=2)


@register.filter
def percent(share: object) -> str:
    """A share in percent with one decimal: "0.9%"; empty if unknown."""
    return f"{100 * share:.1f}%" if isinstance(share, int | float) else ""


@register.filter
def in_words(name: str) -> str:
    """A program's name ("prompt_too_long") in words; other text stays as it is."""
    return str(name).replace("_", " ") if str(name).isidentifier() else str(name)
