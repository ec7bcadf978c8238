"""A generation by API models, with a real HTTP server at the other end that behaves as it is told."""

import io
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any, NamedTuple

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from evalapp.accounts.models import Project, User
from evalapp.core.errors import ConflictError, InvalidError
from evalapp.datasets.models import DatasetVersion
from evalapp.imports.problems import ImportProblemsError
from evalapp.jobs import lease
from evalapp.jobs.models import JobState
from evalapp.jobs.services import request_cancel, retry_job
from evalapp.registry.endpoints import (
    change_endpoint,
    create_endpoint,
    delete_endpoint,
    register_endpoint_model,
)
from evalapp.registry.models import Endpoint, ModelVersion
from evalapp.runs.execution import endpoint_answers
from evalapp.runs.generation.answers import match_answers, read_answers
from evalapp.runs.models import Run
from evalapp.runs.programs.directory import folder_for
from evalapp.runs.services import start_generation
from evalapp.runs.tasks import carry_out_asking
from tests.form_addresses import model_form, run_form
from tests.receiver import Receiver, receiving

SECRET = "sk-nobody-may-see-this"

pytestmark = pytest.mark.django_db(transaction=True)


class Sent(NamedTuple):
    """What the server sends back."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = {}
    cut_at: int | None = None
    is_chunked: bool = False


def said(text: str, *, finish: str = "stop", usage: bool = True) -> Sent:
    body = {
        "model": "house-1-0711",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}],
        **({"usage": {"prompt_tokens": 7, "completion_tokens": 3}} if usage else {}),
    }
    return Sent(body=body)


class Server:
    """``answer`` gets each request's body; ``asked`` are all of them, ``keys`` the keys that came."""

    def __init__(self, receiver: Receiver) -> None:
        self.url = receiver.url.replace("/hook", "/v1")
        self.answer: Callable[[dict[str, Any]], Sent] = lambda body: said(
            f"{body['model']}: {body['messages'][-1]['content']}"
        )
        self.receiver = receiver
        receiver.behave = self._behave  # type: ignore[method-assign]  # the double's own way to answer

    @property
    def asked(self) -> list[dict[str, Any]]:
        return [json.loads(call.body) for call in self.receiver.calls]

    def _behave(self, handler: BaseHTTPRequestHandler) -> None:
        # The handler's own request, since several are under way at once.
        sent = self.answer(json.loads(handler.call.body))  # type: ignore[attr-defined]  # the receiver's own handler
        content = sent.body if isinstance(sent.body, bytes) else json.dumps(sent.body).encode()
        handler.send_response(sent.status)
        for name, value in sent.headers.items():
            handler.send_header(name, value)
        if sent.is_chunked:
            handler.send_header("Transfer-Encoding", "chunked")
            content = b"%x\r\n%s\r\n0\r\n\r\n" % (len(content), content)
        else:
            handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content[: sent.cut_at])


@pytest.fixture(autouse=True)
def _loopback(settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    settings.OUTGOING_ALLOWED = ("127.0.0.0/8",)
    settings.RUNS_FOLDER = tmp_path / "runs"
    monkeypatch.setattr(endpoint_answers, "RETRY_PAUSES", (0.0, 0.0))
    monkeypatch.setattr(endpoint_answers, "_POLL_SECONDS", 0.02)
    monkeypatch.setattr(lease, "TICK_SECONDS", 0.05)


@pytest.fixture
def server() -> Iterator[Server]:
    with receiving() as running:
        yield Server(running)


@pytest.fixture
def endpoint(project: Project, manager: User, server: Server) -> Endpoint:
    return create_endpoint(
        project=project, name="House server", url=server.url, secret=SECRET, parallel=1, by=manager
    )


@pytest.fixture
def candidate(endpoint: Endpoint, engineer: User) -> ModelVersion:
    return register_endpoint_model(endpoint=endpoint, label="House model", model="house-1", by=engineer)


@pytest.fixture
def start(
    project: Project, version: DatasetVersion, engineer: User, candidate: ModelVersion
) -> Callable[..., Run]:
    def begin(*candidates: ModelVersion, **sampling: Any) -> Run:
        return start_generation(
            project=project,
            dataset_version=version,
            splits=["test"],
            candidates=list(candidates) or [candidate],
            sampling={"max_tokens": 8, **sampling},
            name="Baseline",
            by=engineer,
        )

    return begin


def reload(run: Run) -> Run:
    return Run.objects.select_related("job").get(pk=run.pk)


def carried_out(run: Run) -> Run:
    carry_out_asking(run.job_id)
    return reload(run)


def test_every_row_is_asked_once_and_every_answer_kept_with_its_tokens(start, server, settings):
    settings.MODEL_PYTHON = "/no/python/at/all"
    run = carried_out(start(temperature=0.5, stop=["END"], seed=3))

    assert (run.job.error, run.job.state) == ("", JobState.SUCCEEDED)
    assert sorted(run.outputs.values_list("text", flat=True)) == [
        f"house-1: test question {number}" for number in range(3)
    ]
    assert set(run.outputs.values_list("finish_reason", "prompt_tokens", "completion_tokens")) == {
        ("stop", 7, 3)
    }
    assert run.rows == {"in": 3, "used": 3, "truncated": 0, "dropped": 0, "reasons": {}}
    assert (run.engine, run.result["reported_models"]) == ("endpoint", ["house-1-0711"])
    body = server.asked[0]
    assert {name: body[name] for name in ("model", "max_tokens", "temperature", "top_p", "stop")} == {
        "model": "house-1", "max_tokens": 8, "temperature": 0.5, "top_p": 1.0, "stop": ["END"],
    }  # fmt: skip
    assert len({each["seed"] for each in server.asked}) == 3
    assert not {"top_k", "repetition_penalty"} & body.keys()
    assert {call.headers["Authorization"] for call in server.receiver.calls} == {f"Bearer {SECRET}"}
    assert SECRET not in json.dumps([run.spec, run.result, list(run.job.events.values_list("text"))])


def test_words_and_fields_of_a_candidate_go_with_every_request(start, server, endpoint, engineer):
    worded = register_endpoint_model(
        endpoint=endpoint,
        label="Plain words",
        model="house-1",
        system_prompt="Write plainly.",
        prompt_template="Asked: {prompt}",
        request={"max_completion_tokens": 8, "max_tokens": None},
        by=engineer,
    )
    run = carried_out(start(worded))
    assert run.job.state == JobState.SUCCEEDED
    assert server.asked[0]["messages"] == [
        {"role": "system", "content": "Write plainly."},
        {"role": "user", "content": "Asked: test question 0"},
    ]
    assert "max_tokens" not in server.asked[0]
    assert server.asked[0]["max_completion_tokens"] == 8


def test_a_schema_of_the_answers_is_asked_for(start, server):
    assert carried_out(start(json_schema='{"type": "object"}')).job.state == JobState.SUCCEEDED
    assert server.asked[0]["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "strict": True, "schema": {"type": "object"}},
    }


@pytest.mark.parametrize("schema", ["{", "[]", '{"a": NaN}'])
def test_a_schema_that_is_none_is_refused_before_anything_is_asked(start, server, schema):
    with pytest.raises(InvalidError, match="json_schema"):
        start(json_schema=schema)
    assert not Run.objects.exists()


def test_several_samples_and_candidates_have_seeds_and_answers_of_their_own(
    start, server, endpoint, candidate, engineer
):
    other = register_endpoint_model(endpoint=endpoint, label="Larger", model="house-2", by=engineer)
    run = carried_out(start(candidate, other, samples=2, temperature=1.0))
    assert run.outputs.values("candidate", "example", "sample_index").distinct().count() == 12
    assert len({(each["model"], each["seed"]) for each in server.asked}) == 12


@pytest.mark.parametrize(
    "trouble",
    [
        Sent(status=429, body={"error": "slow down"}, headers={"Retry-After": "0"}),
        Sent(status=503, body=b"<html>busy</html>"),
        Sent(status=200, body=b"<html>Sign in to the proxy</html>"),
        Sent(status=200, body=said("half an answer").body, cut_at=40),
    ],
    ids=["429", "503", "HTML", "half a body"],
)
def test_a_passing_trouble_is_asked_again_and_nothing_is_lost(start, server, trouble):
    usual, seen = server.answer, set()

    def first_in_trouble(body: dict[str, Any]) -> Sent:
        question = body["messages"][-1]["content"]
        if question in seen:
            return usual(body)
        seen.add(question)
        return trouble

    server.answer = first_in_trouble
    run = carried_out(start())
    assert (run.job.error, run.rows["used"], len(server.asked)) == ("", 3, 6)


def test_a_question_that_is_refused_is_counted_with_its_reason_and_the_others_answered(start, server):
    usual = server.answer
    server.answer = lambda body: (
        Sent(status=400, body={"error": f"too long, says {SECRET}"})
        if body["messages"][-1]["content"].endswith("1")
        else (
            said("", finish="content_filter")
            if body["messages"][-1]["content"].endswith("2")
            else usual(body)
        )
    )
    run = carried_out(start())
    assert run.job.state == JobState.SUCCEEDED
    assert run.rows["used"] == 1
    assert run.rows["dropped"] == 2
    assert sorted(run.rows["reasons"].items()) == [
        ('The endpoint answered 400: {"error": "too long, says [key]"}', 1),
        ("the endpoint filtered the answer", 1),
    ]
    assert sorted(run.outputs.values_list("finish_reason", flat=True)) == ["refused", "refused", "stop"]


@pytest.mark.parametrize(
    ("status", "sentence"), [(401, "refused the API key"), (404, "has no such path or model")]
)
def test_what_no_question_can_mend_ends_the_run_at_once(start, server, status, sentence):
    server.answer = lambda body: Sent(status=status, body={})
    run = carried_out(start())
    assert run.job.state == JobState.FAILED
    assert sentence in run.job.error
    assert "earlier answers are kept" in run.job.error
    assert len(server.asked) == 1
    assert not run.outputs.exists()


def test_after_a_failure_only_what_has_no_answer_is_asked_again(
    start, server, monkeypatch, version, project, engineer, candidate
):
    monkeypatch.setattr(endpoint_answers, "MOST_FAILURES_IN_ROW", 2)
    usual = server.answer
    server.answer = lambda body: (
        usual(body) if body["messages"][-1]["content"].endswith("0") else Sent(status=500, body={})
    )
    run = carried_out(start())
    assert run.job.state == JobState.FAILED
    assert "2 questions in a row got no answer" in run.job.error
    assert not run.outputs.exists()

    server.answer = usual
    server.receiver.calls.clear()
    retry_job(job=run.job, by=None)
    run = carried_out(run)
    assert (run.job.error, run.rows["used"], run.rows["dropped"]) == ("", 3, 0)
    assert sorted(each["messages"][-1]["content"] for each in server.asked) == [
        "test question 1",
        "test question 2",
    ]


def test_a_line_that_a_kill_cut_off_is_asked_again(start, server):
    run = start()
    folder = folder_for(run)
    folder.mkdir(parents=True)
    carried_out(run)
    whole = (folder / "outputs.jsonl").read_bytes()
    again = start()
    folder_for(again).mkdir(parents=True)
    (folder_for(again) / "outputs.jsonl").write_bytes(whole[: len(whole) // 2])
    server.receiver.calls.clear()
    again = carried_out(again)
    assert again.rows["used"] == 3
    assert len(server.asked) == 2


def test_a_cancel_does_not_wait_for_an_address_that_hangs(start, server):
    asked, end = threading.Event(), threading.Event()

    def hang(body: dict[str, Any]) -> Sent:
        asked.set()
        end.wait(20)
        return said("late")

    server.answer = hang
    run = start()
    work = threading.Thread(target=carry_out_asking, args=(run.job_id,))
    work.start()
    try:
        assert asked.wait(10)
        request_cancel(job=run.job, by=None)
        work.join(5)
        assert not work.is_alive()
    finally:
        end.set()
        work.join()
    assert reload(run).job.state == JobState.CANCELLED
    assert not run.outputs.exists()


def test_as_many_requests_are_under_way_as_the_address_bears(start, server, endpoint, manager, monkeypatch):
    change_endpoint(endpoint=endpoint, url=server.url, secret="", parallel=3, by=manager)
    together = threading.Barrier(3, timeout=10)
    usual = server.answer

    def wait_for_others(body: dict[str, Any]) -> Sent:
        together.wait()
        return usual(body)

    server.answer = wait_for_others
    assert carried_out(start()).rows["used"] == 3


def test_an_address_that_counts_no_tokens_leaves_them_unknown(start, server):
    server.answer = lambda body: said("An answer.", usage=False)
    run = carried_out(start())
    assert set(run.outputs.values_list("prompt_tokens", "completion_tokens")) == {(None, None)}


def test_an_address_that_is_no_longer_allowed_says_so(start, settings):
    run = start()
    settings.OUTGOING_ALLOWED = ()
    run = carried_out(run)
    assert run.job.state == JobState.FAILED
    assert "sends nothing to other machines" in run.job.error


def test_a_key_is_never_sent_to_another_address_than_it_was_entered_for(endpoint, manager):
    with pytest.raises(InvalidError, match="Enter the API key again"):
        change_endpoint(endpoint=endpoint, url="http://127.0.0.1:9/v1", secret="", parallel=1, by=manager)
    endpoint.refresh_from_db()
    assert endpoint.url != "http://127.0.0.1:9/v1"
    assert SECRET not in endpoint.sealed_key


def test_an_address_with_candidates_stays(candidate, endpoint, manager):
    with pytest.raises(ConflictError, match="so it cannot be deleted"):
        delete_endpoint(endpoint=endpoint, by=manager)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"model": " "}, "model"),
        ({"request": {"messages": []}}, "request"),
        ({"request": {"x": "y" * 5000}}, "request"),
        ({"prompt_template": "no place"}, "prompt_template"),
    ],
)
def test_a_candidate_that_cannot_be_asked_is_refused_beside_its_field(endpoint, engineer, change, field):
    with pytest.raises(InvalidError) as refused:
        register_endpoint_model(
            **{"endpoint": endpoint, "label": "X", "model": "m", "by": engineer, **change}
        )
    assert set(refused.value.fields) == {field}


def test_models_here_and_at_addresses_do_not_share_a_run(start, base, candidate):
    with pytest.raises(InvalidError, match="Start one run for each"):
        start(base, candidate)


def test_the_pages_lead_from_an_address_to_a_started_run(
    project, manager, server, version, client_for, settings
):
    settings.MODEL_PYTHON = "/no/python/at/all"
    browser = client_for(manager)
    site = f"/projects/{project.slug}/settings/endpoints/"
    made = browser.post(
        site, {"name": "House", "url": server.url, "secret": SECRET, "parallel": 2}, follow=True
    )
    endpoint = Endpoint.objects.get()
    assert made.redirect_chain[-1][0] == f"{site}{endpoint.pk}/"
    assert SECRET not in made.text
    form = model_form(project, "endpoint", endpoint=endpoint.pk)
    assert f'<option value="{endpoint.pk}" selected>' in browser.get(form).text
    asked = {"endpoint": endpoint.pk, "label": "A", "model": "m", "request": "[1]"}
    bad = browser.post(form, asked)
    assert bad.status_code == 400
    assert "Write one JSON object" in bad.text
    browser.post(form, {"endpoint": endpoint.pk, "label": "Asked", "model": "house-1"})
    candidate = ModelVersion.objects.get(label="Asked")
    assert "house-1" in browser.get(f"/projects/{project.slug}/models/{candidate.pk}/").text
    page = browser.get(run_form(project, "generation", candidates=candidate.pk))
    assert '<button type="submit" class="button button-main">Generate outputs</button>' in page.text


def batch_of(browser: Client, project: Project, version: DatasetVersion, candidate: ModelVersion) -> Any:
    return browser.post(
        run_form(project, "generation"),
        {
            "name": "By batch", "dataset_version": version.pk, "splits": ["test"],
            "candidates": [candidate.pk],
            "max_tokens": 8, "temperature": 1, "samples": 2, "top_p": 1, "top_k": 0, "repetition_penalty": 1,
            "seed": 3, "engine": "auto", "dtype": "auto", "batch_file": "1",
        },
    )  # fmt: skip


def test_a_batch_file_goes_out_and_its_answers_come_back(project, engineer, version, candidate, client_for):
    browser = client_for(engineer)
    sent = [
        json.loads(line) for line in b"".join(batch_of(browser, project, version, candidate)).splitlines()
    ]
    assert [line["custom_id"] for line in sent] == [
        "row-7", "row-7.1", "row-8", "row-8.1", "row-9", "row-9.1",
    ]  # fmt: skip
    assert {line["url"] for line in sent} == {"/v1/chat/completions"}
    assert len({line["body"]["seed"] for line in sent}) == 6
    came = [
        {
            "custom_id": line["custom_id"],
            "response": {"status_code": 200, "body": said(f"Answer to {line['custom_id']}").body},
            "error": None,
        }
        for line in sent[:4]
    ]
    came.append({"custom_id": "row-9", "response": {"status_code": 400, "body": {"error": "too long"}}})
    came.append({"custom_id": "row-9.1", "response": None, "error": {"code": "batch_expired"}})
    file = SimpleUploadedFile("out.jsonl", "\n".join(map(json.dumps, came)).encode())
    page = browser.post(
        run_form(project, "import"),
        {"name": "Batch", "dataset_version": version.pk, "candidate": candidate.pk, "file": file},
        follow=True,
    )
    run = Run.objects.get(kind="import")
    assert page.status_code == 200
    assert "batch_expired" in browser.get(reverse("run_detail", args=[project.slug, run.pk])).content.decode()
    assert (run.rows["in"], run.rows["used"], run.rows["dropped"]) == (6, 4, 2)
    assert sorted(run.rows["reasons"]) == [
        'the endpoint answered 400: {"error": "too long"}',
        'the endpoint gave no answer: {"code": "batch_expired"}',
    ]
    answers = run.outputs.exclude(finish_reason="refused")
    assert set(
        answers.values_list(
            "example__row_number", "sample_index", "text", "prompt_tokens", "completion_tokens"
        )
    ) == {
        (7, 0, "Answer to row-7", 7, 3), (7, 1, "Answer to row-7.1", 7, 3),
        (8, 0, "Answer to row-8", 7, 3), (8, 1, "Answer to row-8.1", 7, 3),
    }  # fmt: skip


def test_a_line_of_another_batch_is_told_by_its_place(project, engineer, version, candidate):
    lines = [{"custom_id": "request-1", "response": {"status_code": 200, "body": said("x").body}}]
    file = io.BytesIO("\n".join(map(json.dumps, lines)).encode())
    with pytest.raises(ImportProblemsError, match="Line 1: its custom_id is 'request-1', not “row-5”"):
        match_answers(read_answers(file, "out.jsonl"), version)


def test_a_batch_file_asks_one_model_at_an_address(project, engineer, version, base, client_for):
    page = batch_of(client_for(engineer), project, version, base)
    assert page.status_code == 400
    assert "A batch file is for one API model" in page.text
