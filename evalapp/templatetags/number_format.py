"""Filters for numbers, settings and reasons."""

import json
from typing import Any

from django import template

register = template.Library()


@register.filter
def indented_json(value: Any) -> str:
    """JSON over several lines, letters as they are; plain text, so it is escaped like any other."""
    return json.dumps(value, ensure_ascii=False, indent=2)


@register.filter
def percent(share: object) -> str:
    """A share to a tenth of a percent: "0.9%"; empty where it is not known."""
    return f"{100 * share:.1f}%" if isinstance(share, int | float) else ""


@register.filter
def in_words(name: str) -> str:
    """A name from a program ("prompt_too_long") as words; what is more than a name stays as it was said."""
    return str(name).replace("_", " ") if str(name).isidentifier() else str(name)
