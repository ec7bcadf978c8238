"""Spans of model calls as an application's instrumentation makes them, by the real SDK."""

import json
from collections.abc import Sequence
from typing import Any

from google.protobuf.json_format import MessageToDict
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter


class Instrumented:
    """An application with instrumentation; ``spans`` are those that ended."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider(resource=Resource.create({"service.name": "claims-chat"}))
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracer = provider.get_tracer("an instrumentation")

    @property
    def spans(self) -> Sequence[ReadableSpan]:
        return self._exporter.get_finished_spans()

    def call(self, inputs: Any, outputs: Any, **more: Any) -> None:
        """A model call that has ended."""
        with self.tracer.start_as_current_span(
            "chat claims-v3", attributes=attributes_of(inputs, outputs, **more)
        ):
            pass

    def request(self) -> ExportTraceServiceRequest:
        return ExportTraceServiceRequest.FromString(encode_spans(self.spans).SerializeToString())


def text_message(role: str, text: str, **more: Any) -> dict[str, Any]:
    return {"role": role, "parts": [{"type": "text", "content": text}], **more}


def answer(text: str) -> dict[str, Any]:
    return text_message("assistant", text, finish_reason="stop")


def attributes_of(inputs: Any, outputs: Any, **more: Any) -> dict[str, Any]:
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "vllm",
        "gen_ai.request.model": "claims",
        "gen_ai.response.model": "claims-v3",
        "gen_ai.usage.input_tokens": 12,
        "gen_ai.usage.output_tokens": 5,
        "gen_ai.input.messages": json.dumps(inputs),
        "gen_ai.output.messages": json.dumps(outputs),
        **more,
    }


def as_json(request: ExportTraceServiceRequest) -> dict[str, Any]:
    """The request in OTLP's JSON, where ids are hexadecimal and kinds are numbers."""
    told = MessageToDict(request, use_integers_for_enums=True)
    spans = [
        span for resource in request.resource_spans for scope in resource.scope_spans for span in scope.spans
    ]
    written = [
        span
        for resource in told["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]
    for span, own in zip(spans, written, strict=True):
        own |= {"traceId": span.trace_id.hex(), "spanId": span.span_id.hex()}
        if span.parent_span_id:
            own["parentSpanId"] = span.parent_span_id.hex()
    return dict(told)
