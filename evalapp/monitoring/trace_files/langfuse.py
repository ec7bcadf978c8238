"""Langfuse's exports: one observation or trace per row, with the names of its API or storage. Pure."""

from collections.abc import Mapping
from typing import Any

from evalapp.conversations.formats.otel import value_of
from evalapp.monitoring.trace_files.messages import input_messages, output_message, with_messages
from evalapp.monitoring.trace_files.rows import first, numbers, row, seconds_between, short_fields

_GENERATION = "GENERATION"
_KINDS = frozenset(
    {
        _GENERATION,
        "SPAN",
        "EVENT",
        "AGENT",
        "TOOL",
        "CHAIN",
        "RETRIEVER",
        "EVALUATOR",
        "EMBEDDING",
        "GUARDRAIL",
    }
)
_TRACE_FIELDS = ("sessionId", "session_id", "userId", "user_id", "htmlPath", "observations", "bookmarked")


def recognises(fields: Mapping[str, Any]) -> bool:
    """Whether the row is an observation of a known type with its trace, or a trace."""
    if "id" not in fields or "input" not in fields or "output" not in fields:
        return False
    kind = fields.get("type")
    if isinstance(kind, str) and kind in _KINDS:
        return bool(first(fields, "traceId", "trace_id")) and "messages" not in fields
    return "timestamp" in fields and "type" not in fields and not fields.keys().isdisjoint(_TRACE_FIELDS)


def read(fields: Mapping[str, Any]) -> dict[str, Any] | None:
    """The event of a generation, or of a trace that was exported without its observations."""
    if "type" in fields and fields["type"] != _GENERATION:
        return None
    output = output_message(fields.get("output"))
    if output is None:
        return None
    start, end = first(fields, "startTime", "start_time", "timestamp"), first(fields, "endTime", "end_time")
    usage = value_of(first(fields, "usageDetails", "usage_details", "usage"))
    usage = usage if isinstance(usage, dict) else {}
    cost = value_of(first(fields, "costDetails", "cost_details"))
    given = value_of(fields.get("input"))
    inside = given if isinstance(given, dict) else {}
    latency = seconds_between(start, end)
    return row(
        fields["id"],
        with_messages(input_messages(given), output, inside.get("tools")),
        time=end or start,
        model=first(fields, "model", "providedModelName", "provided_model_name"),
        fields=short_fields(
            value_of(fields.get("metadata")),
            name=fields.get("name"),
            environment=fields.get("environment"),
            trace=first(fields, "traceId", "trace_id"),
            session=first(fields, "sessionId", "session_id"),
        ),
        assessments=numbers(
            latency_seconds=fields.get("latency") if latency is None else latency,
            input_tokens=usage.get("input", fields.get("promptTokens")),
            output_tokens=usage.get("output", fields.get("completionTokens")),
            cost=cost.get("total") if isinstance(cost, dict) else first(fields, "totalCost", "total_cost"),
        ),
    )
