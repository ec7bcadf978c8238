"""What tracing tools export is imported as it is: model calls are events, all else is passed over.

The samples are made from the tools' public schemas; none was exported by a tool.
"""

import io
import json
from typing import Any

import pytest

from evalapp.accounts.models import Project, User
from evalapp.imports.problems import ImportProblemsError
from evalapp.monitoring.events.models import Assessment, ProductionEvent
from evalapp.monitoring.events.reading import events_of_file
from evalapp.monitoring.events.storage import TakenEvents, import_events
from evalapp.monitoring.models import Stream
from tests.monitoring.making import make_stream

pytestmark = pytest.mark.django_db

CALLS = [{"id": "1", "type": "function", "function": {"name": "policy", "arguments": '{"number": 17}'}}]
ASKED = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "May I switch funds?"},
]
WITH_TOOLS = [
    *ASKED,
    {"role": "assistant", "content": None, "tool_calls": CALLS},
    {"role": "tool", "tool_call_id": "1", "content": "Policy 17 is open."},
]

# An observation of Langfuse's API (camelCase), as its page exports it.
LANGFUSE = {
    "id": "obs-1",
    "traceId": "trace-1",
    "type": "GENERATION",
    "name": "answer",
    "startTime": "2026-01-31T14:05:00.000Z",
    "endTime": "2026-01-31T14:05:00.800Z",
    "model": "claims-v3",
    "modelParameters": {"temperature": 0},
    "input": WITH_TOOLS,
    "output": {"role": "assistant", "content": "Yes."},
    "metadata": {"topic": "funds", "attributes": {"deep": 1}},
    "usageDetails": {"input": 12, "output": 5, "total": 17},
    "costDetails": {"total": 0.002},
    "parentObservationId": "obs-0",
    "level": "DEFAULT",
    "environment": "production",
}
# The same from its export into a store (snake_case, JSON as texts).
LANGFUSE_STORED = {
    "id": "obs-1",
    "trace_id": "trace-1",
    "type": "GENERATION",
    "name": "answer",
    "start_time": "2026-01-31 14:05:00.000",
    "end_time": "2026-01-31 14:05:00.800",
    "provided_model_name": "claims-v3",
    "input": json.dumps({"messages": WITH_TOOLS}),
    "output": json.dumps({"role": "assistant", "content": "Yes."}),
    "metadata": json.dumps({"topic": "funds"}),
    "usage_details": json.dumps({"input": 12, "output": 5}),
    "cost_details": json.dumps({"total": 0.002}),
    "environment": "production",
}
LANGFUSE_TRACE = {
    "id": "trace-7",
    "timestamp": "2026-01-31T14:05:00Z",
    "name": "chat",
    "userId": "u-1",
    "sessionId": "s-1",
    "input": {"question": "Why?"},
    "output": {"answer": "Because."},
    "latency": 1.5,
    "totalCost": 0.1,
    "metadata": None,
}
# A run of LangSmith with messages as LangChain writes them.
LANGSMITH = {
    "id": "run-1",
    "trace_id": "trace-1",
    "run_type": "llm",
    "name": "ChatOpenAI",
    "start_time": "2026-01-31T14:05:00",
    "end_time": "2026-01-31T14:05:00.800000",
    "extra": {
        "metadata": {"ls_model_name": "claims-v3", "ls_provider": "openai", "topic": "funds"},
        "invocation_params": {"model": "claims", "tools": []},
    },
    "inputs": {
        "messages": [
            [
                {"lc": 1, "type": "constructor", "id": ["langchain", "schema", "messages", "SystemMessage"],
                 "kwargs": {"content": "Be brief.", "type": "system"}},
                {"lc": 1, "type": "constructor", "id": ["langchain", "schema", "messages", "HumanMessage"],
                 "kwargs": {"content": "May I switch funds?", "type": "human"}},
                {"lc": 1, "type": "constructor", "id": ["langchain", "schema", "messages", "AIMessage"],
                 "kwargs": {"content": "", "type": "ai",
                            "tool_calls": [{"id": "1", "name": "policy", "args": {"number": 17}}]}},
                {"lc": 1, "type": "constructor", "id": ["langchain", "schema", "messages", "ToolMessage"],
                 "kwargs": {"content": "Policy 17 is open.", "type": "tool", "tool_call_id": "1"}},
            ]
        ]
    },
    "outputs": {
        "generations": [
            [
                {"text": "Yes.", "message": {
                    "lc": 1, "type": "constructor", "id": ["langchain", "schema", "messages", "AIMessage"],
                    "kwargs": {"content": "Yes.", "type": "ai"}}}
            ]
        ]
    },
    "prompt_tokens": 12,
    "completion_tokens": 5,
    "total_cost": 0.002,
    "error": None,
}  # fmt: skip
# A run that wraps OpenAI's client.
LANGSMITH_WRAPPED = {
    **LANGSMITH,
    "inputs": {"messages": WITH_TOOLS, "model": "claims"},
    "outputs": {
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Yes.", "refusal": None}}]
    },
}
# A trace of MLflow 3, as Trace.to_json writes it: attributes are JSON texts.
MLFLOW = {
    "info": {
        "trace_id": "tr-1",
        "request_time": "2026-01-31T14:05:00.000Z",
        "execution_duration": "0.9s",
        "state": "OK",
        "tags": {"topic": "funds", "mlflow.traceName": "chat"},
    },
    "data": {
        "spans": [
            {
                "trace_id": "dHI=",
                "span_id": "c3A=",
                "parent_span_id": None,
                "name": "agent",
                "start_time_unix_nano": 1769868300000000000,
                "end_time_unix_nano": 1769868300900000000,
                "attributes": {"mlflow.spanType": '"AGENT"', "mlflow.spanInputs": '{"question": "May I?"}'},
            },
            {
                "trace_id": "dHI=",
                "span_id": "c3B=",
                "name": "Completions",
                "start_time_unix_nano": 1769868300000000000,
                "end_time_unix_nano": 1769868300800000000,
                "attributes": {
                    "mlflow.spanType": '"CHAT_MODEL"',
                    "mlflow.spanInputs": json.dumps({"model": "claims", "messages": WITH_TOOLS}),
                    "mlflow.spanOutputs": json.dumps(
                        {
                            "model": "claims-v3",
                            "choices": [{"message": {"role": "assistant", "content": "Yes."}}],
                        }
                    ),
                    "mlflow.chat.tokenUsage": '{"input_tokens": 12, "output_tokens": 5, "total_tokens": 17}',
                },
            },
        ]
    },
}


@pytest.fixture
def stream(project: Project, reviewer: User) -> Stream:
    return make_stream(project, [reviewer])


def taken(stream: Stream, *rows: dict[str, Any]) -> TakenEvents:
    lines = "".join(f"{json.dumps(row)}\n" for row in rows).encode()
    return import_events(stream=stream, rows=events_of_file(io.BytesIO(lines), "export.jsonl"), by=None)


def imported(stream: Stream, *rows: dict[str, Any]) -> int:
    return taken(stream, *rows).stored


def learned(event: ProductionEvent) -> dict[str, float | None]:
    return dict(Assessment.objects.filter(key=event.key_id).values_list("name", "value"))


@pytest.mark.parametrize(
    ("row", "identity"),
    [
        (LANGFUSE, "obs-1"),
        (LANGFUSE_STORED, "obs-1"),
        (LANGSMITH, "run-1"),
        (LANGSMITH_WRAPPED, "run-1"),
        (MLFLOW, "tr-1"),
    ],
    ids=["langfuse", "langfuse stored", "langsmith", "langsmith wrapped", "mlflow"],
)
def test_an_exported_model_call_is_an_event_with_its_tools_and_costs(
    stream: Stream, row: dict[str, Any], identity: str
) -> None:
    assert imported(stream, row) == 1
    event = stream.events.select_related("key").get()
    assert event.key.external_id == identity
    assert (event.text, event.model_version) == ("Yes.", "claims-v3")
    assert event.messages == ASKED
    assert event.happened_at.isoformat() == "2026-01-31T14:05:00.800000+00:00"
    parts = [part for each in event.conversation["messages"] for part in each.get("parts", ())]
    (call,) = (part for part in parts if part["type"] == "call")
    assert (call["name"], call["arguments"]) == ("policy", {"number": 17})
    assert event.fields["topic"] == "funds"
    found = learned(event)
    assert found["latency_seconds"] == pytest.approx(0.8)
    assert (found["input_tokens"], found["output_tokens"]) == (12, 5)
    if row is not MLFLOW:
        assert found["cost"] == pytest.approx(0.002)
    assert imported(stream, row) == 0


def test_a_trace_without_its_observations_is_an_event(stream: Stream) -> None:
    assert imported(stream, LANGFUSE_TRACE) == 1
    event = stream.events.get()
    assert event.messages == [{"role": "user", "content": "Why?"}]
    assert (event.text, event.conversation) == ("Because.", None)
    assert learned(event) == {"latency_seconds": 1.5, "cost": 0.1}


def test_what_is_no_model_call_is_passed_over(stream: Stream) -> None:
    spans = {**MLFLOW, "data": {"spans": MLFLOW["data"]["spans"][:1]}}  # type: ignore[index]
    others = [
        {**LANGFUSE, "id": "span", "type": "SPAN"},
        {**LANGFUSE, "id": "failed", "output": None},
        {**LANGSMITH, "id": "chain", "run_type": "chain"},
        {**LANGSMITH, "id": "failed", "outputs": None, "error": "timeout"},
        spans,
    ]
    found = taken(stream, *others, LANGFUSE)
    assert found.message.endswith("5 rows are not model calls and were skipped.")
    assert stream.events.get().key.external_id == "obs-1"


def test_what_cannot_be_read_is_told_with_its_row(stream: Stream) -> None:
    odd = {**LANGFUSE, "id": "odd", "input": [{"role": "user", "content": {"parts": 3}}]}
    late = {**LANGFUSE, "id": "late", "endTime": "2999-01-31T14:05:00Z"}
    with pytest.raises(ImportProblemsError) as told:
        imported(stream, LANGFUSE, odd, late)
    problems = " ".join(map(str, told.value.problems))
    assert "Row 2" in problems and "Row 3" in problems and "in the future" in problems
    assert stream.events.count() == 0


def test_an_own_row_with_such_fields_stays_what_it_is(stream: Stream) -> None:
    own = {"id": "a", "prompt": "Why?", "output": "Because.", "type": "GENERATION", "input": "form"}
    assert imported(stream, own) == 1
    assert stream.events.get().fields == {"type": "GENERATION", "input": "form"}
