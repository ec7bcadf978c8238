"""A judge is asked through the guard, keeps what it says, and is shown beside people alone."""

import logging

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from evalapp.accounts.models import Project, User
from evalapp.analysis.scores.campaign_scores import load_scores
from evalapp.audit.models import AuditEvent
from evalapp.campaigns.models import Campaign
from evalapp.core.errors import ConflictError, InvalidError
from evalapp.core.outgoing import OutgoingRefusedError
from evalapp.jobs.models import Job, JobEvent, JobState
from evalapp.jobs.services import request_cancel, retry_job
from evalapp.llm_judges.agreement import judge_agreement
from evalapp.llm_judges.models import LLMJudge, LLMScore
from evalapp.llm_judges.queries import campaigns_of
from evalapp.llm_judges.sealing import opened_key
from evalapp.llm_judges.services import (
    ask_again,
    create_judge,
    delete_judge,
    replace_key,
    start_judging,
)
from evalapp.llm_judges.tasks import ask_judge
from tests.api.conftest import program_of
from tests.cast import client_of
from tests.factories import make_campaign
from tests.llm_judges.chat import Chat
from tests.llm_judges.conftest import SECRET, asked

pytestmark = pytest.mark.django_db

OUTPUTS = 12


def test_every_output_is_asked_about_once_with_what_was_declared(
    judge: LLMJudge, campaign: Campaign, chat: Chat
) -> None:
    job = asked(judge, campaign)
    assert (job.state, job.result) == (JobState.SUCCEEDED, {"outputs": OUTPUTS, "asked": OUTPUTS})
    assert judge.scores.filter(state="answered", value=3, reported_model=chat.model).count() == OUTPUTS

    call, question = chat.receiver.calls[0], chat.questions[0]
    assert call.path == "/v1/chat/completions"
    assert call.headers["Authorization"] == f"Bearer {SECRET}"
    assert (question["model"], question["temperature"]) == ("judge-1", 0.5)
    text = question["messages"][0]["content"]
    assert "Criterion: Tone" in text
    assert "Summarise portfolio" in text
    assert judge.scores.order_by("output_id")[0].output.text in text

    assert asked(judge, campaign).result == {"outputs": OUTPUTS, "asked": 0}
    assert len(chat.receiver.calls) == OUTPUTS


def test_what_is_no_answer_is_counted_and_can_be_asked_again(
    judge: LLMJudge, campaign: Campaign, chat: Chat, manager: User
) -> None:
    chat.say = lambda question: (
        "Rather warm." if "portfolio 1." in question else "n/a" if "portfolio 2." in question else "5"
    )
    asked(judge, campaign)
    found = judge_agreement(judge, load_scores(campaign))
    assert found.counts == {"answered": 8, "not_applicable": 2, "unparsed": 2, "failed": 0}

    with pytest.raises(ConflictError):
        ask_again(judge=judge, campaign=campaign, by=manager, output_id=1)
    one = judge.scores.filter(state="unparsed").first()
    assert one is not None
    chat.say = lambda question: "2"
    ask_judge(ask_again(judge=judge, campaign=campaign, by=manager, output_id=one.output_id).pk)
    assert judge.scores.get(output=one.output_id).value == 2
    assert judge.scores.filter(state="unparsed").count() == 1


def test_a_question_that_fails_is_tried_again_and_then_kept_as_failed(
    judge: LLMJudge, campaign: Campaign, chat: Chat, manager: User
) -> None:
    tries: dict[str, int] = {}

    def say(question: str) -> str | int:
        tries[question] = tries.get(question, 0) + 1
        if "portfolio 1." in question:
            return 500
        return 429 if tries[question] == 1 else "4"

    chat.say = say
    job = asked(judge, campaign)
    assert job.state == JobState.SUCCEEDED
    failed = judge.scores.filter(state="failed")
    assert failed.count() == 2
    assert failed[0].problem.startswith("The endpoint answered 500:")
    assert judge.scores.filter(state="answered", value=4).count() == OUTPUTS - 2
    assert sorted(set(tries.values())) == [2, 3]

    chat.say = lambda question: "1"
    ask_judge(ask_again(judge=judge, campaign=campaign, by=manager).pk)
    assert judge.scores.filter(state="failed").count() == 0


def test_an_address_that_only_fails_ends_the_job_and_a_retry_goes_on(
    judge: LLMJudge, campaign: Campaign, chat: Chat
) -> None:
    chat.say = lambda question: 503
    job = asked(judge, campaign)
    assert job.state == JobState.FAILED
    assert job.error.startswith("5 questions in a row got no reply; the last: The endpoint answered 503")
    chat.say = lambda question: "3"
    retry_job(job=job, by=None)
    ask_judge(job.pk)
    job.refresh_from_db()
    assert job.state == JobState.SUCCEEDED
    assert judge.scores.filter(state="answered").count() == OUTPUTS - 5


def test_a_refused_key_ends_the_job_at_once(judge: LLMJudge, campaign: Campaign, chat: Chat) -> None:
    chat.say = lambda question: 401
    job = asked(judge, campaign)
    assert (job.state, job.error) == (JobState.FAILED, "The endpoint refused the API key (401).")
    assert len(chat.receiver.calls) == 1
    assert not judge.scores.exists()


def test_a_cancelled_job_asks_nothing_and_another_may_start(
    judge: LLMJudge, campaign: Campaign, chat: Chat
) -> None:
    job = start_judging(judge=judge, campaign=campaign, by=None)
    request_cancel(job=job, by=None)
    ask_judge(job.pk)
    assert not chat.receiver.calls
    assert start_judging(judge=judge, campaign=campaign, by=None).pk != job.pk


def test_the_guard_judges_the_address(
    judge: LLMJudge, campaign: Campaign, chat: Chat, settings: object, manager: User
) -> None:
    settings.OUTGOING_ALLOWED = ("models.example",)  # type: ignore[attr-defined]
    with pytest.raises(OutgoingRefusedError, match="EVALAPP_OUTGOING_ALLOWED"):
        start_judging(judge=judge, campaign=campaign, by=manager)
    with pytest.raises(OutgoingRefusedError):
        create_judge(
            project=judge.project, criterion=judge.criterion, name="Inside", url="http://10.0.0.1/v1",
            model="m", by=manager,
        )  # fmt: skip
    assert not chat.receiver.calls


def test_the_key_is_seen_nowhere_after_it_was_saved(
    judge: LLMJudge,
    campaign: Campaign,
    chat: Chat,
    manager: User,
    project: Project,
    caplog: pytest.LogCaptureFixture,
    settings: object,
) -> None:
    caplog.set_level(logging.DEBUG)
    assert opened_key(judge) == SECRET
    # An endpoint that repeats what it was sent.
    chat.refusal = f"bad key {SECRET}"
    chat.say = lambda question: 500
    asked(judge, campaign)
    browser, program = client_of(manager), program_of(manager)
    pages = [
        browser.get(reverse("judge_list", args=[project.slug])).text,
        browser.get(reverse("judge_detail", args=[project.slug, judge.pk])).text,
        browser.get(reverse("judge_campaign", args=[project.slug, campaign.pk, judge.pk])).text,
        browser.get(reverse("audit_list", args=[project.slug])).text,
        program.get(f"projects/{project.slug}/judges/").text,
        program.get(f"projects/{project.slug}/judges/{judge.pk}/").text,
    ]
    refused = browser.post(
        reverse("judge_list", args=[project.slug]), {"name": "", "secret": SECRET, "url": "x"}
    )
    stored = [
        str(list(LLMJudge.objects.values())),
        str(list(LLMScore.objects.values())),
        str(list(AuditEvent.objects.values())),
        str(list(JobEvent.objects.values())),
        str(list(Job.objects.values())),
    ]
    assert refused.status_code == 400
    for text in (*pages, refused.text, *stored, caplog.text):
        assert SECRET not in text
    assert "[key]" in pages[2]

    settings.SECRET_KEY = "another " * 8  # type: ignore[attr-defined]
    with pytest.raises(InvalidError, match="Enter it again"):
        start_judging(judge=judge, campaign=campaign, by=manager)


def test_another_key_takes_its_place(judge: LLMJudge, manager: User) -> None:
    with pytest.raises(InvalidError) as told:
        replace_key(judge=judge, secret="two words", by=manager)
    assert "two words" not in str(told.value.fields)
    replace_key(judge=judge, secret="", by=manager)
    judge.refresh_from_db()
    assert (judge.sealed_key, opened_key(judge)) == ("", "")


def test_a_declaration_that_cannot_be_used_names_its_field(
    judge: LLMJudge, project: Project, manager: User
) -> None:
    good = {"criterion": judge.criterion, "name": "Another", "url": judge.url, "model": "m"}
    for field, value in (
        ("model", " "), ("temperature", 3.0), ("prompt", "No place."), ("secret", "a b"), ("model_version",
        "x" * 101),
    ):  # fmt: skip
        with pytest.raises(InvalidError) as told:
            create_judge(project=project, by=manager, **{**good, field: value})  # type: ignore[arg-type]
        assert list(told.value.fields) == [field]
    with pytest.raises(ConflictError):
        create_judge(project=project, by=manager, **{**good, "name": "Tone judge"})  # type: ignore[arg-type]
    with pytest.raises(IntegrityError), transaction.atomic():
        LLMScore.objects.create(judge=judge, output_id=1, state="answered")


def test_a_campaign_of_another_rubric_is_not_asked_about(
    judge: LLMJudge, project: Project, reviewer: User, campaign: Campaign, manager: User
) -> None:
    other = make_campaign(
        project, [reviewer], name="Autumn round", texts={"one": "One {n}.", "two": "Two {n}."}
    )
    with pytest.raises(InvalidError, match="the judge's criterion"):
        start_judging(judge=judge, campaign=other, by=manager)
    endpoint = reverse("judge_campaign", args=[project.slug, other.pk, judge.pk])
    assert client_of(manager).get(endpoint).status_code == 404


def test_a_campaign_that_compares_answers_is_not_asked_about(
    judge: LLMJudge, campaign: Campaign, reviewer: User
) -> None:
    compared = make_campaign(
        campaign.project,
        [reviewer],
        rows=2,
        texts={"one": "One {n}.", "two": "Two {n}."},
        method="pairwise",
        name="Side by side",
        rubric_version=judge.criterion.version,
    )
    assert campaign in campaigns_of(judge) and compared not in campaigns_of(judge)


def test_deleting_takes_the_scores_and_waits_for_no_job(
    judge: LLMJudge, campaign: Campaign, manager: User
) -> None:
    job = start_judging(judge=judge, campaign=campaign, by=manager)
    with pytest.raises(ConflictError):
        delete_judge(judge=judge, by=manager)
    ask_judge(job.pk)
    delete_judge(judge=judge, by=manager)
    assert not LLMScore.objects.exists()
    assert AuditEvent.objects.get(action="llm_judge.deleted").data == {"scores": OUTPUTS}


def test_the_pages_declare_ask_and_show(
    project: Project, campaign: Campaign, chat: Chat, manager: User
) -> None:
    browser = client_of(manager)
    place = reverse("judge_list", args=[project.slug])
    body = {
        "name": "Clarity judge",
        "criterion": campaign.rubric_version.criteria.get(key="clarity").pk,
        "url": chat.url,
        "model": "judge-1",
        "temperature": "0",
        "secret": SECRET,
    }
    refused = browser.post(place, {**body, "url": "https://elsewhere.example/v1", "prompt": "Hm."})
    assert refused.status_code == 400
    made = browser.post(place, body, follow=True)
    assert "Created. Choose a campaign to score next." in made.text
    judge = project.llm_judges.get()
    here = reverse("judge_campaign", args=[project.slug, campaign.pk, judge.pk])
    assert f"Score {OUTPUTS} outputs" in browser.get(here).text
    browser.post(f"{here}start/")
    chat.say = lambda question: "Fine!"
    ask_judge(project.jobs.latest("id").pk)
    page = browser.get(here).text
    assert f"unparsed {OUTPUTS}" in page
    assert "“Fine!”" in page
    answer = browser.post(f"{here}again/")
    assert answer.status_code == 302
    assert "Scoring…" in browser.get(here).text


def test_the_api_does_the_same(
    project: Project, campaign: Campaign, chat: Chat, manager: User, reviewer: User
) -> None:
    program = program_of(manager)
    place = f"projects/{project.slug}/judges/"
    body = {
        "name": "By program",
        "criterion": campaign.rubric_version.criteria.get(key="tone").pk,
        "url": chat.url,
        "model": "judge-1",
        "secret": SECRET,
    }
    made = program.post(place, body)
    assert made.status_code == 201, made.text
    assert (made.json()["has_key"], "secret" in made.json()) == (True, False)
    here = f"{place}{made.json()['id']}/campaigns/{campaign.pk}/"
    job = program.post(here)
    assert job.status_code == 202
    ask_judge(job.json()["id"])
    told = program.get(here).json()
    assert (told["counts"]["answered"], told["waiting"]) == (OUTPUTS, 0)
    assert program.post(f"{here}again/").status_code == 409
    assert program.ask("DELETE", f"{place}{made.json()['id']}/").status_code == 204


def test_the_list_asks_the_database_as_often_for_many_as_for_one(
    judge: LLMJudge, project: Project, manager: User
) -> None:
    browser, counts = client_of(manager), []
    for name in ("", "Second", "Third"):
        if name:
            create_judge(
                project=project,
                criterion=judge.criterion,
                name=name,
                url=judge.url,
                model="m",
                by=manager,
            )
        if name != "Second":
            with CaptureQueriesContext(connection) as queries:
                browser.get(reverse("judge_list", args=[project.slug]))
            counts.append(len(queries))
    assert counts[0] == counts[1]
