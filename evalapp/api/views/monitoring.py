from evalapp.accounts.permissions import Permission
from evalapp.api.operations import ProjectView, chosen, chosen_all, operation
from evalapp.api.serializers.monitoring import (
    AlertSerializer,
    ImportedSerializer,
    ProductionEventsBody,
    ProposalSerializer,
    StreamBody,
    StreamSerializer,
    WeeklyMetricQuery,
    WeeklyMetricSerializer,
    WeekSerializer,
)
from evalapp.campaigns.queries import possible_reviewers, usable_rubrics
from evalapp.core.http import get_or_missing
from evalapp.monitoring.importing import events_of_request, import_events
from evalapp.monitoring.models import Stream, WeeklyMetric, WeeklySampleState
from evalapp.monitoring.queries import alerts_of, proposals_of, streams_of, weeks_of
from evalapp.monitoring.services import StreamPlan, acknowledge, create_stream, end_stream
from evalapp.webhooks.views import site_of


class StreamView(ProjectView):
    required_permission = Permission.VIEW_ANALYSIS

    def stream(self, stream_id: int) -> Stream:
        return get_or_missing(streams_of(self.project), pk=stream_id)


class StreamList(StreamView):
    post_permission = Permission.EDIT_CAMPAIGNS

    @operation("List streams", result=StreamSerializer, paged=True)
    def get(self) -> object:
        """Streams of production events; a sample of the outputs is reviewed every week."""
        return self.page(streams_of(self.project))

    @operation("Create a stream", body=StreamBody, result=StreamSerializer, status=201)
    def post(self) -> object:
        values = self.body()
        rubrics = usable_rubrics(self.project)
        values["rubric_version"] = chosen(
            rubrics, values["rubric_version"], "rubric_version", "rubric version with criteria and the id"
        )
        values["reviewers"] = chosen_all(
            possible_reviewers(self.project), values["reviewers"], "reviewers", "member who may review,"
        )
        stream = create_stream(
            project=self.project,
            plan=StreamPlan(**values),
            site=site_of(self.request._request),
            by=self.person,
        )
        return self.stream(stream.pk)


class StreamDetail(StreamView):
    @operation("Read a stream", result=StreamSerializer)
    def get(self, stream_id: int) -> object:
        return self.stream(stream_id)


class StreamEnd(StreamView):
    required_permission = Permission.EDIT_CAMPAIGNS

    @operation("End a stream", result=StreamSerializer)
    def post(self, stream_id: int) -> object:
        """No more weeks are sampled and no events taken in; what is in review goes on, and everything is kept. There
        is no way back.
        """
        stream = self.stream(stream_id)
        self.body()
        end_stream(stream=stream, by=self.person)
        return self.stream(stream_id)


class StreamEvents(StreamView):
    required_permission = Permission.EDIT_DATA

    @operation("Import production events", body=ProductionEventsBody, result=ImportedSerializer, status=201)
    def post(self, stream_id: int) -> object:
        """All of them, or none where one has a problem. What is here under its id already is left alone, so a
        request can be sent again.
        """
        stream = self.stream(stream_id)
        rows = self.body()["rows"]
        return import_events(stream=stream, rows=events_of_request(rows), by=self.person)


class StreamWeeks(StreamView):
    order = ("-number",)

    @operation("List a stream's weeks", result=WeekSerializer, paged=True)
    def get(self, stream_id: int) -> object:
        """Newest first; ``size`` of ``population`` outputs are reviewed in ``campaign``."""
        return self.page(weeks_of(self.stream(stream_id)))


class StreamMetrics(StreamView):
    order = ("weekly_sample__number", "id")

    @operation(
        "List a stream's weekly metrics", query=WeeklyMetricQuery, result=WeeklyMetricSerializer, paged=True
    )
    def get(self, stream_id: int) -> object:
        """By week, each criterion a row; weighted by how likely each output was to be sampled."""
        stream = self.stream(stream_id)
        metrics = WeeklyMetric.objects.filter(
            weekly_sample__stream=stream, weekly_sample__state=WeeklySampleState.EVALUATED
        ).select_related("weekly_sample")
        key = self.query["criterion"]
        return self.page(metrics.filter(criterion_key=key) if key else metrics)


class StreamAlerts(StreamView):
    @operation("List a stream's alerts", result=AlertSerializer, paged=True)
    def get(self, stream_id: int) -> object:
        """Newest first."""
        return self.page(alerts_of(self.stream(stream_id)))


class AlertAcknowledge(StreamView):
    required_permission = Permission.EDIT_CAMPAIGNS

    @operation("Acknowledge an alert", result=AlertSerializer)
    def post(self, stream_id: int, alert_id: int) -> object:
        """Somebody looks after it; from now on the same may alert again."""
        alerts = alerts_of(self.stream(stream_id)).select_related("stream__project")
        alert = get_or_missing(alerts, pk=alert_id)
        self.body()
        acknowledge(alert=alert, by=self.person)
        return get_or_missing(alerts, pk=alert_id)


class StreamProposals(StreamView):
    @operation("List a stream's retrain proposals", result=ProposalSerializer, paged=True)
    def get(self, stream_id: int) -> object:
        """Newest first; a person decides on each, on its page."""
        return self.page(proposals_of(self.stream(stream_id)))
