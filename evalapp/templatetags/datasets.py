from collections.abc import Mapping

from django import template

from evalapp.datasets.models import Split

register = template.Library()

_END = 120


@register.simple_tag
def splits() -> list[Split]:
    """All splits in their order: ``{% splits as all_splits %}``."""
    return list(Split)


@register.filter
def count_of(counts: Mapping[str, int], split: str) -> int:
    """Rows of one split in a version's counts."""
    return counts.get(split, 0)


@register.filter
def shortened(text: str) -> str:
    """Both ends of a long run of words that did not change."""
    return text if len(text) <= 2 * _END else f"{text[:_END]} … {text[-_END:]}"
