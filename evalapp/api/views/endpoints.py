"""Endpoints whose models answer as candidates."""

from rest_framework.response import Response

from evalapp.accounts.permissions import Permission
from evalapp.api.operations import ProjectView, operation
from evalapp.api.serializers.endpoints import (
    EndpointBody,
    EndpointChangeBody,
    EndpointModelBody,
    EndpointSerializer,
)
from evalapp.api.serializers.registry import ModelVersionSerializer
from evalapp.api.views.registry import examples_in
from evalapp.core.http import get_or_missing
from evalapp.registry import endpoints, queries
from evalapp.registry.models import Endpoint


class EndpointView(ProjectView):
    required_permission = Permission.VIEW_MODELS
    post_permission = Permission.MANAGE_WEBHOOKS

    def endpoint(self, endpoint_id: int) -> Endpoint:
        return get_or_missing(queries.endpoints_of(self.project), pk=endpoint_id)


class EndpointList(EndpointView):
    @operation("List endpoints", result=EndpointSerializer, paged=True)
    def get(self) -> object:
        return self.page(queries.endpoints_of(self.project).order_by())

    @operation("Add endpoint", body=EndpointBody, result=EndpointSerializer, status=201)
    def post(self) -> object:
        """Nothing is asked yet. The API key is stored encrypted and never shown again."""
        return endpoints.create_endpoint(project=self.project, by=self.person, **self.body())


class EndpointDetail(EndpointView):
    @operation("Read an endpoint", result=EndpointSerializer)
    def get(self, endpoint_id: int) -> object:
        return self.endpoint(endpoint_id)

    @operation("Change an endpoint", body=EndpointChangeBody, result=EndpointSerializer)
    def put(self, endpoint_id: int) -> object:
        """An empty secret keeps the key; of another endpoint it is entered again."""
        endpoints.change_endpoint(endpoint=self.endpoint(endpoint_id), by=self.person, **self.body())
        return self.endpoint(endpoint_id)

    @operation("Delete an endpoint", status=204)
    def delete(self, endpoint_id: int) -> object:
        """Its key goes with it. 409 while candidates stand on it."""
        endpoints.delete_endpoint(endpoint=self.endpoint(endpoint_id), by=self.person)
        return Response(status=204)


class EndpointModelRegistration(EndpointView):
    post_permission = Permission.EDIT_MODELS

    @operation("Register an API model", body=EndpointModelBody, result=ModelVersionSerializer, status=201)
    def post(self, endpoint_id: int) -> object:
        """A candidate: the model as it is offered there, or in other words, with examples before each question."""
        endpoint, values = self.endpoint(endpoint_id), self.body()
        examples = examples_in(values, self.project)
        return endpoints.register_endpoint_model(
            endpoint=endpoint, by=self.person, examples=examples, **values
        )
