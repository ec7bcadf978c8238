"""Filters rows by values of their fields, written as “topic = claims, travel”, one field per line or
separated by semicolons.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.db.models import F, Func, QuerySet, TextField, Value

from evalapp.core.errors import InvalidError
from evalapp.datasets.models import Example

MOST_VALUES = 200
LONGEST_FILTER = 10_000


def read_fields(text: str) -> dict[str, list[str]]:
    """Values by field. Raises InvalidError naming the part that cannot be read."""
    found: dict[str, list[str]] = {}
    for line in text.replace(";", "\n").splitlines():
        if not line.strip():
            continue
        name, equals, values = line.partition("=")
        given = [value.strip() for value in values.split(",") if value.strip()]
        if not (equals and name.strip() and given):
            raise InvalidError(f"“{line.strip()[:60]}” is not a filter. Write “field = value”.")
        if len(given) > MOST_VALUES:
            raise InvalidError(f"A field can have at most {MOST_VALUES} values.")
        found.setdefault(name.strip(), []).extend(given)
    return found


class FieldFilterField(forms.CharField):
    """A form field in the syntax of `read_fields`; its clean value is values by field."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=LONGEST_FILTER, required=False, **options)

    def clean(self, value: Any) -> Any:
        try:
            return read_fields(super().clean(value))
        except InvalidError as error:
            raise forms.ValidationError(error.message) from error


def written_fields(fields: Mapping[str, Sequence[str]]) -> str:
    return "\n".join(f"{name} = {', '.join(values)}" for name, values in fields.items())


def with_fields(rows: QuerySet[Example], fields: Mapping[str, Sequence[str]]) -> QuerySet[Example]:
    """The rows whose fields (``label``, ``group``, or a name of the metadata) each have one of the values."""
    for number, (name, values) in enumerate(fields.items()):
        alias = f"filtered_{number}"
        rows = rows.alias(**{alias: text_of_field(name)}).filter(**{f"{alias}__in": list(values)})
    return rows


def text_of_field(name: str) -> Any:
    """A row's value of a field as text."""
    if name in ("label", "group"):
        return F("label" if name == "label" else "group_key")
    # Django's own key lookup treats a name of digits as a list index.
    return Func(F("metadata"), Value(name), function="jsonb_extract_path_text", output_field=TextField())
