"""LangSmith's exports: one run per row. Pure."""

from collections.abc import Mapping
from typing import Any

from evalapp.conversations.formats.otel import value_of
from evalapp.monitoring.trace_files.messages import input_messages, output_message, with_messages
from evalapp.monitoring.trace_files.rows import first, numbers, row, seconds_between, short_fields

_CALL = "llm"


def recognises(fields: Mapping[str, Any]) -> bool:
    return "run_type" in fields and "inputs" in fields and "outputs" in fields and "id" in fields


def read(fields: Mapping[str, Any]) -> dict[str, Any] | None:
    """The event of a model's run that has an output."""
    output = output_message(fields.get("outputs"))
    if fields.get("run_type") != _CALL or output is None:
        return None
    extra = _object(fields.get("extra"))
    metadata, invocation = _object(extra.get("metadata")), _object(extra.get("invocation_params"))
    start, end = fields.get("start_time"), fields.get("end_time")
    return row(
        fields["id"],
        with_messages(input_messages(fields.get("inputs")), output, invocation.get("tools")),
        time=end or start,
        model=first(metadata, "ls_model_name") or first(invocation, "model", "model_name"),
        fields=short_fields(
            {name: value for name, value in metadata.items() if not name.startswith("ls_")},
            name=fields.get("name"),
            trace=fields.get("trace_id"),
        ),
        assessments=numbers(
            latency_seconds=seconds_between(start, end),
            input_tokens=fields.get("prompt_tokens"),
            output_tokens=fields.get("completion_tokens"),
            cost=fields.get("total_cost"),
        ),
    )


def _object(value: Any) -> dict[str, Any]:
    found = value_of(value)
    return found if isinstance(found, dict) else {}
