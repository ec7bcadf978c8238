"""Incidents: from the first alert to recovery."""

from typing import Any

from rest_framework import serializers

from evalapp.accounts.permissions import Permission
from evalapp.api.fields import Body, Id, Paging, ReadOnlySerializer, Text
from evalapp.api.operations import ProjectView, operation, route
from evalapp.core.http import get_or_missing
from evalapp.monitoring.incidents.models import LONGEST_REASON, Incident, IncidentState, Notice
from evalapp.monitoring.incidents.queries import incidents_of, progress_of
from evalapp.monitoring.incidents.services import (
    accept_training_data,
    acknowledge,
    close_incident,
    prepare_second_review,
)
from evalapp.monitoring.models import Cause


class NoticeSerializer(ReadOnlySerializer):
    """An e-mail to the people who decide, with its delivery state."""

    class Meta:
        model = Notice
        fields = ("id", "kind", "mail_state", "mail_note", "created_at")


class ReviewedWeekSerializer(serializers.Serializer[Any]):
    week = serializers.IntegerField()
    rows = serializers.IntegerField()


class IncidentSerializer(ReadOnlySerializer):
    """``training_data`` and ``second_review`` are ids of dataset versions; ``weeks`` are the weeks whose
    reviews are in the training data. ``trainings``, ``campaigns``, ``decisions`` and ``deployments`` list
    what followed. ``is_mended_by_training``: training can fix the cause.
    """

    stream = serializers.IntegerField(source="stream_id")
    opened_in = serializers.IntegerField(
        source="opened_in.number", help_text="Number of the first week that alerted."
    )
    cause = serializers.ChoiceField(choices=Cause.choices, source="progress.cause")
    is_mended_by_training = serializers.BooleanField(source="progress.is_mended_by_training")
    acknowledged_by = serializers.CharField(allow_null=True)
    alerts = serializers.SerializerMethodField()
    training_data = serializers.IntegerField(source="training_data_id", allow_null=True)
    weeks = ReviewedWeekSerializer(many=True)
    trainings = serializers.SerializerMethodField()
    second_review = serializers.IntegerField(source="second_review_id", allow_null=True)
    campaigns = serializers.SerializerMethodField()
    decisions = serializers.SerializerMethodField()
    deployments = serializers.SerializerMethodField()
    notices = NoticeSerializer(many=True)
    closed_by = serializers.CharField(allow_null=True)

    class Meta:
        model = Incident
        fields = (
            "id", "stream", "state", "opened_in", "cause", "is_mended_by_training", "alerts",
            "acknowledged_at", "acknowledged_by", "training_data", "weeks", "trainings", "second_review",
            "campaigns", "decisions", "deployments", "notices", "closed_at", "closed_by",
            "reason", "created_at",
        )  # fmt: skip

    def to_representation(self, instance: Any) -> Any:
        instance.progress = progress_of(instance)
        return super().to_representation(instance)

    def get_alerts(self, incident: Any) -> list[int]:
        """Ids."""
        return [each.pk for each in incident.progress.alerts]

    def get_trainings(self, incident: Any) -> list[int]:
        """Ids of runs on the training data."""
        return [each.pk for each in incident.progress.trainings]

    def get_campaigns(self, incident: Any) -> list[int]:
        """Ids of campaigns over the rows of the second review."""
        return [each.pk for each in incident.progress.campaigns]

    def get_decisions(self, incident: Any) -> list[int]:
        """Ids of decisions in these campaigns."""
        return [each.pk for each in incident.progress.decisions]

    def get_deployments(self, incident: Any) -> list[int]:
        """Ids of deployments of the stream since the incident opened."""
        return [each.pk for each in incident.progress.deployments]


class IncidentQuery(Paging):
    stream = serializers.IntegerField(required=False, default=None, min_value=1, help_text="Id of a stream.")
    state = serializers.ChoiceField(choices=IncidentState.choices, required=False, default=None)


class TrainingDataBody(Body):
    dataset_version = Id(help_text="Id of a dataset version with feedback from the stream.")


class CloseBody(Body):
    reason = Text(max_length=LONGEST_REASON)


class IncidentView(ProjectView):
    required_permission = Permission.VIEW_ANALYSIS

    def incident(self, incident_id: int) -> Incident:
        return get_or_missing(incidents_of(self.project).prefetch_related("notices"), pk=incident_id)


@route("incidents/", "api_incidents")
class Incidents(IncidentView):
    @operation("List incidents", query=IncidentQuery, result=IncidentSerializer, paged=True)
    def get(self) -> object:
        """Newest first, for one stream or all."""
        found = incidents_of(self.project).prefetch_related("notices")
        if self.query["stream"] is not None:
            found = found.filter(stream=self.query["stream"])
        if self.query["state"] is not None:
            found = found.filter(state=self.query["state"])
        return self.page(found)


@route("incidents/<int:incident_id>/", "api_incident")
class IncidentDetail(IncidentView):
    @operation("Read an incident", result=IncidentSerializer)
    def get(self, incident_id: int) -> object:
        """The incident's alerts, and everything done since then."""
        return self.incident(incident_id)


@route("incidents/<int:incident_id>/acknowledge/", "api_incident_acknowledge")
class IncidentAcknowledge(IncidentView):
    required_permission = Permission.EDIT_CAMPAIGNS

    @operation("Acknowledge an incident", result=IncidentSerializer)
    def post(self, incident_id: int) -> object:
        """Records that somebody is working on it; no more reminders are sent."""
        incident = self.incident(incident_id)
        self.body()
        acknowledge(incident=incident, by=self.person)
        return self.incident(incident_id)


@route("incidents/<int:incident_id>/training-data/", "api_incident_training_data")
class IncidentTrainingData(IncidentView):
    required_permission = Permission.DECIDE

    @operation("Accept the training data of an incident", body=TrainingDataBody, result=IncidentSerializer)
    def post(self, incident_id: int) -> object:
        """The version must contain rows reviewed in the stream since the incident opened, alone or added to a
        base by a dataset recipe; otherwise 409. Start the training on this version like any other run.
        """
        incident = self.incident(incident_id)
        version = self.body()["dataset_version"]
        accept_training_data(incident=incident, dataset_version=version, by=self.person)
        return self.incident(incident_id)


@route("incidents/<int:incident_id>/second-review/", "api_incident_second_review")
class IncidentSecondReview(IncidentView):
    required_permission = Permission.EDIT_CAMPAIGNS

    @operation("Prepare the second review of an incident", result=IncidentSerializer, status=201)
    def post(self, incident_id: int) -> object:
        """Writes a dataset version from events of the weeks that alerted (without those in the training data)
        and rows of the regression set. Let candidates answer it by a run or an import, then review their
        answers in a campaign.
        """
        incident = self.incident(incident_id)
        self.body()
        prepare_second_review(incident=incident, by=self.person)
        return self.incident(incident_id)


@route("incidents/<int:incident_id>/close/", "api_incident_close")
class IncidentClose(IncidentView):
    required_permission = Permission.DECIDE

    @operation("Close an incident", body=CloseBody, result=IncidentSerializer)
    def post(self, incident_id: int) -> object:
        """Closes an incident that has not recovered by itself; give a reason."""
        incident = self.incident(incident_id)
        close_incident(incident=incident, reason=self.body()["reason"], by=self.person)
        return self.incident(incident_id)
