"""Numbers formatted for people, with as many digits as the uncertainty justifies."""

import math

from django.utils.html import format_html
from django.utils.safestring import SafeString

MOST_DIGITS = 4
# For half-widths shown as whole numbers: 1.4 as "1" loses nearly a third, 4.4 as "4" only a tenth.
LEAST_ROUNDED_TO_TENTHS = 3
MINUS = "\N{MINUS SIGN}"


def digits_for(half_width: float | None, fallback: int = 2) -> int:
    """Decimals so that the interval's half-width shows one significant figure: 0.31 → 1, 0.02 → 2."""
    if half_width is None or not math.isfinite(half_width) or half_width <= 0:
        return fallback
    return min(MOST_DIGITS, max(0, -math.floor(math.log10(half_width))))


def digits_of_interval(half_width: float, fallback: int = 2) -> int:
    """Decimals of a number shown with its interval: those of `digits_for`, but at least one for a half-width
    under 3: 3.4 (2.0 to 4.8), not 3 (2 to 5).
    """
    digits = digits_for(half_width, fallback)
    return max(digits, 1) if 0 < half_width < LEAST_ROUNDED_TO_TENTHS else digits


def as_text(value: float | None, *, half_width: float | None = None, digits: int | None = None) -> str:
    """The number with thousands separators and a true minus sign; "–" for None. Integers have no decimals
    unless ``digits`` asks for them, for ends of a scale next to numbers with decimals.
    """
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "–"
    if isinstance(value, int) and digits is None:
        return f"{value:,}".replace("-", MINUS)
    places = digits if digits is not None else digits_for(half_width)
    # "z": a number that rounds to zero has no sign.
    return f"{value:z,.{places}f}".replace("-", MINUS)


def as_percent(share: float | None) -> str:
    """A share as whole percent; a dash for None."""
    return "–" if share is None else f"{100 * share:.0f}%"


def as_number(
    value: float | None, *, half_width: float | None = None, digits: int | None = None
) -> SafeString:
    return format_html('<span class="number">{}</span>', as_text(value, half_width=half_width, digits=digits))
