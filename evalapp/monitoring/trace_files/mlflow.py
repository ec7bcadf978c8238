"""MLflow's traces: one trace with all of its spans per row, as `Trace.to_json` writes it. Pure."""

import json
from collections.abc import Mapping
from typing import Any

from evalapp.conversations.formats.otel import value_of
from evalapp.monitoring.trace_files.messages import input_messages, output_message, with_messages
from evalapp.monitoring.trace_files.rows import first, numbers, row, short_fields

_CALLS = ("CHAT_MODEL", "LLM")
_NANOSECONDS = 1e9


def recognises(fields: Mapping[str, Any]) -> bool:
    info, data = fields.get("info"), fields.get("data")
    if not isinstance(info, dict) or not isinstance(data, dict):
        return False
    return isinstance(data.get("spans"), list) and bool(first(info, "trace_id", "request_id"))


def read(fields: Mapping[str, Any]) -> dict[str, Any] | None:
    """The event of the trace's last model call, which users got."""
    info = fields["info"]
    calls = [each for each in fields["data"]["spans"] if isinstance(each, dict) and _is_call(each)]
    if not calls:
        return None
    span = max(calls, key=_ended)
    attributes = _attributes(span)
    given = attributes.get("mlflow.spanInputs")
    inside = given if isinstance(given, dict) else {}
    answered = attributes.get("mlflow.spanOutputs")
    output = output_message(answered)
    if output is None:
        return None
    usage = attributes.get("mlflow.chat.tokenUsage")
    usage = usage if isinstance(usage, dict) else {}
    fields = answered if isinstance(answered, dict) else {}
    start, end = _nanoseconds(span, "start"), _ended(span)
    return row(
        first(info, "trace_id", "request_id"),
        with_messages(input_messages(given), output, inside.get("tools")),
        time=end or first(info, "request_time", "timestamp_ms"),
        model=first(attributes, "mlflow.llm.model") or first(fields, "model") or first(inside, "model"),
        fields=short_fields(
            {name: each for name, each in (info.get("tags") or {}).items() if not name.startswith("mlflow.")}
            if isinstance(info.get("tags"), dict)
            else {},
            name=span.get("name"),
        ),
        assessments=numbers(
            latency_seconds=(end - start) / _NANOSECONDS if 0 < start <= end else None,
            input_tokens=usage.get("input_tokens"),
            output_tokens=usage.get("output_tokens"),
        ),
    )


def _attributes(span: Mapping[str, Any]) -> dict[str, Any]:
    """The span's attributes, each of which is JSON text."""
    given = span.get("attributes")
    return {name: _value(each) for name, each in given.items()} if isinstance(given, dict) else {}


def _value(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value_of(value)


def _is_call(span: Mapping[str, Any]) -> bool:
    kind = _attributes(span).get("mlflow.spanType", span.get("span_type"))
    return isinstance(kind, str) and kind in _CALLS


def _nanoseconds(span: Mapping[str, Any], which: str) -> int:
    found = first(span, f"{which}_time_unix_nano", f"{which}_time")
    if isinstance(found, str) and found.isdecimal() and found.isascii() and len(found) < 20:
        return int(found)
    return found if isinstance(found, int) and not isinstance(found, bool) else 0


def _ended(span: Mapping[str, Any]) -> int:
    return _nanoseconds(span, "end")
