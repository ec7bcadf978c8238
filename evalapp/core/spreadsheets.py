"""CSV that spreadsheets open without running formulas."""

import csv
import io
from collections.abc import Iterable
from typing import Any

# Spreadsheets take a cell that starts with one of these (some also full-width ones) for a formula.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def without_formula(value: Any) -> Any:
    """The value, with an apostrophe before text that would run as a formula; numbers stay numbers."""
    if isinstance(value, str) and value.startswith(FORMULA_STARTS):
        return "'" + value
    return value


def csv_line(values: Iterable[Any]) -> str:
    """One record of a CSV file, every cell inert."""
    buffer = io.StringIO()
    csv.writer(buffer).writerow([without_formula(value) for value in values])
    return buffer.getvalue()
