"""What a model thought is kept beside its answer, and neither reviewed nor scored."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse

from evalapp.accounts.models import Project, User
from evalapp.core.completions import Completion, completion_of
from evalapp.datasets.models import DatasetVersion
from evalapp.jobs.models import JobState
from evalapp.runs.generation.answers import ImportedAnswer
from evalapp.runs.generation.batch_files import answer_of_line
from evalapp.runs.models import Output, Run
from evalapp.runs.services import import_outputs
from evalapp.runs.usage import candidate_usage
from evalapp.scoring.models import MetricResult
from tests.api.conftest import program_of
from tests.cast import client_of
from tests.factories import make_campaign, make_candidates, run_scoring
from tests.runs.test_endpoint_answers import Sent, _loopback, candidate, carried_out, endpoint, server, start

__all__ = ["_loopback", "candidate", "endpoint", "server", "start"]

pytestmark = pytest.mark.django_db(transaction=True)

THOUGHT = "The client saves for a house, zebra."


def reply(message: dict[str, Any], finish: str = "stop") -> dict[str, Any]:
    return {
        "model": "house-1",
        "choices": [{"message": {"role": "assistant", **message}, "finish_reason": finish}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 3},
    }


def completed(message: dict[str, Any], finish: str = "stop") -> Completion:
    return completion_of(json.dumps(reply(message, finish)))


@pytest.mark.parametrize(
    "message",
    [
        {"content": "Save on.", "reasoning_content": THOUGHT},
        {"content": "Save on.", "reasoning": THOUGHT},
        {"content": f"<think>{THOUGHT}</think>\n\nSave on.", "reasoning_content": None},
        {"content": f"{THOUGHT}\n</think>\n\nSave on."},
    ],
)
def test_an_address_may_send_it_in_any_usual_way(message: dict[str, Any]) -> None:
    found = completed(message)
    assert (found.text, found.reasoning) == ("Save on.", THOUGHT)


@pytest.mark.parametrize(
    "message", [{"content": None, "reasoning_content": THOUGHT}, {"content": f"<think>{THOUGHT}"}]
)
def test_one_that_was_cut_while_it_thought_has_no_answer(message: dict[str, Any]) -> None:
    found = completed(message, "length")
    assert (found.text, found.reasoning, found.finish_reason) == ("", THOUGHT, "length")
    line = {"custom_id": "row-1", "response": {"status_code": 200, "body": reply(message, "length")}}
    told = answer_of_line(line)
    assert (told.text, told.reasoning, told.finish_reason) == ("", THOUGHT, "length")


def test_a_generation_at_an_address_keeps_it_beside_the_answer(
    start: Callable[..., Run], server: Any, project: Project, engineer: User
) -> None:
    def answer(body: dict[str, Any]) -> Sent:
        if body["messages"][-1]["content"].endswith("0"):
            return Sent(body=reply({"content": f"<think>{THOUGHT}"}, "length"))
        return Sent(body=reply({"content": "Save on.", "reasoning_content": THOUGHT}))

    server.answer = answer
    run = carried_out(start())
    assert (run.job.error, run.job.state) == ("", JobState.SUCCEEDED)
    stored = run.outputs.order_by("example__row_number").values_list("text", "reasoning", "finish_reason")
    assert list(stored) == [("", THOUGHT, "length"), *2 * [("Save on.", THOUGHT, "stop")]]
    (usage,) = candidate_usage(run)
    assert (usage.answers, usage.cut, usage.cut_reasoning) == (3, 1, 1)

    browser = client_of(engineer)
    page = browser.get(reverse("run_outputs", args=[project.slug, run.pk])).text
    assert f"Reasoning ({len(THOUGHT)} characters; neither reviewed nor scored)" in page
    assert "(no answer: truncated while the model was still reasoning)" in page
    assert "1 while reasoning, without an answer" in browser.get(
        reverse("run_detail", args=[project.slug, run.pk])
    ).text  # fmt: skip


def test_answers_made_elsewhere_come_in_parts_too(
    project: Project, engineer: User, version: DatasetVersion
) -> None:
    (elsewhere,) = make_candidates(project, ["elsewhere"])
    rows = [
        ImportedAnswer(text=f"<think>{THOUGHT}</think>Save on.", example_row=7),
        ImportedAnswer(text=f"<think>{THOUGHT}", example_row=8),
        ImportedAnswer(text="Save on.", reasoning=THOUGHT, example_row=9),
    ]
    run = import_outputs(
        project=project, dataset_version=version, candidate=elsewhere, rows=rows, name="Brought", by=engineer
    )
    stored = run.outputs.order_by("example__row_number").values_list("text", "reasoning", "finish_reason")
    assert list(stored) == [("Save on.", THOUGHT, ""), ("", THOUGHT, "length"), ("Save on.", THOUGHT, "")]
    told = program_of(engineer).get(f"projects/{project.slug}/runs/{run.pk}/outputs/").json()["results"]
    assert [each["reasoning"] for each in told] == [THOUGHT] * 3


def test_it_is_neither_shown_at_a_review_nor_scored_and_stands_on_the_case_page(
    project: Project, reviewer: User, manager: User
) -> None:
    campaign = make_campaign(project, [reviewer], rows=1, texts={"one": "Save on."})
    Output.objects.update(reasoning=THOUGHT)
    desk = client_of(reviewer).get(f"/reviews/campaigns/{campaign.key}/", follow=True)
    assert "Save on." in desk.text
    assert "zebra" not in desk.text

    run_scoring(campaign)
    assert MetricResult.objects.get(metric="words").value == 2

    case = reverse("case_detail", args=[project.slug, campaign.pk, campaign.items.get().pk])
    assert THOUGHT in client_of(manager).get(case).text
