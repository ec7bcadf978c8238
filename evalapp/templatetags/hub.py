"""Tags for pushes to a hub."""

from django import template

from evalapp.artifacts.models import DatasetPush
from evalapp.artifacts.queries import pushes_of
from evalapp.datasets.models import DatasetVersion

_SHOWN = 10

register = template.Library()


@register.simple_tag
def pushed_to(version: DatasetVersion) -> list[DatasetPush]:
    """The latest ten pushes of a version without failed ones: ``{% pushed_to version as pushes %}``."""
    pushes = pushes_of(version).exclude(commit="", job__state__in=["failed", "dead", "cancelled"])
    return list(pushes[:_SHOWN])
