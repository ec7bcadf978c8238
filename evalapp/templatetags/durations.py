"""Lengths of time in words."""

from django import template

register = template.Library()

_UNITS = ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s"))


@register.filter
def duration(seconds: float | None) -> str:
    """At most two units, for example "3 min 20 s"; a dash for None."""
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
    """Remaining time, rounded so that it does not flicker: to 5 s under a minute, 10 s under ten minutes,
    else a minute.
    """
    if seconds is None:
        return ""
    step = 5 if seconds < 60 else 10 if seconds < 600 else 60
    return duration(max(step, round(seconds / step) * step))
