"""Where OpenTelemetry's exporters send spans."""

from collections.abc import Mapping
from typing import IO, Any

from django.http import HttpRequest, HttpResponse
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from rest_framework import serializers
from rest_framework.parsers import BaseParser
from rest_framework.response import Response

from evalapp.accounts.access import membership_for
from evalapp.accounts.models import ApiToken
from evalapp.accounts.permissions import Permission
from evalapp.api.fields import Body, Fields, List
from evalapp.api.operations import ApiView, operation, route
from evalapp.api.throttling import EventsThrottle
from evalapp.core.errors import InvalidError, TooLargeError
from evalapp.core.http import get_or_missing, number_of
from evalapp.monitoring.models import Stream
from evalapp.monitoring.otlp.refused import note_refused_spans
from evalapp.monitoring.otlp.requests import (
    JSON,
    PROTOBUF,
    answer_of,
    read_otlp_json,
    read_protobuf,
    status_of,
    unpacked,
)
from evalapp.monitoring.otlp.taking import take_spans
from evalapp.monitoring.stream_tokens import scope_of, stream_of

STREAM_HEADER = "evalapp-stream"
MOST_BYTES = 32 * 2**20
_STREAM_HEADER_HINT = (
    f"Send the header “{STREAM_HEADER}: project/stream”, as in the stream's address: “claims-letters/3”."
)


class _OtlpParser(BaseParser):
    """An ExportTraceServiceRequest of at most MOST_BYTES, both packed and unpacked."""

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> ExportTraceServiceRequest:
        content = stream.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise TooLargeError(
                f"The body is larger than {MOST_BYTES:,} bytes. Split it into smaller requests."
            )
        request = (parser_context or {})["request"]
        content = unpacked(content, request.headers.get("Content-Encoding", ""), MOST_BYTES)
        return read_protobuf(content) if self.media_type == PROTOBUF else read_otlp_json(content)


class _ProtobufParser(_OtlpParser):
    media_type = PROTOBUF


class _OtlpJSONParser(_OtlpParser):
    media_type = JSON


class TracesBody(Body):
    resourceSpans = List(  # noqa: N815 - the protocol's name
        child=Fields(), required=False, help_text="ResourceSpans of OTLP, in JSON or in protobuf."
    )


class PartialSuccessSerializer(serializers.Serializer[Any]):
    rejectedSpans = serializers.CharField(  # noqa: N815
        required=False, help_text="Number of spans of model calls that became no event."
    )
    errorMessage = serializers.CharField(required=False, help_text="The reasons.")  # noqa: N815


class TracesSerializer(serializers.Serializer[Any]):
    partialSuccess = PartialSuccessSerializer(  # noqa: N815
        required=False, help_text="Set if some spans were not stored."
    )


@route("otlp/v1/traces", "api_otlp_traces")
class OtlpTraces(ApiView):
    # Larger bodies are taken from who may feed the stream that the header names.
    post_permission = Permission.EDIT_DATA
    throttle_classes = [EventsThrottle]
    most_body_bytes = MOST_BYTES

    def get_parsers(self) -> list[BaseParser]:
        return [_ProtobufParser(), _OtlpJSONParser()]

    @staticmethod
    def project_of(request: HttpRequest) -> str:
        """The slug in the request's header, or ""."""
        return request.headers.get(STREAM_HEADER, "").strip().partition("/")[0]

    @operation("Send OpenTelemetry spans", body=TracesBody, result=TracesSerializer)
    def post(self) -> object:
        """OTLP over HTTP, as protobuf or JSON, also with gzip. Model calls (`gen_ai.*`) become events of the
        stream that the header `evalapp-stream` names as “project/stream”, or that the token is bound to;
        other spans are ignored. The answer is in OTLP's format and in the encoding of the request.
        """
        stream = self._stream()
        request = self.request.data
        if not isinstance(request, ExportTraceServiceRequest):
            request = ExportTraceServiceRequest()
        taken = take_spans(stream=stream, request=request)
        if taken.rejected:
            note_refused_spans(stream, taken.rejected, taken.message)
        answer = answer_of(taken.rejected, taken.message)
        if self._is_protobuf():
            return HttpResponse(answer.SerializeToString(), content_type=PROTOBUF)
        return Response(MessageToDict(answer))

    def handle_exception(self, exc: Exception) -> Any:
        """An error in OTLP's format: a Status, in JSON beside the error object of all operations."""
        problem: Any = super().handle_exception(exc)
        message = problem.data["error"]["message"]
        if not self._is_protobuf():
            problem.data["message"] = message
            return problem
        answer = HttpResponse(status_of(message), content_type=PROTOBUF, status=problem.status_code)
        for name in ("WWW-Authenticate", "Retry-After"):
            if name in problem:
                answer[name] = problem[name]
        return answer

    def _is_protobuf(self) -> bool:
        return (self.request.content_type or "").partition(";")[0].strip().lower() == PROTOBUF

    def token_scope(self, token: ApiToken) -> str:
        given = self.request.headers.get(STREAM_HEADER, "")
        return scope_of(number_of(given.strip().partition("/")[2])) if given else token.scope

    def _stream(self) -> Stream:
        given = self.request.headers.get(STREAM_HEADER, "")
        token = self.request.auth
        own = stream_of(token) if isinstance(token, ApiToken) else None
        if not given and own is not None:
            stream = get_or_missing(Stream.objects.select_related("project"), pk=own)
            membership_for(self.person, stream.project.slug, Permission.EDIT_DATA)
            return stream
        slug, _, number = given.strip().partition("/")
        stream_id = number_of(number)
        if not slug or stream_id is None:
            told = (
                f"“{given[:80]}” is not the name of a stream."
                if given
                else "The request does not name a stream."
            )
            raise InvalidError(f"{told} {_STREAM_HEADER_HINT}", field=STREAM_HEADER)
        membership = membership_for(self.person, slug, Permission.EDIT_DATA)
        streams = Stream.objects.filter(project=membership.project).select_related("project")
        return get_or_missing(streams, pk=stream_id)
