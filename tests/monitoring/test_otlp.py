"""Spans that OpenTelemetry's SDK made become events of a stream, each once, whatever comes beside them."""

import gzip
import json
import tracemalloc
from typing import Any

import pytest
from google.rpc.status_pb2 import Status
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.sdk.trace.export import SpanExportResult

from evalapp.accounts.models import Project, User
from evalapp.accounts.tokens import create_api_token
from evalapp.core.errors import TooLargeError
from evalapp.monitoring.api import otlp
from evalapp.monitoring.events.models import Assessment
from evalapp.monitoring.models import Stream
from evalapp.monitoring.otlp.requests import unpacked
from evalapp.monitoring.services import end_stream
from tests.api.conftest import Program, program_of
from tests.cast import client_of
from tests.monitoring.making import make_stream
from tests.monitoring.spans import Instrumented, answer, as_json, attributes_of, text_message

pytestmark = pytest.mark.django_db

PROTOBUF = "application/x-protobuf"
SPAN = b'{"resourceSpans": [{"scopeSpans": [{"spans": [{%s}]}]}]}'
USER = text_message("user", "May I switch funds?")


@pytest.fixture
def stream(project: Project, reviewer: User) -> Stream:
    return make_stream(project, [reviewer])


@pytest.fixture
def program(engineer: User) -> Program:
    return program_of(engineer)


@pytest.fixture
def app() -> Instrumented:
    return Instrumented()


def send(program: Program, stream: Stream | str, content: bytes, kind: str = PROTOBUF, **headers: str) -> Any:
    named = stream if isinstance(stream, str) else f"{stream.project.slug}/{stream.pk}"
    headers = {"evalapp-stream": named, **headers}
    return program.ask("POST", "otlp/v1/traces", content, content_type=kind, headers=headers)


def taken(program: Program, stream: Stream, request: ExportTraceServiceRequest) -> tuple[int, str]:
    """How many spans were rejected, and what was said."""
    response = send(program, stream, request.SerializeToString())
    assert response.status_code == 200, response.content
    assert response["Content-Type"] == PROTOBUF
    told = ExportTraceServiceResponse.FromString(response.content).partial_success
    return told.rejected_spans, told.error_message


def test_a_model_call_becomes_an_event_with_its_latency_and_tokens(
    program: Program, stream: Stream, app: Instrumented
) -> None:
    app.call([USER], [answer("Yes.")], **{"gen_ai.conversation.id": "c-1", "topic": "funds", "gen_ai.x": "y"})
    assert taken(program, stream, app.request()) == (0, "")
    event = stream.events.get()
    (span,) = app.spans
    assert event.key.external_id == f"{span.context.trace_id:032x}-{span.context.span_id:016x}"
    assert event.messages == [{"role": "user", "content": "May I switch funds?"}]
    assert (event.text, event.model_version, event.conversation) == ("Yes.", "claims-v3", None)
    assert event.fields == {
        "gen_ai.conversation.id": "c-1",
        "gen_ai.provider.name": "vllm",
        "service.name": "claims-chat",
        "topic": "funds",
    }
    assert abs(event.happened_at.timestamp() - span.end_time / 1e9) < 1e-5
    learned = dict(Assessment.objects.filter(key=event.key_id).values_list("name", "value"))
    assert learned == {
        "input_tokens": 12,
        "output_tokens": 5,
        "latency_seconds": pytest.approx((span.end_time - span.start_time) / 1e9),
    }


def test_a_replayed_batch_is_known(program: Program, stream: Stream, app: Instrumented) -> None:
    app.call([USER], [answer("Yes.")])
    app.call([text_message("user", "Why?")], [answer("Because.")])
    for _ in range(2):
        assert taken(program, stream, app.request()) == (0, "")
    assert stream.events.count() == 2
    assert Assessment.objects.filter(stream=stream).count() == 6


def test_json_and_protobuf_packed_or_not_give_the_same(
    program: Program, project: Project, reviewer: User, app: Instrumented
) -> None:
    call = {"type": "tool_call", "id": "1", "name": "policy", "arguments": {"number": 17}}
    result = {"type": "tool_call_response", "id": "1", "response": {"state": "open"}}
    app.call(
        [
            USER,
            {"role": "assistant", "parts": [call]},
            {"role": "tool", "parts": [result]},
        ],
        [answer("Yes.")],
        **{"gen_ai.system_instructions": json.dumps([{"type": "text", "content": "Be brief."}])},
    )
    request = app.request()
    as_text = json.dumps(as_json(request)).encode()
    ways = [
        (request.SerializeToString(), PROTOBUF, {}),
        (gzip.compress(request.SerializeToString()), PROTOBUF, {"content-encoding": "gzip"}),
        (as_text, "application/json", {}),
        (gzip.compress(as_text), "application/json", {"content-encoding": "gzip"}),
    ]
    found = []
    for number, (content, kind, headers) in enumerate(ways):
        stream = make_stream(project, [reviewer], name=f"Way {number}")
        assert send(program, stream, content, kind, **headers).status_code == 200
        event = stream.events.select_related("key").get()
        found.append((event.key.content_hash, event.key.external_id, event.text, event.conversation))
    assert all(each == found[0] for each in found)
    conversation = found[0][3]
    assert [each["role"] for each in conversation["messages"]] == [
        *("system", "user", "assistant", "tool", "assistant")
    ]
    assert conversation["messages"][2]["parts"][0]["arguments"] == {"number": 17}


def test_the_real_exporter_sends_to_the_server(
    live_server: Any, engineer: User, project: Project, reviewer: User, app: Instrumented
) -> None:
    stream = make_stream(project, [reviewer])
    secret = create_api_token(user=engineer, name="Exporter", by=engineer).secret
    exporter = OTLPSpanExporter(
        endpoint=f"{live_server.url}/api/v1/otlp/v1/traces",
        headers={"authorization": f"Bearer {secret}", "evalapp-stream": f"{project.slug}/{stream.pk}"},
    )
    app.call([USER], [answer("Yes.")])
    assert exporter.export(app.spans) == SpanExportResult.SUCCESS
    assert stream.events.get().text == "Yes."


def test_what_is_no_model_call_or_has_no_messages_is_told(
    program: Program, stream: Stream, app: Instrumented, engineer: User
) -> None:
    with app.tracer.start_as_current_span("GET /chat"):
        with app.tracer.start_as_current_span("agent", attributes={"gen_ai.operation.name": "invoke_agent"}):
            app.call([USER], [answer("Yes.")])
        with app.tracer.start_as_current_span("chat", attributes={"gen_ai.operation.name": "chat"}):
            pass
    app.call([{"role": "pirate", "parts": []}], [answer("Yes.")])
    app.call([USER], [answer("Yes.\x00")])
    app.call("no list", [answer("Yes.")])
    app.call(None, None)
    rejected, message = taken(program, stream, app.request())
    assert rejected == 5
    assert "There is no role “pirate”" in message
    assert "1 span is of a model call without its messages" in message
    assert "2 spans are skipped: not part of a model call." in message
    assert stream.events.get().text == "Yes."
    answered = send(program, stream, json.dumps(as_json(app.request())).encode(), "application/json").json()
    assert answered == {"partialSuccess": {"rejectedSpans": "5", "errorMessage": message}}
    # The exporter does not show it; the page on which somebody sets it up does.
    page = client_of(engineer).get(f"/projects/{stream.project.slug}/monitor/{stream.pk}/import/").text
    assert "Refused spans</dt><dd>5, " in page and "There is no role “pirate”" in page


def test_steps_of_an_agent_that_the_next_call_repeats_are_part_of_it(
    program: Program, stream: Stream, app: Instrumented
) -> None:
    step = {"role": "assistant", "parts": [{"type": "tool_call", "id": "1", "name": "f", "arguments": {}}]}
    result = {"role": "tool", "parts": [{"type": "tool_call_response", "id": "1", "response": "x"}]}
    with app.tracer.start_as_current_span("POST /chat"):
        app.call([USER], [{**step, "finish_reason": "tool_calls"}])
        app.call([USER, step, result], [answer("Yes.")])
        # Its history was edited: another conversation, and nothing of it is left out.
        app.call([text_message("user", "May I?")], [{**step, "finish_reason": "tool_calls"}])
    rejected, message = taken(program, stream, app.request())
    assert (rejected, "1 span is repeated within another model call" in message) == (0, True)
    assert sorted(stream.events.values_list("text", flat=True)) == ["Yes.", "f({})"]


def test_a_step_that_was_tried_twice_is_there_twice(
    program: Program, stream: Stream, app: Instrumented
) -> None:
    step = {"role": "assistant", "parts": [{"type": "tool_call", "id": "1", "name": "f", "arguments": {}}]}
    with app.tracer.start_as_current_span("POST /chat"):
        app.call([USER], [step])
        app.call([USER], [step])
    assert taken(program, stream, app.request())[0] == 0
    assert stream.events.count() == 2


def test_every_answer_of_a_growing_conversation_is_an_event_with_its_own_input(
    program: Program, stream: Stream, app: Instrumented
) -> None:
    told = {"gen_ai.conversation.id": "c-1"}
    first = answer("Yes.")
    app.call([USER], [first], **told)
    again = [USER, text_message("assistant", "Yes."), text_message("user", "When?")]
    app.call(again, [answer("Now.")], **told)
    assert taken(program, stream, app.request()) == (0, "")
    events = {event.text: event.messages for event in stream.events.all()}
    assert [len(events[text]) for text in ("Yes.", "Now.")] == [1, 3]


def test_a_call_that_two_instrumentations_tell_is_one_event(
    program: Program, stream: Stream, app: Instrumented
) -> None:
    told = attributes_of([USER], [answer("Yes.")])
    with app.tracer.start_as_current_span("framework", attributes=told):
        app.call([USER], [answer("Yes.")])
    assert taken(program, stream, app.request())[0] == 0
    assert stream.events.count() == 1


def test_documents_of_an_earlier_retrieval_are_sources(
    program: Program, stream: Stream, app: Instrumented
) -> None:
    documents = json.dumps([{"id": "d1", "score": 0.9, "content": "Contract 4 allows it."}, {"id": "d2"}])
    found = {"gen_ai.operation.name": "retrieval", "gen_ai.retrieval.documents": documents}
    with app.tracer.start_as_current_span("POST /chat"):
        with app.tracer.start_as_current_span("retrieval", attributes=found):
            pass
        app.call([USER], [answer("Yes.")])
        with app.tracer.start_as_current_span("retrieval", attributes=found):
            pass
    taken(program, stream, app.request())
    conversation = stream.events.get().conversation
    assert [each.get("text") for each in conversation["sources"]] == ["Contract 4 allows it.", None]


def test_messages_in_events_of_today_and_of_earlier_conventions_are_read(
    program: Program, stream: Stream, app: Instrumented
) -> None:
    bare = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}
    with app.tracer.start_as_current_span("chat", attributes=bare) as span:
        span.add_event(
            "gen_ai.client.inference.operation.details",
            attributes_of([USER], [answer("One.")]),
        )
    calls = json.dumps([{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}])
    with app.tracer.start_as_current_span("chat", attributes=bare) as span:
        span.add_event("gen_ai.system.message", {"content": "Be brief."})
        span.add_event("gen_ai.user.message", {"content": "Why?"})
        span.add_event("gen_ai.assistant.message", {"tool_calls": calls})
        span.add_event("gen_ai.tool.message", {"id": "1", "content": "x"})
        span.add_event("gen_ai.choice", {"index": 0, "message": json.dumps({"content": "Two."})})
    with app.tracer.start_as_current_span("chat", attributes=bare) as span:
        span.add_event(
            "gen_ai.content.prompt", {"gen_ai.prompt": json.dumps([{"role": "user", "content": "Q"}])}
        )
        span.add_event("gen_ai.content.completion", {"gen_ai.completion": "Three."})
    assert taken(program, stream, app.request()) == (0, "")
    events = {event.text: event for event in stream.events.all()}
    assert set(events) == {"One.", "Two.", "Three."}
    assert events["Two."].messages == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Why?"},
    ]
    messages = events["Two."].conversation["messages"]
    kinds = [part["type"] for each in messages for part in each.get("parts", ())]
    assert kinds == ["call", "result", "text"]


@pytest.mark.parametrize(
    ("content", "kind", "headers", "status", "told"),
    [
        (b"\xff\xff\xff", PROTOBUF, {}, 400, "not a protobuf ExportTraceServiceRequest"),
        (b"nonsense", PROTOBUF, {"content-encoding": "gzip"}, 400, "not gzip"),
        (gzip.compress(b"", mtime=0)[:-4], PROTOBUF, {"content-encoding": "gzip"}, 400, "ends too early"),
        (b"", PROTOBUF, {"content-encoding": "br"}, 200, ""),
        (b"x", PROTOBUF, {"content-encoding": "br"}, 400, "packed as “br”"),
        (b"{", "application/json", {}, 400, "not usable JSON"),
        (b"[]", "application/json", {}, 400, "resourceSpans"),
        (b'{"resourceSpans": 3}', "application/json", {}, 400, "not OTLP/JSON"),
        (SPAN % b'"traceId": "xyz"', "application/json", {}, 400, "hexadecimal"),
        (SPAN % b'"name": "\\ud800"', "application/json", {}, 400, "not OTLP/JSON"),
        (b"{}", "application/json", {}, 200, ""),
        (b"", PROTOBUF, {}, 200, ""),
        (b"a: b", "application/yaml", {}, 415, ""),
    ],
)  # fmt: skip
def test_whatever_the_body_is_it_is_answered(
    program: Program,
    stream: Stream,
    content: bytes,
    kind: str,
    headers: dict[str, str],
    status: int,
    told: str,
) -> None:
    response = send(program, stream, content, kind, **headers)
    assert response.status_code == status, response.content
    if status == 200:
        assert response.content in (b"", b"{}")
    elif kind == PROTOBUF:
        assert response["Content-Type"] == PROTOBUF
        assert told in Status.FromString(response.content).message
    else:
        body = response.json()
        assert told in body["message"] and body["message"] == body["error"]["message"]


def test_a_body_that_unpacks_to_more_than_the_limit_is_refused(
    program: Program, stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    bomb = gzip.compress(bytes(64 * 2**20))
    assert len(bomb) < 100_000
    response = send(program, stream, bomb, **{"content-encoding": "gzip"})
    assert (response.status_code, "once it is unpacked" in Status.FromString(response.content).message) == (
        413,
        True,
    )
    monkeypatch.setattr(otlp, "MOST_BYTES", 1_000)
    assert send(program, stream, bytes(1_001)).status_code == 413


def test_unpacking_stops_at_the_limit() -> None:
    bomb = gzip.compress(bytes(50 * 2**20))
    tracemalloc.start()
    with pytest.raises(TooLargeError):
        unpacked(bomb, "gzip", 1_000)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 5 * 2**20


def test_larger_bodies_are_taken_from_who_may_feed_the_stream(
    program: Program, stream: Stream, reviewer: User, app: Instrumented, settings: Any
) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100_000
    app.call([text_message("user", "x" * 200_000)], [answer("Yes.")])
    content = app.request().SerializeToString()
    assert send(program_of(reviewer), stream, content).status_code == 403
    assert send(program, f"elsewhere/{stream.pk}", content).status_code == 404
    assert send(program, stream, content).status_code == 200
    assert stream.events.count() == 1


def test_who_may_not_send_there_is_refused(
    program: Program, stream: Stream, reviewer: User, project: Project
) -> None:
    assert send(program_of(None), stream, b"").status_code == 401
    assert send(program_of(reviewer), stream, b"").status_code == 403
    for named in (f"{project.slug}/999999", f"elsewhere/{stream.pk}"):
        assert send(program, named, b"").status_code == 404
    for named in ("", project.slug, f"{project.slug}/x", f"{project.slug}/{stream.pk}/more"):
        response = send(program, named, b"{}", "application/json")
        assert response.status_code == 400
        assert "evalapp-stream" in response.json()["error"]["fields"]
    end_stream(stream=stream, by=None)
    app = Instrumented()
    app.call([USER], [answer("Yes.")])
    assert send(program, stream, app.request().SerializeToString()).status_code == 409


def test_odd_values_of_attributes_make_no_fault(program: Program, stream: Stream, app: Instrumented) -> None:
    app.call([USER], [answer("Yes.")])
    request = app.request()
    span = request.resource_spans[0].scope_spans[0].spans[0]
    deep = AnyValue(string_value="x")
    for _ in range(20):
        outer = AnyValue()
        outer.kvlist_value.values.append(KeyValue(key="k", value=deep))
        deep = outer
    for name, value in (
        ("nan", AnyValue(double_value=float("nan"))),
        ("bytes", AnyValue(bytes_value=b"\x00\x01")),
        ("deep", deep),
        ("lowest", AnyValue(int_value=-(2**63))),
        ("", AnyValue(string_value="nameless")),
        ("gen_ai.usage.reasoning.output_tokens", AnyValue(string_value="many")),
        ("nothing", AnyValue()),
    ):
        span.attributes.append(KeyValue(key=name, value=value))
    assert taken(program, stream, request) == (0, "")
    assert stream.events.get().fields["bytes"] == "0001"
    span.start_time_unix_nano = 2**64 - 1
    span.end_time_unix_nano = 2**64 - 1
    span.span_id = b"\x01" * 8
    rejected, message = taken(program, stream, request)
    assert (rejected, "in the future" in message) == (1, True)
    span.trace_id = b""
    assert taken(program, stream, request)[0] == 1
