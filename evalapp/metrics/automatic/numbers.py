"""Unsupported numbers: numbers and dates of an output that its context does not contain.

Values are compared, not notation: 1,200 equals 1200 and £1.2k; 12 % equals 12% and 0.12. A number with
decimals, a percent sign or a scale word may be a given number rounded to the precision shown (£1.2m for
1,234,000). Signs and currencies are not compared. A number too long to be a quantity is an identifier, which
is compared as written.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from evalapp.measure import Measure, signature
from evalapp.metrics.automatic.dates import Day, WrittenDate, dates
from evalapp.metrics.metric import EachRow, Metric, Options
from evalapp.metrics.rows import Row, Span

_GROUP = r"[,.'’\u00a0\u202f ]"
_NUMBER = re.compile(
    # Fast rejection of characters that cannot begin a number, which is most of a text.
    r"(?=[\d£$€¥₹฿uegcjt])(?<![\w.])"
    r"(?P<currency>(?:[£$€¥₹฿]|\b(?:USD|EUR|GBP|CHF|JPY|THB)\b)\s?)?"
    r"(?P<digits>"
    rf"\d{{1,3}}(?P<mark>{_GROUP})\d{{3}}(?:(?P=mark)\d{{3}})*(?!\d)(?:[.,]\d+)?"
    # Bounded, so that a search from each number of a long list 12,12,12 does not run to the list's end.
    r"|\d{1,2}(?:,\d{2}){1,9},\d{3}(?!\d)(?:\.\d+)?"
    # 1,5 is one and a half; 1,2,3 are three numbers.
    r"|(?<!\d,)\d+,\d+(?!,?\d)"
    r"|\d+(?:\.\d+)?"
    r")"
    r"(?:(?P<ordinal>st|nd|rd|th)\b"
    r"|(?P<percent>\s?%|\s?(?:percent|per\s+cent)\b|\s?percentage\s+points?\b|\s?pp\b)"
    r"|(?P<basis>\s?(?:bps?|basis\s+points?)\b)"
    r"|(?P<scale>\s?(?:thousand|million|billion|trillion|mn|bn|tn)\b|[kmb]\b|(?<=[\d])\s[kmb]\b))?",
    re.IGNORECASE,
)
_LIST_MARKER = re.compile(r"^[ \t]*(?:\d{1,3}[.)]|\(\d{1,3}\))(?=\s)", re.MULTILINE)
_SCALES = {
    "k": 3, "thousand": 3, "m": 6, "mn": 6, "million": 6,
    "b": 9, "bn": 9, "billion": 9, "tn": 12, "trillion": 12,
}  # fmt: skip
_COUNTING = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen", "twenty",
)  # fmt: skip
_NUMBER_WORDS = {word: Decimal(number) for number, word in enumerate(_COUNTING)} | {
    "thirty": Decimal(30), "forty": Decimal(40), "fifty": Decimal(50), "sixty": Decimal(60),
    "seventy": Decimal(70), "eighty": Decimal(80), "ninety": Decimal(90), "hundred": Decimal(100),
    "half": Decimal("0.5"), "quarter": Decimal("0.25"), "once": Decimal(1), "twice": Decimal(2),
}  # fmt: skip
_WORD = re.compile(r"[a-z]+")
_HUNDRED = Decimal(100)
LONGEST_QUANTITY = 50
"""Digits and separators of the longest number that is read as a value; Decimal arithmetic has a limit."""
_LONGEST_CACHED = 20_000


class NumberReading(NamedTuple):
    """A possible value of a number; ``step`` is the place value of its last digit."""

    value: Decimal
    step: Decimal


@dataclass(frozen=True, slots=True)
class Number:
    """A number in a text: its position, its possible values, and whether it may be rounded.

    ``readings`` is empty if the number is too long to be a quantity.
    """

    span: Span
    readings: tuple[NumberReading, ...]
    may_round: bool


def numbers(text: str) -> list[Number]:
    """The numbers of a text in order, without those in dates and list markers."""
    return _numbers_beside(text, dates(text))


def _numbers_beside(text: str, written: Iterable[WrittenDate]) -> list[Number]:
    excluded = [(date.span.start, date.span.end) for date in written]
    excluded += [match.span() for match in _LIST_MARKER.finditer(text)]
    return list(_numbers(text, excluded))


def _numbers(text: str, excluded: Iterable[tuple[int, int]]) -> Iterator[Number]:
    blocked = sorted(excluded)
    starts = [start for start, _ in blocked]
    for match in _NUMBER.finditer(text):
        position = bisect_left(starts, match.end()) - 1
        if position >= 0 and blocked[position][1] > match.start():
            continue
        span = Span(match.start(), match.end(), match.group())
        if len(match["digits"]) > LONGEST_QUANTITY:
            yield Number(span, (), may_round=False)
            continue
        readings = tuple(_readings(match))
        marked = any(match[name] for name in ("percent", "basis", "scale"))
        decimals = any(reading.step < 1 for reading in readings)
        significant = len(re.sub(r"\D", "", match["digits"]).strip("0")) >= 2
        yield Number(span, readings, may_round=significant and (marked or decimals))


def _readings(match: re.Match[str]) -> Iterator[NumberReading]:
    scale = (match["scale"] or "").strip().lower()
    factor = Decimal(10) ** _SCALES.get(scale, 0)
    for value in _values(match["digits"], match["mark"]):
        exponent = value.as_tuple().exponent
        step = Decimal(1).scaleb(exponent if isinstance(exponent, int) else 0)
        yield NumberReading(value * factor, step * factor)
        if match["percent"]:
            yield NumberReading(value / _HUNDRED, step / _HUNDRED)
        if match["basis"]:
            yield NumberReading(value / _HUNDRED, step / _HUNDRED)
            yield NumberReading(value / _HUNDRED / _HUNDRED, step / _HUNDRED / _HUNDRED)
        if scale in ("m", "b") and not match["currency"]:
            # "5m" may be metres.
            yield NumberReading(value, step)


def _values(digits: str, mark: str | None) -> Iterator[Decimal]:
    """Possible values of the digits: 1.200 is 1200 in continental Europe and 1.2 in Britain."""
    if mark is None:
        if digits.count(",") == 1 and "." not in digits:
            yield Decimal(digits.replace(",", "."))
        else:
            yield Decimal(digits.replace(",", ""))
        return
    whole, decimals = digits, ""
    tail = re.search(r"[.,](\d+)$", digits)
    if tail and tail.group()[0] != mark:
        whole, decimals = digits[: tail.start()], tail.group(1)
    joined = re.sub(r"\D", "", whole)
    yield Decimal(f"{joined}.{decimals}" if decimals else joined)
    if mark == "." and digits.count(".") == 1 and not decimals:
        yield Decimal(digits)


class _ContextNumbers:
    """All values and dates of the context."""

    def __init__(self, texts: Iterable[str]) -> None:
        values: set[Decimal] = set()
        self.identifiers: set[str] = set()
        self.days: set[Day] = set()
        for text in texts:
            # Dates count as numbers here: the year of a given date is a given number.
            for number in _numbers(text, ()):
                values.update(reading.value for reading in number.readings)
                if not number.readings:
                    self.identifiers.add(number.span.text)
            values.update(_spaced_parts(text))
            words = _NUMBER_WORDS.keys() & set(_WORD.findall(text.lower()))
            values.update(_NUMBER_WORDS[word] for word in words)
            for date in dates(text):
                for day in date.readings:
                    self.days.update(day.less_exact())
        values.update(Decimal(day.year) for day in self.days if day.year)
        self.values = sorted(values)

    def has(self, number: Number) -> bool:
        if any(self._near(reading, may_round=number.may_round) for reading in number.readings):
            return True
        if number.span.text in self.identifiers:
            return True
        parts = list(_spaced_parts(number.span.text))
        return bool(parts) and all(
            self._near(NumberReading(part, Decimal(1)), may_round=False) for part in parts
        )

    def _near(self, reading: NumberReading, *, may_round: bool) -> bool:
        reach = reading.step / 2 if may_round else Decimal(0)
        position = bisect_left(self.values, reading.value - reach)
        return position < len(self.values) and self.values[position] <= reading.value + reach

    def has_date(self, date: WrittenDate) -> bool:
        return not self.days.isdisjoint(date.readings)


# Cached, because the outputs of all candidates for one example share its context, and a metric and a rule may
# both check it.
_cached_context_numbers = lru_cache(maxsize=128)(_ContextNumbers)


def _context_numbers(texts: tuple[str, ...]) -> _ContextNumbers:
    # Not cached for long texts: their numbers take far more memory than the texts.
    return (
        _cached_context_numbers(texts) if sum(map(len, texts)) <= _LONGEST_CACHED else _ContextNumbers(texts)
    )


_SPACED = re.compile(r"(?=\d)(?<![\w.,])\d{1,3}(?: \d{3})+(?!\d)")


def _spaced_parts(text: str) -> Iterator[Decimal]:
    """The parts of "12 200", which is read as 12200 but may be two numbers side by side."""
    for match in _SPACED.finditer(text):
        yield from map(Decimal, match.group().split())


def unsupported_numbers(output: str, given: Iterable[str]) -> list[Span]:
    """Every number and date of ``output`` that is in none of the ``given`` texts, in order.

    Offsets are characters of ``output``. A date is supported if some given date states all of its parts.
    Number words ("three years") count as given, but those of the output are not checked.
    """
    known = _context_numbers(tuple(given))
    written = list(dates(output))
    found = [date.span for date in written if not known.has_date(date)]
    found += [number.span for number in _numbers_beside(output, written) if not known.has(number)]
    return sorted(found, key=lambda span: span.start)


def count_unsupported_numbers(row: Row, options: Options | None = None) -> Measure:
    """Number of numbers and dates that are not in the context, prompt or fields. Undefined without a context:
    a question has few of the numbers of its right answer.
    """
    label = signature("unsupported-numbers", version=2)
    if not row.context.strip():
        return Measure.undefined("the example has no context", signature=label)
    given = [row.context, row.prompt, *row.fields.values()]
    return Measure(value=float(len(unsupported_numbers(row.output, given))), n=1, signature=label)


METRICS = [
    Metric(
        name="unsupported_numbers", label="Unsupported numbers", better="lower", largest=None,
        needs="context",
        anchor="unsupported-numbers", is_count=True, engine=EachRow(count_unsupported_numbers), order=50,
    ),
]  # fmt: skip
