"""The OpenAPI schema of the machine API, at /api/v1/schema/.

It is public: it is the same in every installation of this release and holds no data, and clients are
generated from it before anybody has a token.
"""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, cast

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import build_bearer_security_scheme_object
from drf_spectacular.renderers import OpenApiJsonRenderer
from drf_spectacular.views import SpectacularAPIView
from rest_framework.permissions import AllowAny
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

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


class SchemaView(SpectacularAPIView):
    """OpenAPI 3.1 as JSON."""

    authentication_classes = []
    permission_classes = [AllowAny]
    renderer_classes = [OpenApiJsonRenderer]
    content_negotiation_class = JSONAlways
    http_method_names = ["get", "head"]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        # The library's own parameters (version, lang) would end up in a header as they are.
        if request.GET:
            message = "The schema takes no parameters."
            raise InvalidError(message, fields={name[:80]: [message] for name in request.GET})

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        finished = super().finalize_response(request, response, *args, **kwargs)
        if finished.status_code >= HTTPStatus.BAD_REQUEST:
            finished.accepted_renderer = JSONRenderer()
            finished.accepted_media_type = JSONRenderer.media_type
        return finished


def only_this_version(endpoints: list[Route]) -> list[Route]:
    """A pre-processing hook: the API alone, none of the pages."""
    return [each for each in endpoints if each[0].startswith(PREFIX)]


def group_by_subject(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """A post-processing hook: operations are grouped by the part of the address that names their subject."""
    for path, methods in result["paths"].items():
        parts = [part for part in path.removeprefix(PREFIX).split("/") if part and not part.startswith("{")]
        subject = parts[1] if parts[0] == "projects" and len(parts) > 1 else parts[0]
        for described in methods.values():
            if isinstance(described, dict) and "responses" in described:
                described["tags"] = [subject]
    return result


@csrf_exempt
def no_such_address(request: HttpRequest) -> HttpResponse:
    """JSON for what is not there; a missing slash is no redirect, which would lose a POST's body."""
    message = (
        "There is no such address in the API. Addresses end in a slash; all of them are in /api/v1/schema/."
    )
    return problem_response(request, MissingError(message))
