from datetime import datetime
from typing import Any

from django import template

from evalapp.demo.recording import recorded_at as day_of_recording

register = template.Library()


@register.filter
def without_recorded(name: Any) -> str:
    """A name without the word "(recorded)", for places where the chip stands beside it."""
    return str(name).removesuffix(" (recorded)")


@register.simple_tag
def recorded_at() -> datetime:
    """When the demonstration's recorded cycle was made."""
    return day_of_recording()
