"""The API, version 1: the routes that the packages' `api` modules declare. Names begin with ``api_``."""

from importlib import import_module
from pathlib import Path

from django.urls import URLPattern, path, re_path

from evalapp.api.operations import ROUTES
from evalapp.api.schema import SchemaView, no_such_url

SOURCE = Path(__file__).parent
for found in sorted([*SOURCE.glob("*/api.py"), *SOURCE.glob("*/api/*.py"), SOURCE / "api/accounts.py"]):
    import_module(".".join(["evalapp", *found.relative_to(SOURCE).with_suffix("").parts]))

# Addresses are tried in order, and applications send events all day.
ASKED_MOST = ("api_stream_events", "api_stream_assessments", "api_otlp_traces")

urlpatterns: list[URLPattern] = [
    path("schema/", SchemaView.as_view(), name="api_schema"),
    *sorted(ROUTES, key=lambda route: route.name not in ASKED_MOST),
    re_path(r"^.*$", no_such_url, name="api_missing"),
]
