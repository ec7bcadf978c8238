"""The form field and page of an upload; an unusable file is refused at its first bytes."""

from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from typing import Any

from django import forms
from django.core.files.base import File
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.csrf import csrf_protect
from rest_framework import serializers
from rest_framework.request import Request

from evalapp.accounts.access import MemberRequest
from evalapp.core.errors import InvalidError
from evalapp.core.http import RefusalsOn, download
from evalapp.core.spreadsheets import csv_line
from evalapp.imports.files import RefusingUploadHandler
from evalapp.imports.models import FileImport


def size_problem(file: "File[Any]", most_bytes: int | None) -> str:
    if most_bytes is None or (file.size or 0) <= most_bytes:
        return ""
    return f"The file has {file.size:,} bytes; the limit is {most_bytes:,}. Split it and import the parts."


class ImportFileField(forms.FileField):
    """A form field for a file to import, of at most ``most_bytes``."""

    default_error_messages = {
        "required": "Choose a file.",
        "empty": "The file is empty. Check that it was saved, and upload it again.",
    }

    def __init__(self, *, most_bytes: int | None = None, **options: Any) -> None:
        super().__init__(label="File", **options)
        self.most_bytes = most_bytes

    def clean(self, data: Any, initial: Any = None) -> Any:
        file = super().clean(data, initial)
        if file and (problem := size_problem(file, self.most_bytes)):
            raise forms.ValidationError(problem)
        return file


class ImportFile(serializers.FileField):
    """`ImportFileField` for the body of an API operation."""

    def __init__(self, *, most_bytes: int | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.most_bytes = most_bytes

    def to_internal_value(self, data: Any) -> Any:
        file = super().to_internal_value(data)
        if problem := size_problem(file, self.most_bytes):
            raise serializers.ValidationError(problem)
        return file


def require_usable(request: Request) -> None:
    """Read the body of an upload. Raises InvalidError at the first bytes of an unusable file."""
    refusing = RefusingUploadHandler(request)
    request._request.upload_handlers.insert(0, refusing)
    given = request.data
    if refusing.problem:
        raise InvalidError(refusing.problem, field="file")
    del given


def upload_page(
    request: MemberRequest,
    form_class: type[forms.Form],
    template: str,
    context: Mapping[str, Any],
    *,
    receive: Callable[[Any], FileImport],
    then: Callable[[Any], HttpResponse],
) -> HttpResponse:
    """The upload page. Its view must be exempt from the CSRF middleware, which would read the body before the
    file can be refused; the token is checked here. ``receive`` stores the form's file, ``then`` returns the
    redirect.
    """
    refusing = RefusingUploadHandler(request)
    request.upload_handlers.insert(0, refusing)

    def page(request: MemberRequest) -> HttpResponse:
        form = form_class(request.POST, request.FILES) if request.method == "POST" else form_class()
        if refusing.problem:
            form = form_class({})
            form.errors["file"] = form.error_class([refusing.problem])
        elif form.is_valid():
            with RefusalsOn(form):
                return then(receive(form.cleaned_data["file"]))
        return render(request, template, {**context, "form": form}, status=400 if form.is_bound else 200)

    return csrf_protect(page)(request)


def problems_file(problems: Iterable[Mapping[str, Any]], *columns: str, name: str) -> HttpResponseBase:
    """The stored problems as CSV, safe to open in a spreadsheet."""
    lines = (csv_line(each[column] for column in columns) for each in problems)
    heading = csv_line(column.replace("_", " ") for column in columns)
    return download(name, "text/csv; charset=utf-8", chain([heading], lines))
