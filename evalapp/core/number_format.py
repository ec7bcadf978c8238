"""Numbers as people read them: as many digits as the uncertainty justifies."""

import math

from django.utils.html import format_html
from django.utils.safestring import SafeString

MOST_DIGITS = 4
# Of half-widths in whole numbers: 1.4 in one number is "1", nearly a third less than it is; 4.4 as "4" a
# tenth.
TOLD_TO_A_TENTH = 3
MINUS = "\N{MINUS SIGN}"


def digits_for(half_width: float | None, fallback: int = 2) -> int:
    """Decimals so that the interval's half-width shows one significant figure: 0.31 → 1, 0.02 → 2."""
    if half_width is None or not math.isfinite(half_width) or half_width <= 0:
        return fallback
    return min(MOST_DIGITS, max(0, -math.floor(math.log10(half_width))))


def digits_of_interval(half_width: float, fallback: int = 2) -> int:
    """Decimals of a number that is shown with its interval: those of `digits_for`, but one where a half-width
    under 3 would be told as a whole number: 3.4 (2.0 to 4.8), not 3 (2 to 5).
    """
    digits = digits_for(half_width, fallback)
    return max(digits, 1) if 0 < half_width < TOLD_TO_A_TENTH else digits


def as_text(value: float | None, *, half_width: float | None = None, digits: int | None = None) -> str:
    """The number in digits, grouped by thousands, with a true minus sign; "–" where there is none. A count
    has no decimals unless ``digits`` asks for them: an end of a scale stands beside numbers that have some.
    """
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "–"
    if isinstance(value, int) and digits is None:
        return f"{value:,}".replace("-", MINUS)
    places = digits if digits is not None else digits_for(half_width)
    # "z": a number that rounds to nothing has no sign.
    return f"{value:z,.{places}f}".replace("-", MINUS)


def as_percent(share: float | None) -> str:
    """A share as whole percent; a dash where there is none."""
    return "–" if share is None else f"{100 * share:.0f}%"


def as_number(
    value: float | None, *, half_width: float | None = None, digits: int | None = None
) -> SafeString:
    return format_html('<span class="number">{}</span>', as_text(value, half_width=half_width, digits=digits))
