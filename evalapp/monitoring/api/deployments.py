"""Which model version served which stream, and when."""

from typing import Any

from rest_framework import serializers

from evalapp.accounts.permissions import Permission
from evalapp.api.fields import Body, CreatedByField, Id, Number, Paging, ReadOnlySerializer, Text
from evalapp.api.operations import ProjectView, chosen, operation, route
from evalapp.core.http import get_or_missing
from evalapp.monitoring.api.streams import StreamView
from evalapp.monitoring.deployments.models import LONGEST_SERVED_AS, Deployment
from evalapp.monitoring.deployments.queries import deployments_of
from evalapp.monitoring.deployments.services import (
    LONGEST_NOTE,
    end_deployment,
    record_deployment,
    roll_back,
)
from evalapp.monitoring.queries import streams_of
from evalapp.registry.models import ModelVersion


class DeploymentSerializer(ReadOnlySerializer):
    stream = serializers.IntegerField(source="stream_id")
    version = serializers.IntegerField(source="version_id")
    decision = serializers.IntegerField(source="decision_id", allow_null=True)
    created_by = CreatedByField()

    class Meta:
        model = Deployment
        fields = (
            "id", "stream", "version", "served_as", "share", "started_at", "ended_at", "origin", "note",
            "decision", "created_by", "created_at",
        )  # fmt: skip


class DeploymentQuery(Paging):
    stream = serializers.IntegerField(required=False, default=None, min_value=1, help_text="Id of a stream.")


class DeploymentBody(Body):
    stream = Id()
    version = Id(help_text="Id of a model version.")
    share = Number(
        default=1.0, min_value=0, max_value=1, help_text="Share of the traffic, above 0 and at most 1."
    )
    started_at = serializers.DateTimeField(required=False, default=None, help_text="Start; default: now.")
    served_as = Text(
        max_length=LONGEST_SERVED_AS,
        allow_blank=True,
        default="",
        help_text="Name of the model in the stream's events; default: the version's label.",
    )
    note = Text(max_length=LONGEST_NOTE, allow_blank=True, default="")


class DeploymentEndBody(Body):
    ended_at = serializers.DateTimeField(required=False, default=None, help_text="End; default: now.")


class RollBackBody(Body):
    reason = Text(max_length=LONGEST_NOTE)


class DeploymentView(ProjectView):
    required_permission = Permission.VIEW_MODELS
    post_permission = Permission.EDIT_MODELS


@route("deployments/", "api_deployments")
class Deployments(DeploymentView):
    @operation("List deployments", query=DeploymentQuery, result=DeploymentSerializer, paged=True)
    def get(self) -> object:
        """Deployments with their versions, times and shares of the traffic, newest first."""
        found = deployments_of(self.project)
        stream = self.query["stream"]
        return self.page(found if stream is None else found.filter(stream=stream))

    @operation("Record a deployment", body=DeploymentBody, result=DeploymentSerializer, status=201)
    def post(self) -> object:
        """A version with all of the traffic replaces every other in the stream. If the stream follows the
        champion, a promotion creates a deployment automatically.
        """
        values = self.body()
        values["stream"] = chosen(streams_of(self.project), values["stream"], "stream", "stream")
        versions = ModelVersion.objects.filter(project=self.project)
        values["version"] = chosen(versions, values["version"], "version", "model version")
        return record_deployment(**values, by=self.person)


@route("deployments/<int:deployment_id>/end/", "api_deployment_end")
class DeploymentEnd(DeploymentView):
    required_permission = Permission.EDIT_MODELS

    @operation("End a deployment", body=DeploymentEndBody, result=DeploymentSerializer)
    def post(self, deployment_id: int) -> object:
        deployment: Any = get_or_missing(deployments_of(self.project), pk=deployment_id)
        return end_deployment(deployment=deployment, ended_at=self.body()["ended_at"], by=self.person)


@route("streams/<int:stream_id>/roll-back/", "api_stream_roll_back")
class StreamRollBack(StreamView):
    required_permission = Permission.DECIDE

    @operation("Roll back", body=RollBackBody, result=DeploymentSerializer, status=201)
    def post(self, stream_id: int) -> object:
        """Gives all traffic back to the previous version; if the stream follows the champion, that version
        becomes the champion again.
        """
        stream = self.stream(stream_id)
        return roll_back(stream=stream, reason=self.body()["reason"], by=self.person)
