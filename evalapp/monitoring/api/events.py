"""What an application sends: events as it runs, and assessments whenever they come."""

from collections.abc import Sequence
from typing import Any

from rest_framework import serializers

from evalapp.accounts.models import ApiToken
from evalapp.accounts.permissions import Permission
from evalapp.api.fields import Body, Fields, List
from evalapp.api.operations import operation, route
from evalapp.api.throttling import EventsThrottle
from evalapp.core.errors import ConflictError, InvalidError
from evalapp.datasets.rows import LONGEST_TEXT
from evalapp.imports.problems import FieldProblem
from evalapp.monitoring.api.streams import StreamView
from evalapp.monitoring.events.assessments import take_assessments
from evalapp.monitoring.events.reading import events_of_request
from evalapp.monitoring.events.storage import take_events
from evalapp.monitoring.locks import stream_of
from evalapp.monitoring.models import Stream
from evalapp.monitoring.stream_tokens import scope_of
from evalapp.runs.generation.answers import LONGEST_ANSWER

MOST_IN_A_REQUEST = 5_000
MOST_BYTES = 32 * 2**20


class EventsBody(Body):
    events = List(
        child=Fields(),
        min_length=1,
        max_length=MOST_IN_A_REQUEST,
        help_text=(
            "Objects with “id”, “prompt” (or “messages”) and “output”; “context”, “model”, “time”, “fields” "
            "by which a sample can be stratified, and “assessments”, values by name. An output has at most"
            f" {LONGEST_ANSWER:,} characters, a message or context {LONGEST_TEXT:,}."
        ),
    )


class AssessmentsBody(Body):
    assessments = List(
        child=Fields(),
        min_length=1,
        max_length=MOST_IN_A_REQUEST,
        help_text=(
            "Objects with “event” (its id), “name” and “value” (a number, true, false or a text); “time” and "
            "“source”. With its time, the same can be sent again."
        ),
    )


class RefusedSerializer(serializers.Serializer[Any]):
    number = serializers.IntegerField(help_text="Its place in the request, from 1.")
    id = serializers.CharField(source="external_id", help_text="As far as it has one.")
    problems = serializers.ListField(child=serializers.CharField())
    hashes = serializers.ListField(
        child=serializers.CharField(),
        allow_null=True,
        help_text="Where the id is another event's: SHA-256 of what is stored, and of what was sent.",
    )


class TakenEventsSerializer(serializers.Serializer[Any]):
    stored = serializers.IntegerField(help_text="New.")
    known = serializers.IntegerField(help_text="Here already with the same content.")
    not_reviewed = serializers.IntegerField(
        help_text=(
            "Stored events before the first week or in a week that is already sampled; they will not be"
            " reviewed."
        )
    )
    refused = RefusedSerializer(many=True)


class RefusedAssessmentSerializer(serializers.Serializer[Any]):
    number = serializers.IntegerField(help_text="Its place in the request, from 1.")
    problems = serializers.ListField(child=serializers.CharField())


class TakenAssessmentsSerializer(serializers.Serializer[Any]):
    stored = serializers.IntegerField(help_text="New.")
    known = serializers.IntegerField(help_text="Here already.")
    waiting = serializers.IntegerField(help_text="Of events that have not come; kept for a day.")
    refused = RefusedAssessmentSerializer(many=True)


class FedView(StreamView):
    required_permission = Permission.EDIT_DATA
    throttle_classes = [EventsThrottle]
    most_body_bytes = MOST_BYTES

    def token_scope(self, token: ApiToken) -> str:
        return scope_of(self.kwargs["stream_id"])

    def stream(self, stream_id: int) -> Stream:
        return stream_of(self.project, stream_id)


@route("streams/<int:stream_id>/events/", "api_stream_events")
class StreamEvents(FedView):
    @operation("Send events", body=EventsBody, result=TakenEventsSerializer, status=201)
    def post(self, stream_id: int) -> object:
        """Sound events are stored, the others are told in ``refused``. An event whose id is here with the
        same content is known, so a request can be repeated; with other content it is refused (409 where it is
        the only one), and what is stored stays.
        """
        stream = self.stream(stream_id)
        rows = self.body()["events"]
        taken = take_events(stream=stream, rows=events_of_request(rows))
        if len(rows) == 1 and taken.refused:
            raise _error_of("events", taken.refused[0].problems, taken.refused[0].hashes)
        return taken


@route("streams/<int:stream_id>/assessments/", "api_stream_assessments")
class StreamAssessments(FedView):
    @operation("Send assessments", body=AssessmentsBody, result=TakenAssessmentsSerializer, status=201)
    def post(self, stream_id: int) -> object:
        """What was learned of events: a thumb, an edit, a latency, a cost, a label. They are added, never
        changed. One of an event that has not come waits a day for it. Sound ones are stored, the others are
        listed in ``refused``; a request with a single, faulty one gets 400.
        """
        stream = self.stream(stream_id)
        rows = self.body()["assessments"]
        taken = take_assessments(stream=stream, rows=rows)
        if len(rows) == 1 and taken.refused:
            raise _error_of("assessments", taken.refused[0].problems)
        return taken


def _error_of(
    what: str, problems: Sequence[FieldProblem], hashes: tuple[str, str] | None = None
) -> ConflictError | InvalidError:
    """Why the only one of a request is refused."""
    fields: dict[str, list[str]] = {}
    for each in problems:
        fields.setdefault(f"{what}.0.{each.field}", []).append(f"{each.problem} {each.fix}".strip())
    if hashes is None:
        return InvalidError(str(problems[0]), fields=fields)
    stored, sent = hashes
    return ConflictError(f"{problems[0].problem} Stored: {stored}. Sent: {sent}.", fields=fields)
