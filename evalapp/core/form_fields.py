"""Form fields that choose among rows, and typed access to a form's fields."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.db.models import Manager, Model, QuerySet


class _RowLabels:
    """Labels each row by ``name_of``, by default its ``str``."""

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


class RowField(_RowLabels, forms.ModelChoiceField):  # type: ignore[type-arg]  # Django's takes no type at run time
    """A choice of one row."""


class RowsField(_RowLabels, forms.ModelMultipleChoiceField):  # type: ignore[type-arg]  # Django's takes no type
    """A choice of several rows."""


def row_field(form: forms.BaseForm, name: str) -> "forms.ModelChoiceField[Any]":
    """The form's field of this name, a choice among rows."""
    field = form.fields[name]
    assert isinstance(field, forms.ModelChoiceField)
    return field


def choice_field(form: forms.BaseForm, name: str) -> forms.ChoiceField:
    """The form's field of this name, a choice among fixed options."""
    field = form.fields[name]
    assert isinstance(field, forms.ChoiceField)
    return field
