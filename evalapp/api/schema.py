"""The OpenAPI schema of the machine API, at /api/v1/schema/.

It is public: it is the same in every installation of this release and holds no data, and clients are
generated from it before anybody has a token. Each process writes it once: it takes a second, and whoever asks
needs no account.
"""

from collections.abc import Callable
from functools import cache
from hashlib import sha256
from threading import Lock
from typing import Any, NamedTuple, cast

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.cache import get_conditional_response
from django.views.decorators.csrf import csrf_exempt
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import build_bearer_security_scheme_object
from drf_spectacular.renderers import OpenApiJsonRenderer
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.views import APIView

from evalapp.api.operations import JSONAlways
from evalapp.core.errors import InvalidError, MissingError
from evalapp.core.http import problem_response

PREFIX = "/api/v1/"
Route = tuple[str, str, str, Callable[..., Any]]


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # the library's metaclass
    target_class = "evalapp.api.authentication.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        return cast(
            dict[str, Any],
            build_bearer_security_scheme_object(header_name="Authorization", token_prefix="Bearer"),  # noqa: S106 - a word
        )


class SchemaDocument(NamedTuple):
    """The schema as it is sent, with the ETag that identifies its release."""

    body: bytes
    etag: str


_writing = Lock()


def written_schema() -> SchemaDocument:
    """The schema, written at the first call; whoever calls meanwhile waits for the same."""
    with _writing:
        return _write_schema()


@cache
def _write_schema() -> SchemaDocument:
    schema = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]  # the library's own
    body = OpenApiJsonRenderer().render(schema, renderer_context={})
    return SchemaDocument(body, f'"{sha256(body).hexdigest()[:32]}"')


class SchemaView(APIView):
    """OpenAPI 3.1 as JSON."""

    authentication_classes = []
    permission_classes = [AllowAny]
    content_negotiation_class = JSONAlways
    http_method_names = ["get", "head"]
    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        # The library's own parameters (version, lang) would end up in a header as they are.
        if request.GET:
            message = "The schema takes no parameters."
            raise InvalidError(message, fields={name[:80]: [message] for name in request.GET})

    def get(self, request: Request) -> HttpResponseBase:
        schema = written_schema()
        response = HttpResponse(schema.body, content_type=OpenApiJsonRenderer.media_type)
        response["Content-Disposition"] = 'inline; filename="evalapp.json"'
        response["ETag"] = schema.etag
        return get_conditional_response(request, etag=schema.etag, response=response) or response


def only_this_version(endpoints: list[Route]) -> list[Route]:
    """A pre-processing hook: keeps the URLs of the API and drops those of the pages."""
    return [each for each in endpoints if each[0].startswith(PREFIX)]


def group_by_subject(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """A post-processing hook: groups operations by the part of the URL that names their subject."""
    for path, methods in result["paths"].items():
        parts = [part for part in path.removeprefix(PREFIX).split("/") if part and not part.startswith("{")]
        subject = parts[1] if parts[0] == "projects" and len(parts) > 1 else parts[0]
        for described in methods.values():
            if isinstance(described, dict) and "responses" in described:
                described["tags"] = [subject]
    return result


@csrf_exempt
def no_such_url(request: HttpRequest) -> HttpResponse:
    """Answers in JSON for a URL that does not exist; a missing slash gets no redirect, which would lose a
    POST's body.
    """
    message = "There is no such URL in the API. URLs end in a slash; all of them are in /api/v1/schema/."
    return problem_response(request, MissingError(message))
