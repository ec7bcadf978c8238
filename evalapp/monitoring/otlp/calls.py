"""Extracts model calls from spans: input, output, model and duration. Pure."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from evalapp.conversations.formats import otel
from evalapp.monitoring.otlp.earlier_events import earlier_messages

_DETAILS = "gen_ai.client.inference.operation.details"
_OPERATION = "gen_ai.operation.name"
_CALLS = frozenset({"chat", "text_completion", "generate_content"})
_OTHER_WORK = frozenset(
    {"embeddings", "create_agent", "invoke_agent", "invoke_workflow", "execute_tool", "retrieval", "plan"}
)
_MODELS = ("gen_ai.response.model", "gen_ai.request.model")
_TOKENS = {
    "input_tokens": ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"),
    "output_tokens": ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"),
}
_FIRST_CHUNK = "gen_ai.response.time_to_first_chunk"
_CONVERSATION = "gen_ai.conversation.id"
_KEPT_ATTRIBUTES = (_CONVERSATION, "gen_ai.agent.name", "gen_ai.provider.name", "gen_ai.prompt.name")
_SERVICE_ATTRIBUTES = ("service.name", "service.version", "deployment.environment.name")
_LONGEST_FIELD = 200
_MOST_FIELDS = 50
_NANOSECONDS = 1_000_000_000
_DEEPEST = 60


@dataclass(frozen=True, slots=True)
class ModelCall:
    """``messages`` use the names of `evalapp.conversations.formats.otel`. ``started_at`` and ``ended_at`` in
    nanoseconds since 1970; ``fields``: values that a sample can be stratified by.
    """

    trace: str
    span: str
    conversation_id: str
    started_at: int
    ended_at: int
    model: str
    messages: dict[str, Any]
    fields: dict[str, Any]
    assessments: dict[str, float]

    @property
    def external_id(self) -> str:
        return f"{self.trace}-{self.span}"


@dataclass
class FoundCalls:
    """``empty``: ids of model calls without messages. ``others``: number of other spans."""

    calls: list[ModelCall] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)
    nameless: int = 0
    others: int = 0


@dataclass(frozen=True, slots=True)
class _Retrieval:
    trace: str
    ended_at: int
    documents: list[Any]


def calls_in(request: ExportTraceServiceRequest) -> FoundCalls:
    """The model calls of a request. A call also gets the results of earlier retrievals in its trace."""
    found = FoundCalls()
    retrievals = []
    for service, span in _spans(request):
        attributes = _attributes(span.attributes)
        documents = _list_of(attributes.get(otel.DOCUMENTS))
        operation = str(attributes.get(_OPERATION, ""))
        messages = _messages(attributes, span)
        has_content = otel.INPUT in messages and otel.OUTPUT in messages
        if operation not in _CALLS and (operation in _OTHER_WORK or not has_content):
            found.others += 1
            if documents:
                retrievals.append(_Retrieval(span.trace_id.hex(), span.end_time_unix_nano, documents))
        elif not (span.trace_id and span.span_id):
            found.nameless += 1
        elif not has_content:
            found.empty.append(f"{span.trace_id.hex()}-{span.span_id.hex()}")
        else:
            found.calls.append(_call(span, attributes, service, messages))
    for call in found.calls:
        if otel.DOCUMENTS not in call.messages and (
            documents := _documents_retrieved_before(call, retrievals)
        ):
            call.messages[otel.DOCUMENTS] = documents
    return found


def _spans(request: ExportTraceServiceRequest) -> Iterator[tuple[dict[str, Any], Span]]:
    for resource in request.resource_spans:
        told = _attributes(resource.resource.attributes)
        service = {name: told[name] for name in _SERVICE_ATTRIBUTES if name in told}
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield service, span


def _call(
    span: Span, attributes: Mapping[str, Any], service: Mapping[str, Any], messages: dict[str, Any]
) -> ModelCall:
    identity = attributes.get(_CONVERSATION)
    return ModelCall(
        trace=span.trace_id.hex(),
        span=span.span_id.hex(),
        conversation_id=identity if isinstance(identity, str) else "",
        started_at=span.start_time_unix_nano,
        ended_at=span.end_time_unix_nano,
        model=next((each for name in _MODELS if isinstance(each := attributes.get(name), str)), ""),
        messages=messages,
        fields=_fields({**service, **attributes}),
        assessments=_assessments(span, attributes),
    )


def _fields(attributes: Mapping[str, Any]) -> dict[str, Any]:
    kept = {
        name: value
        for name, value in attributes.items()
        if name.strip() and len(name) <= _LONGEST_FIELD and _is_short(value)
        if name in _KEPT_ATTRIBUTES or not name.startswith("gen_ai.")
    }
    return dict(sorted(kept.items())[:_MOST_FIELDS])


def _is_short(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, str):
        return len(value) <= _LONGEST_FIELD and "\x00" not in value
    return isinstance(value, bool) or (isinstance(value, int) and abs(value) < 2**63)


def _assessments(span: Span, attributes: Mapping[str, Any]) -> dict[str, float]:
    told: dict[str, float] = {}
    if 0 < span.start_time_unix_nano <= span.end_time_unix_nano:
        told["latency_seconds"] = (span.end_time_unix_nano - span.start_time_unix_nano) / _NANOSECONDS
    for name, given in (*_TOKENS.items(), ("first_chunk_seconds", (_FIRST_CHUNK,))):
        number = next((attributes[each] for each in given if each in attributes), None)
        if isinstance(number, int | float) and not isinstance(number, bool) and math.isfinite(number):
            told[name] = number
    return told


def _messages(attributes: Mapping[str, Any], span: Span) -> dict[str, Any]:
    """The span's messages: from its attributes, or from an event by the current or an earlier convention."""
    details = [_attributes(each.attributes) for each in span.events if each.name == _DETAILS]
    found: dict[str, Any] = {}
    for told in (attributes, *details):
        for name in otel.FIELDS:
            if name not in found and (value := otel.value_of(told.get(name))):
                found[name] = value
    if otel.INPUT not in found and otel.OUTPUT not in found:
        events = [(each.name, _attributes(each.attributes)) for each in span.events]
        found |= earlier_messages(attributes, events)
    return found


def _list_of(value: Any) -> list[Any]:
    found = otel.value_of(value)
    return found if isinstance(found, list) else []


def _documents_retrieved_before(call: ModelCall, retrievals: list[_Retrieval]) -> list[Any]:
    return [
        document
        for each in retrievals
        if each.trace == call.trace and each.ended_at <= call.started_at
        for document in each.documents
    ]


def _attributes(attributes: Any) -> dict[str, Any]:
    return {each.key: attribute_value(each.value) for each in attributes}


def attribute_value(value: AnyValue, depth: int = 0) -> Any:
    """An attribute's value for JSON; bytes become hexadecimal, and a value nested too deeply becomes None."""
    kind = value.WhichOneof("value")
    if kind is None or depth > _DEEPEST:
        return None
    if kind == "array_value":
        return [attribute_value(each, depth + 1) for each in value.array_value.values]
    if kind == "kvlist_value":
        pairs: list[KeyValue] = list(value.kvlist_value.values)
        return {each.key: attribute_value(each.value, depth + 1) for each in pairs}
    found = getattr(value, kind)
    return found.hex() if isinstance(found, bytes) else found
