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
from evalapp.monitoring.events.assessments import store_new_assessments
from evalapp.monitoring.events.reading import events_of_request
from evalapp.monitoring.events.storage import store_new_events
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
            "Each event needs “id”, “prompt” (or “messages”) and “output”. Optional: “context”, “model”, "
            "“time”, “fields” to stratify samples by, and “assessments” (values by name). An output has "
            f"at most {LONGEST_ANSWER:,} characters, a message or context {LONGEST_TEXT:,}."
        ),
    )


class AssessmentsBody(Body):
    assessments = List(
        child=Fields(),
        min_length=1,
        max_length=MOST_IN_A_REQUEST,
        help_text=(
            "Each assessment needs “event” (the event's id), “name” and “value” (a number, true, false "
            "or a text). Optional: “time” and “source”. An assessment with its time can be sent again "
            "without being stored twice."
        ),
    )


class RefusedSerializer(serializers.Serializer[Any]):
    number = serializers.IntegerField(help_text="Position in the request, counted from 1.")
    id = serializers.CharField(source="external_id", help_text="The event's id, if it has one.")
    problems = serializers.ListField(child=serializers.CharField())
    hashes = serializers.ListField(
        child=serializers.CharField(),
        allow_null=True,
        help_text="If another event has the same id: SHA-256 of the stored event, and of the event sent.",
    )


class TakenEventsSerializer(serializers.Serializer[Any]):
    stored = serializers.IntegerField(help_text="New.")
    known = serializers.IntegerField(
        help_text="Number of events that were already stored with the same content."
    )
    not_reviewed = serializers.IntegerField(
        help_text=(
            "Number of stored events that will not be reviewed, because they are from before the first "
            "week or too late to be sampled."
        )
    )
    refused = RefusedSerializer(many=True)


class RefusedAssessmentSerializer(serializers.Serializer[Any]):
    number = serializers.IntegerField(help_text="Position in the request, counted from 1.")
    problems = serializers.ListField(child=serializers.CharField())


class TakenAssessmentsSerializer(serializers.Serializer[Any]):
    stored = serializers.IntegerField(help_text="New.")
    known = serializers.IntegerField(help_text="Number of assessments that were already stored.")
    waiting = serializers.IntegerField(
        help_text="Number of assessments whose event has not arrived; they are kept for a day."
    )
    refused = RefusedAssessmentSerializer(many=True)


class StreamInputView(StreamView):
    required_permission = Permission.EDIT_DATA
    throttle_classes = [EventsThrottle]
    most_body_bytes = MOST_BYTES

    def token_scope(self, token: ApiToken) -> str:
        return scope_of(self.kwargs["stream_id"])

    def stream(self, stream_id: int) -> Stream:
        return stream_of(self.project, stream_id)


@route("streams/<int:stream_id>/events/", "api_stream_events")
class StreamEvents(StreamInputView):
    @operation("Send events", body=EventsBody, result=TakenEventsSerializer, status=201)
    def post(self, stream_id: int) -> object:
        """Valid events are stored; ``refused`` lists the others with their problems. An event that is already
        stored with the same content counts as known, so a request can be repeated. An event with a stored id
        but other content is refused and changes nothing; 409 if it is the only event of the request.
        """
        stream = self.stream(stream_id)
        rows = self.body()["events"]
        taken = store_new_events(stream=stream, rows=events_of_request(rows))
        if len(rows) == 1 and taken.refused:
            raise _refusal_error("events", taken.refused[0].problems, taken.refused[0].hashes)
        return taken


@route("streams/<int:stream_id>/assessments/", "api_stream_assessments")
class StreamAssessments(StreamInputView):
    @operation("Send assessments", body=AssessmentsBody, result=TakenAssessmentsSerializer, status=201)
    def post(self, stream_id: int) -> object:
        """Stores feedback on events: a thumb, an edit, a latency, a cost, a label. Assessments are added,
        never changed. An assessment waits a day if its event has not arrived yet. Valid ones are stored;
        ``refused`` lists the others. 400 if a request has a single assessment and it is invalid.
        """
        stream = self.stream(stream_id)
        rows = self.body()["assessments"]
        taken = store_new_assessments(stream=stream, rows=rows)
        if len(rows) == 1 and taken.refused:
            raise _refusal_error("assessments", taken.refused[0].problems)
        return taken


def _refusal_error(
    what: str, problems: Sequence[FieldProblem], hashes: tuple[str, str] | None = None
) -> ConflictError | InvalidError:
    """The error for a request whose only event or assessment is refused."""
    fields: dict[str, list[str]] = {}
    for each in problems:
        fields.setdefault(f"{what}.0.{each.field}", []).append(f"{each.problem} {each.fix}".strip())
    if hashes is None:
        return InvalidError(str(problems[0]), fields=fields)
    stored, sent = hashes
    return ConflictError(f"{problems[0].problem} Stored: {stored}. Sent: {sent}.", fields=fields)
