from collections.abc import Mapping

from django import template

from evalapp.datasets.models import Split
from evalapp.datasets.queries import DOWNLOADABLE_SPLITS

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
def downloadable(counts: Mapping[str, int]) -> int:
    """Rows of a version's counts that may leave: all but the test split's."""
    return sum(counts.get(split, 0) for split in DOWNLOADABLE_SPLITS)


@register.filter
def shortened(text: str) -> str:
    """Both ends of a long run of words that did not change."""
    return text if len(text) <= 2 * _END else f"{text[:_END]} … {text[-_END:]}"
