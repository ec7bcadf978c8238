"""Fields of forms that choose among rows, and the fields of a form by their type."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.db.models import Manager, Model, QuerySet


class _NamesRows:
    """Names each row by ``name_of``, by default as its ``str`` does."""

    def __init__(
        self,
        queryset: QuerySet[Any] | Manager[Any] | None,
        *,
        name_of: Callable[[Any], str] = str,
        **options: Any,
    ) -> None:
        super().__init__(queryset, **options)  # type: ignore[call-arg]  # of the field's class, which comes next
        self.name_of = name_of

    def label_from_instance(self, obj: Model) -> str:
        return self.name_of(obj)


class RowField(_NamesRows, forms.ModelChoiceField):  # type: ignore[type-arg]  # Django's takes no type at run time
    """A choice of one row."""


class RowsField(_NamesRows, forms.ModelMultipleChoiceField):  # type: ignore[type-arg]  # Django's takes no type
    """A choice of several rows."""


def row_field(form: forms.BaseForm, name: str) -> "forms.ModelChoiceField[Any]":
    """The form's field of this name, which chooses among rows."""
    field = form.fields[name]
    assert isinstance(field, forms.ModelChoiceField)
    return field


def choice_field(form: forms.BaseForm, name: str) -> forms.ChoiceField:
    """The form's field of this name, which chooses among fixed options."""
    field = form.fields[name]
    assert isinstance(field, forms.ChoiceField)
    return field
