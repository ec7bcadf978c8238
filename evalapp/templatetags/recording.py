from datetime import datetime

from django import template

from evalapp.demo.recording import recorded_at as day_of_recording

register = template.Library()


@register.simple_tag
def recorded_at() -> datetime:
    """When the demonstration's recorded cycle was recorded."""
    return day_of_recording()
