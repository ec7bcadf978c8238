from collections.abc import Mapping

from django import template

from evalapp.datasets.models import Split
from evalapp.datasets.queries import DOWNLOADABLE_SPLITS

register = template.Library()

_END = 120


@register.simple_tag
def splits() -> list[Split]:
    """All splits in order: ``{% splits as all_splits %}``."""
    return list(Split)


@register.filter
def count_of(counts: Mapping[str, int], split: str) -> int:
    """The number of rows of a split in a version's counts."""
    return counts.get(split, 0)


@register.filter
def downloadable(counts: Mapping[str, int]) -> int:
    """The number of rows in a version's counts that may be downloaded: all but the test split's."""
    return sum(counts.get(split, 0) for split in DOWNLOADABLE_SPLITS)


@register.filter
def shortened(text: str) -> str:
    """The beginning and end of a long unchanged text."""
    return text if len(text) <= 2 * _END else f"{text[:_END]} … {text[-_END:]}"
