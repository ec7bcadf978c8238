"""Strict serializer fields, which convert nothing: no text that reads like a number, no "yes" for true."""

from collections.abc import Mapping
from itertools import islice
from typing import Any, cast

from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.fields import SkipField, empty

from evalapp.core.errors import MOST_PROBLEMS
from evalapp.core.paging import LARGEST_PAGE, PAGE_SIZE

LARGEST_ID = 2**63 - 1
LARGEST_WHOLE = 2**31 - 1


class Text(serializers.CharField):
    """Text in quotes, kept with its white space; it may be empty only if the field allows it."""

    def __init__(self, *, max_length: int, trim_whitespace: bool = False, **options: Any) -> None:
        super().__init__(max_length=max_length, trim_whitespace=trim_whitespace, **options)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            raise ValidationError("This must be text, in double quotes.")
        return super().to_internal_value(data)


class Whole(serializers.IntegerField):
    def __init__(self, *, min_value: int = 0, max_value: int = LARGEST_WHOLE, **options: Any) -> None:
        super().__init__(min_value=min_value, max_value=max_value, **options)

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int):
            raise ValidationError("This must be a whole number, without quotes.")
        return data


class Id(Whole):
    """The id of a row of the same project."""

    def __init__(self, **options: Any) -> None:
        super().__init__(min_value=1, max_value=LARGEST_ID, **options)


class Number(serializers.FloatField):
    def to_internal_value(self, data: Any) -> float:
        if isinstance(data, bool) or not isinstance(data, int | float):
            raise ValidationError("This must be a number, without quotes.")
        return float(data)


class Flag(serializers.BooleanField):
    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            raise ValidationError("This must be true or false, without quotes.")
        return data


class Fields(serializers.DictField):
    """A free object of fields."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, dict):
            raise ValidationError("This must be an object of fields.")
        return super().to_internal_value(data)


class List(serializers.ListField):
    """A list whose length is checked before its values; at most MOST_PROBLEMS bad values are reported."""

    def to_internal_value(self, data: Any) -> list[Any]:
        if isinstance(data, list) and self.max_length is not None and len(data) > self.max_length:
            raise ValidationError(self.error_messages["max_length"].format(max_length=self.max_length))
        return super().to_internal_value(data)

    def run_child_validation(self, data: Any) -> list[Any]:
        values: list[Any] = []
        problems: dict[str, Any] = {}
        for position, each in enumerate(data):
            try:
                values.append(self.child.run_validation(each))
            except ValidationError as error:
                problems[str(position)] = error.detail
            if len(problems) == MOST_PROBLEMS:
                break
        if problems:
            raise ValidationError(problems)
        return values


class Body(serializers.Serializer[Any]):
    """The fields of a request; an undeclared field is refused, never ignored."""

    def run_validation(self, data: Any = empty) -> dict[str, Any]:
        # Before the framework's own look at it, which calls null "no data".
        is_nothing = data is empty or (data is None and self.allow_null)
        if not is_nothing and not isinstance(data, Mapping):
            raise ValidationError({"non_field_errors": ["This must be a JSON object."]})
        return cast(dict[str, Any], super().run_validation(data))

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        values, problems = self.read(data)
        if problems:
            raise ValidationError(problems)
        return values

    def read(self, data: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Returns the fields that can be read, and the problems of the others."""
        known = ", ".join(self.fields) or "none"
        values: dict[str, Any] = {}
        problems: dict[str, Any] = {
            name[:80] or "non_field_errors": [f"Unknown field. Known fields: {known}."]
            for name in islice((name for name in map(str, data) if name not in self.fields), MOST_PROBLEMS)
        }
        for name, field in self.fields.items():
            check = getattr(self, f"validate_{name}", None)
            try:
                value = field.run_validation(field.get_value(data))
                values[name] = check(value) if check is not None else value
            except ValidationError as error:
                problems[name] = error.detail
            except SkipField:
                # Left out, and without a usual value.
                continue
        return values, problems


class Nothing(Body):
    """A request without a body."""


class Query(serializers.Serializer[Any]):
    """Parameters of a URL; they are text, so numbers are read from it."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        for name in data:
            if name not in self.fields:
                known = ", ".join(self.fields) or "none"
                raise ValidationError({name[:80]: [f"Unknown parameter. Known parameters: {known}."]})
            if len(data.getlist(name)) > 1:
                raise ValidationError({name: ["This parameter is given twice. Keep one."]})
        return dict(super().to_internal_value(data))


class WrittenWhole(serializers.IntegerField):
    """A whole number in a URL, in the ten digits 0 to 9: Python reads those of any script."""

    def to_internal_value(self, data: Any) -> int:
        if not (data.isascii() and data.isdigit()):
            raise ValidationError("This must be a whole number.")
        return super().to_internal_value(data)


class Paging(Query):
    """The parameters of every list."""

    after = serializers.CharField(required=False, default="", allow_blank=True, max_length=2_000)
    limit = WrittenWhole(required=False, default=PAGE_SIZE, min_value=1, max_value=LARGEST_PAGE)


class ReadOnlySerializer(serializers.ModelSerializer[Any]):
    """A row for reading only; nothing is ever written through it."""

    def get_fields(self) -> dict[str, Any]:
        fields = super().get_fields()
        for field in fields.values():
            field.read_only = True
        return dict(fields)


class CreatedByField(serializers.CharField):
    """The person's name as pages show it, or null if the account was removed."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_null=True, read_only=True, **options)


class MeasureSerializer(serializers.Serializer[Any]):
    """A number with its sample size, interval and method, or the reason why it is missing
    (docs/measures.md).
    """

    value = serializers.FloatField(allow_null=True)
    n = serializers.IntegerField(help_text="Number of units behind the value.")
    low = serializers.FloatField(allow_null=True, help_text="Lower end of the interval.")
    high = serializers.FloatField(allow_null=True, help_text="Upper end of the interval.")
    reason = serializers.CharField(help_text="Why there is no value; empty if there is one.")
    note = serializers.CharField()
    signature = serializers.CharField(help_text="The method: name, version, options, seed.")
