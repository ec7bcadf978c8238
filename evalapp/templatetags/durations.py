"""Lengths of time in words."""

from django import template

register = template.Library()

_UNITS = ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s"))


@register.filter
def duration(seconds: float | None) -> str:
    """Two units at most, as in "3 min 20 s"; a dash where there is none."""
    if seconds is None:
        return "–"
    if 0 < seconds < 1:
        return "under 1 s"
    whole = max(0, round(seconds))
    for size, unit, part_size, part_unit in _UNITS:
        if whole >= size:
            count, rest = divmod(whole, size)
            part = rest // part_size
            return f"{count} {unit} {part} {part_unit}" if part else f"{count} {unit}"
    return f"{whole} s"


@register.filter
def about(seconds: float | None) -> str:
    """A time left that does not flicker: rounded to 5 s under a minute, to minutes above ten."""
    if seconds is None:
        return ""
    step = 5 if seconds < 60 else 10 if seconds < 600 else 60
    return duration(max(step, round(seconds / step) * step))
