"""What a file probably means as reference answers, and what would only be kept as metadata."""

from collections.abc import Collection

from evalapp.datasets.csv_files import DEFAULT_NAMES, Use
from evalapp.datasets.rows import ExampleRow


def missed_reference_field(rows: Collection[ExampleRow]) -> str:
    """A field that is named as if it held the reference answer, where none of these rows has one; or ""."""
    if any(row.references for row in rows):
        return ""
    names = (
        name
        for row in rows
        for name, value in row.metadata.items()
        if value and DEFAULT_NAMES.get(name.strip().lower()) == Use.REFERENCE
    )
    return next(names, "")
