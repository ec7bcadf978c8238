"""Bodies of OTLP over HTTP, in both encodings, and replies in the same encoding. Pure."""

import base64
import binascii
import zlib
from typing import Any

from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message import DecodeError
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from evalapp.core.errors import InvalidError, TooLargeError
from evalapp.core.strict_json import read_json

PROTOBUF = "application/x-protobuf"
JSON = "application/json"
_GZIP = 16 + zlib.MAX_WBITS
# Nanoseconds since 1970, which some senders write as numbers instead of texts.
_MOST_DIGITS = 20
_CODE = "invalid_otlp"


def unpacked(content: bytes, encoding: str, most: int) -> bytes:
    """The unpacked body of a request. ``encoding``: its Content-Encoding. Raises TooLargeError beyond
    ``most`` unpacked bytes, and InvalidError for a body that cannot be unpacked.
    """
    if encoding.strip().lower() in ("", "identity"):
        return content
    if encoding.strip().lower() != "gzip":
        raise InvalidError(
            f"The body is packed as “{encoding[:40]}”. Send it as gzip, or as it is.", code=_CODE
        )
    unpacker = zlib.decompressobj(_GZIP)
    try:
        found = unpacker.decompress(content, most + 1)
    except zlib.error as error:
        raise InvalidError("The body is not gzip. Send what its header says.", code=_CODE) from error
    if len(found) > most:
        raise TooLargeError(f"The body is larger than {most:,} bytes once it is unpacked. Send less at once.")
    if not unpacker.eof:
        raise InvalidError("The gzip of the body ends too early. Send all of it.", code=_CODE)
    return found


def read_protobuf(content: bytes) -> ExportTraceServiceRequest:
    """The request from protobuf. Raises InvalidError for bytes that are not such a request."""
    try:
        request = ExportTraceServiceRequest()
        request.ParseFromString(content)
    except DecodeError as error:
        raise InvalidError(
            "The body is not a protobuf ExportTraceServiceRequest. Send it with an OTLP exporter.",
            code=_CODE,
        ) from error
    return request


def read_otlp_json(content: bytes) -> ExportTraceServiceRequest:
    """The request from OTLP's JSON: names in lowerCamelCase, ids of traces and spans in hexadecimal; unknown
    names are ignored. Raises InvalidError.
    """
    value = read_json(content, any_text=True, most_digits=_MOST_DIGITS)
    if not isinstance(value, dict):
        raise InvalidError("The body must be an object with “resourceSpans”.", code=_CODE)
    try:
        _ids_as_base64(value)
        request = ExportTraceServiceRequest()
        ParseDict(value, request, ignore_unknown_fields=True)
    # The library does not catch some Python errors for values of another type than the field's.
    except (ParseError, ValueError, TypeError, AttributeError, OverflowError) as error:
        raise InvalidError(f"The body is not OTLP/JSON: {str(error)[:200]}", code=_CODE) from error
    return request


def _ids_as_base64(value: Any) -> None:
    """Convert ids in place to base64, which protobuf's JSON uses for bytes."""
    for resource in _objects(value, "resourceSpans", "resource_spans"):
        for scope in _objects(resource, "scopeSpans", "scope_spans"):
            for span in _objects(scope, "spans"):
                _encode(span)
                for link in _objects(span, "links"):
                    _encode(link)


def _objects(value: dict[str, Any], *names: str) -> list[dict[str, Any]]:
    found = next((value[name] for name in names if name in value), None)
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _encode(value: dict[str, Any]) -> None:
    for name in ("traceId", "spanId", "parentSpanId", "trace_id", "span_id", "parent_span_id"):
        text = value.get(name)
        if isinstance(text, str):
            try:
                value[name] = base64.b64encode(binascii.unhexlify(text)).decode()
            except ValueError as error:
                raise InvalidError(f"“{text[:40]}” is not a {name} in hexadecimal.", code=_CODE) from error


def answer_of(rejected: int, message: str) -> ExportTraceServiceResponse:
    """The reply; it has ``partial_success`` only if there is something to report."""
    answer = ExportTraceServiceResponse()
    if rejected or message:
        partial_success = ExportTracePartialSuccess(rejected_spans=rejected, error_message=message)
        answer.partial_success.CopyFrom(partial_success)
    return answer


def status_of(message: str) -> bytes:
    """The protobuf reply to a failed request."""
    return bytes(Status(message=message).SerializeToString())
