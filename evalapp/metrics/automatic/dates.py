"""Finds dates in a text, in many notations."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from evalapp.metrics.rows import Span

MONTHS = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
_MONTH_NUMBER = {name[:3]: number for number, name in enumerate(MONTHS, start=1)}

_MONTH = (
    r"(?P<{0}>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
_YEAR = r"(?P<{0}>[12][0-9]{{3}})"
_DAY = r"(?P<{0}>[0-3]?[0-9])(?:st|nd|rd|th)?"
_DATE = re.compile(
    # Fast rejection of characters that cannot begin a date, which is most of a text.
    r"(?=[0-9jfmasond])(?<![\w.,/-])(?:"
    # 2031-05-12 and 2031/05/12
    r"(?P<iso_year>[12][0-9]{3})(?P<iso_mark>[-/])(?P<iso_month>[01]?[0-9])(?P=iso_mark)(?P<iso_day>[0-3]?[0-9])"
    # 12/05/2031, 12.05.2031, 12-05-31: the day may be first or second
    r"|(?P<first>[0-3]?[0-9])(?P<mark>[./-])(?P<second>[0-3]?[0-9])(?P=mark)(?P<last>[12][0-9]{3}|[0-9]{2})"
    # 12 May 2031, 12th of May
    rf"|{_DAY.format('d1')}\s+(?:of\s+)?{_MONTH.format('m1')}(?:,?\s+{_YEAR.format('y1')})?"
    # May 12, 2031; May 12
    rf"|{_MONTH.format('m2')}\s+{_DAY.format('d2')}(?:,?\s+{_YEAR.format('y2')})?(?![0-9%])"
    # May 2031
    rf"|{_MONTH.format('m3')},?\s+{_YEAR.format('y3')}"
    r")(?!\w)(?![.,/-]?[0-9])",
    re.IGNORECASE,
)


class Day(NamedTuple):
    """A date; year and day are None if not stated: "May 2031" has no day."""

    year: int | None
    month: int
    day: int | None

    def less_exact(self) -> "set[Day]":
        """All dates whose parts are all stated in this one: itself, and without the day, the year, or
        both.
        """
        years, days = {self.year, None}, {self.day, None}
        return {Day(year, self.month, day) for year in years for day in days}


@dataclass(frozen=True, slots=True)
class WrittenDate:
    """A date in a text; 03/04/2031 has two ``readings``."""

    span: Span
    readings: tuple[Day, ...]


def dates(text: str) -> Iterator[WrittenDate]:
    """The dates of a text in order; impossible dates (31/31/2031) are skipped."""
    for match in _DATE.finditer(text):
        readings = tuple(day for day in _readings(match) if _exists(day))
        if readings:
            yield WrittenDate(Span(match.start(), match.end(), match.group()), readings)


def _readings(match: re.Match[str]) -> Iterator[Day]:
    part = match.groupdict()
    if part["iso_year"]:
        yield Day(int(part["iso_year"]), int(part["iso_month"]), int(part["iso_day"]))
    elif part["last"]:
        year = int(part["last"])
        year += 2000 if year < 100 else 0
        first, second = int(part["first"]), int(part["second"])
        yield Day(year, second, first)
        if first != second:
            yield Day(year, first, second)
    else:
        form = next(number for number in "123" if part[f"m{number}"])
        year_text, day_text = part[f"y{form}"], part.get(f"d{form}")
        yield Day(
            int(year_text) if year_text else None,
            _MONTH_NUMBER[part[f"m{form}"][:3].lower()],
            int(day_text) if day_text else None,
        )


def _exists(day: Day) -> bool:
    return 1 <= day.month <= 12 and (day.day is None or 1 <= day.day <= 31)
