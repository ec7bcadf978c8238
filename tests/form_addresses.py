"""URLs of the forms "Add model" and "New run"."""

from typing import Any
from urllib.parse import urlencode

from django.urls import reverse

from evalapp.accounts.models import Project


def model_form(project: Project, source: str, **filled: Any) -> str:
    query = urlencode({"source": source, **filled})
    return f"{reverse('model_new', args=[project.slug])}?{query}"


def run_form(project: Project, kind: str, **filled: Any) -> str:
    query = urlencode({"kind": kind, **filled})
    return f"{reverse('run_new', args=[project.slug])}?{query}"
