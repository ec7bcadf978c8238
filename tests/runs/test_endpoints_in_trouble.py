"""An endpoint that stays in trouble: the run's page says what it does in one sentence, and
nothing is lost.
"""

import threading
from typing import Any

import pytest
from django.urls import reverse

from evalapp.jobs.models import JobState
from evalapp.jobs.services import retry_job
from evalapp.registry.endpoints import register_endpoint_model
from evalapp.registry.models import ModelVersion
from evalapp.runs.execution import endpoint_answers
from evalapp.runs.generation.few_shot import few_shot
from evalapp.runs.queries import position_among_tried
from evalapp.runs.services import batch_file
from tests.api.conftest import problem_in, program_of
from tests.form_addresses import model_form, run_form
from tests.runs.test_endpoint_answers import (
    Sent,
    _loopback,
    candidate,
    carried_out,
    endpoint,
    said,
    server,
    start,
)
from tests.runs.test_views import generation_form

__all__ = ["_loopback", "candidate", "endpoint", "server", "start"]

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(
    ("trouble", "sentence"),
    [
        (
            Sent(status=429, body={"error": "slow down"}, headers={"Retry-After": "0"}),
            "The endpoint answered 429: {&quot;error&quot;: &quot;slow down&quot;}",
        ),
        (
            Sent(body=b"<html>Sign in to the proxy</html>"),
            ("answer is not a chat completion: &lt;html&gt;Sign in to the proxy&lt;/html&gt;"),
        ),
        (
            Sent(body=said("half an answer").body, cut_at=40),
            (
                "The endpoint began to answer, then the connection broke. 40 characters of it came:"
                " {&quot;model&quot;"
            ),
        ),
        (
            Sent(body=said("half an answer").body, cut_at=40, is_chunked=True),
            "The endpoint began to answer, then the connection broke.",
        ),
        (
            Sent(body=b'data: {"choices": [{"delta": {"content": "Hal'),
            "answer is not a chat completion: data:",
        ),
    ],
    ids=["429", "HTML", "half a body", "a broken chunk", "half a stream"],
)
def test_lasting_trouble_ends_the_run_with_a_sentence_and_a_retry_asks_again(
    start, server, engineer, client_for, monkeypatch, trouble, sentence
):
    monkeypatch.setattr(endpoint_answers, "MOST_FAILURES_IN_ROW", 3)
    usual = server.answer
    server.answer = lambda body: trouble
    run = carried_out(start())
    assert run.job.state == JobState.FAILED
    page = client_for(engineer).get(reverse("run_detail", args=[run.project.slug, run.pk])).content.decode()
    assert sentence in page
    assert "Fix that, then try again: earlier answers are kept." in page
    server.answer = usual
    retry_job(job=run.job, by=None)
    run = carried_out(run)
    assert (run.job.error, run.rows["used"], run.rows["dropped"]) == ("", 3, 0)


def test_an_address_that_never_answers_in_time_is_told(
    start, server, endpoint, engineer, client_for, monkeypatch
):
    monkeypatch.setattr(endpoint_answers, "MOST_FAILURES_IN_ROW", 2)
    monkeypatch.setattr(endpoint_answers, "ANSWER_SECONDS", 0.2)
    end = threading.Event()

    def hang(body: dict[str, Any]) -> Sent:
        end.wait(20)
        return said("late")

    server.answer = hang
    try:
        run = carried_out(start())
    finally:
        end.set()
    page = client_for(engineer).get(reverse("run_detail", args=[run.project.slug, run.pk])).content.decode()
    assert "2 questions in a row got no answer" in page
    assert "No whole answer within 0.2 seconds." in page
    # All tries together can take ten minutes, so the first is told at once, and the others not one by one.
    first, *later = run.job.events.filter(level="warning").order_by("pk").values_list("text", flat=True)
    assert first.startswith(f"{endpoint.name}, row-") and "Retrying in 0 s, " in first
    assert later and not any("asked again" in each for each in later)


def test_answers_to_a_schema_that_were_cut_are_told_and_counted(
    start, server, engineer, client_for, project, version, candidate
):
    usual = server.answer
    server.answer = lambda body: (
        said('{"name": "A', finish="length") if body["messages"][-1]["content"].endswith("1") else usual(body)
    )
    run = carried_out(start(json_schema='{"type": "object"}'))
    client = client_for(engineer)
    page = client.get(reverse("run_detail", args=[project.slug, run.pk])).content.decode()
    assert "1 of these outputs was truncated at 8 tokens and is not complete JSON" in page
    form = client.get(run_form(project, "generation")).content.decode()
    assert "An output truncated at “Max new tokens” is not complete JSON" in form
    asked = generation_form(version, candidate)
    answer = client.post(run_form(project, "generation"), asked, follow=True).content.decode()
    assert "waits for a worker; this page follows it" in answer


def test_examples_go_before_every_question_and_stand_with_the_run(
    start, server, endpoint, engineer, version, client_for
):
    shown = register_endpoint_model(
        endpoint=endpoint, label="Two examples", model="house-1", system_prompt="Be brief.",
        examples=few_shot(version, [2, 1]), by=engineer,
    )  # fmt: skip
    run = carried_out(start(shown))
    assert [(turn["role"], turn["content"]) for turn in server.asked[0]["messages"]] == [
        ("system", "Be brief."),
        ("user", "train question 1"), ("assistant", "train answer 1"),
        ("user", "train question 0"), ("assistant", "train answer 0"),
        ("user", "test question 0"),
    ]  # fmt: skip
    (told,) = run.spec["candidates"]
    assert (told["examples"]["rows"], told["model"]) == ([2, 1], "house-1")
    page = (
        client_for(engineer).get(reverse("model_version", args=[run.project.slug, shown.pk])).content.decode()
    )
    assert "Rows 2, 1 of Questions v1" in page
    lines = list(
        batch_file(
            project=run.project, dataset_version=version, splits=["test"], candidates=[shown], sampling={}
        )
    )
    assert "train answer 1" in lines[0]


def test_the_page_and_the_api_register_a_prompt_with_examples_at_an_address(
    endpoint, engineer, version, client_for
):
    project, browser = endpoint.project, client_for(engineer)
    form_url = model_form(project, "endpoint")
    form = {
        "endpoint": endpoint.pk,
        "label": "Shown",
        "model": "house-1",
        "examples_version": version.pk,
        "example_rows": "1, 3",
    }
    page = browser.post(form_url, {**form, "sample": "And this?", "preview": "1"}).text
    assert page.index("train question 0") < page.index("train answer 2") < page.index("And this?</dd>")
    assert not ModelVersion.objects.exists()
    refused = browser.post(form_url, {**form, "example_rows": "7"})
    assert (refused.status_code, "is in its test split" in refused.text) == (400, True)
    assert "the only prompt tried on that model" in browser.post(form_url, form, follow=True).text
    program = program_of(engineer)
    path = f"projects/{project.slug}/models/endpoints/{endpoint.pk}/candidates/"
    body = {"label": "By program", "model": "house-1", "examples_version": version.pk, "example_rows": [2]}
    made = program.post(path, body)
    assert (made.status_code, made.json()["config"]["examples"]["rows"]) == (201, [2])
    problem = problem_in(program.post(path, {**body, "example_rows": [9]}), 400)
    assert (
        "feedback split" in problem["fields"]["example_rows"][0]
        or "test split" in problem["fields"]["example_rows"][0]
    )
    assert "example_rows" in problem_in(program.post(path, {**body, "example_rows": []}), 400)["fields"]
    assert position_among_tried(ModelVersion.objects.get(label="By program")) == (2, 2)


def test_other_examples_are_another_candidate(endpoint, engineer, version):
    one, other = (
        register_endpoint_model(
            endpoint=endpoint,
            label=f"Rows {rows}",
            model="house-1",
            examples=few_shot(version, rows),
            by=engineer,
        )
        for rows in ([1], [2])
    )
    assert one.content_hash != other.content_hash
