"""Endpoints whose models answer as candidates."""

from rest_framework import serializers
from rest_framework.response import Response

from evalapp.accounts.permissions import Permission
from evalapp.api.fields import Body, ReadOnlySerializer, Text, Whole
from evalapp.api.operations import ProjectView, operation, route
from evalapp.core.http import get_or_missing
from evalapp.core.outgoing import LONGEST_URL
from evalapp.core.sealing import LONGEST_KEY
from evalapp.registry import endpoints, queries
from evalapp.registry.endpoints import MOST_PARALLEL
from evalapp.registry.models import Endpoint


class EndpointSerializer(ReadOnlySerializer):
    """An OpenAI-compatible endpoint, shown without its path; the API key is never shown."""

    url = serializers.CharField(source="origin")
    has_key = serializers.SerializerMethodField()

    class Meta:
        model = Endpoint
        fields = ("id", "name", "url", "has_key", "parallel", "created_at")

    def get_has_key(self, endpoint: Endpoint) -> bool:
        return bool(endpoint.sealed_key)


class EndpointChangeBody(Body):
    url = Text(max_length=LONGEST_URL, help_text="Base URL of an OpenAI-compatible API, up to /v1.")
    secret = Text(
        max_length=LONGEST_KEY,
        required=False,
        allow_blank=True,
        default="",
        help_text="API key of the endpoint.",
    )
    parallel = Whole(
        min_value=1,
        max_value=MOST_PARALLEL,
        required=False,
        default=4,
        help_text="Number of parallel requests.",
    )


class EndpointBody(EndpointChangeBody):
    name = Text(max_length=60)


class EndpointView(ProjectView):
    required_permission = Permission.VIEW_MODELS
    post_permission = Permission.MANAGE_WEBHOOKS

    def endpoint(self, endpoint_id: int) -> Endpoint:
        return get_or_missing(queries.endpoints_of(self.project), pk=endpoint_id)


@route("models/endpoints/", "api_endpoints")
class EndpointList(EndpointView):
    @operation("List endpoints", result=EndpointSerializer, paged=True)
    def get(self) -> object:
        return self.page(queries.endpoints_of(self.project).order_by())

    @operation("Add endpoint", body=EndpointBody, result=EndpointSerializer, status=201)
    def post(self) -> object:
        """Sends nothing to the endpoint yet. The API key is stored encrypted and never shown again."""
        return endpoints.create_endpoint(project=self.project, by=self.person, **self.body())


@route("models/endpoints/<int:endpoint_id>/", "api_endpoint")
class EndpointDetail(EndpointView):
    @operation("Read an endpoint", result=EndpointSerializer)
    def get(self, endpoint_id: int) -> object:
        return self.endpoint(endpoint_id)

    @operation("Change an endpoint", body=EndpointChangeBody, result=EndpointSerializer)
    def patch(self, endpoint_id: int) -> object:
        """Fields that are left out are unchanged. A new URL needs the API key again."""
        endpoint = self.endpoint(endpoint_id)
        current = {"url": endpoint.url, "parallel": endpoint.parallel}
        endpoints.change_endpoint(endpoint=endpoint, by=self.person, **self.changes(current))
        return self.endpoint(endpoint_id)

    @operation("Delete an endpoint", status=204)
    def delete(self, endpoint_id: int) -> object:
        """Deletes the API key, too. 409 while candidates use the endpoint."""
        endpoints.delete_endpoint(endpoint=self.endpoint(endpoint_id), by=self.person)
        return Response(status=204)
