"""Fields of forms that choose among rows, and the fields of a form by their type."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.db.models import Manager, Model, QuerySet

from evalapp.core.marks import marked


class RowField(forms.ModelChoiceField):  # type: ignore[type-arg]  # Django's class takes no type when it runs
    """A choice of one row. ``name_of`` names a row, by default as its ``str`` does; simulated ones are marked."""

    def __init__(
        self,
        queryset: QuerySet[Any] | Manager[Any] | None,
        *,
        name_of: Callable[[Any], str] = str,
        **options: Any,
    ) -> None:
        super().__init__(queryset, **options)
        self.name_of = name_of

    def label_from_instance(self, obj: Model) -> str:
        return marked(self.name_of(obj), obj)


class RowsField(forms.ModelMultipleChoiceField):  # type: ignore[type-arg]  # as above
    """A choice of several rows; see `RowField`."""

    def __init__(
        self,
        queryset: QuerySet[Any] | Manager[Any] | None,
        *,
        name_of: Callable[[Any], str] = str,
        **options: Any,
    ) -> None:
        super().__init__(queryset, **options)
        self.name_of = name_of

    def label_from_instance(self, obj: Model) -> str:
        return marked(self.name_of(obj), obj)


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
