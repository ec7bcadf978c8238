"""Scores are the references' scores, appear by themselves, and follow the project's rules."""

import pytest
from rouge_score.rouge_scorer import RougeScorer

from evalapp.accounts.models import Project, User
from evalapp.campaigns.models import Campaign
from evalapp.core.errors import InvalidError
from evalapp.jobs.models import Job, JobState
from evalapp.jobs.work import Work
from evalapp.runs.models import Run
from evalapp.runs.signals import outputs_stored
from evalapp.scoring import scoring_job
from evalapp.scoring.models import CorpusMetric, MetricResult, RuleCheck
from evalapp.scoring.services import SCORE_TASK, save_rule_check, scoring_of, set_rule_active, start_scoring
from evalapp.scoring.tasks import score_run
from tests.cast import client_of
from tests.factories import make_campaign, run_scoring

pytestmark = pytest.mark.django_db


@pytest.fixture
def campaign(project: Project, reviewer: User) -> Campaign:
    return make_campaign(project, [reviewer], rows=3)


def add_rule(project: Project, name: str, kind: str, **params: object) -> RuleCheck:
    return save_rule_check(project=project, name=name, kind=kind, params=params, by=None)


def run_of(campaign: Campaign) -> Run:
    return Run.objects.filter(outputs__item_outputs__item__campaign=campaign).distinct().get()


def test_every_output_has_the_references_scores(campaign: Campaign) -> None:
    run = run_scoring(campaign)

    scorer = RougeScorer(["rougeL"], use_stemmer=True)
    for output in run.outputs.select_related("example"):
        result = MetricResult.objects.get(output=output, metric="rougeL")
        expected = scorer.score(output.example.references[0], output.text)["rougeL"].fmeasure
        assert result.value == expected
    names = set(MetricResult.objects.filter(output__run=run).values_list("metric", flat=True))
    assert {"rouge1", "rouge2", "rougeL", "bleu", "chrf", "token_f1", "exact_match"} <= names
    assert CorpusMetric.objects.filter(run=run, metric="bleu").count() == 2


def test_scoring_starts_by_itself_when_outputs_are_there(campaign: Campaign) -> None:
    run = run_of(campaign)
    assert scoring_of(run) is None
    outputs_stored.send(sender=Run, run=run)
    waiting = scoring_of(run)
    assert waiting is not None and waiting.task == SCORE_TASK
    # Asked again before it began, it is the same job.
    assert start_scoring(run=run, by=None) == waiting


def test_a_rule_added_later_is_applied_by_scoring_again(campaign: Campaign, project: Project) -> None:
    run = run_scoring(campaign)
    before = MetricResult.objects.filter(output__run=run).count()
    rule = add_rule(project, "One next step", "contains", texts=["Next step:"])

    run_scoring(campaign)

    preferences = dict(
        MetricResult.objects.filter(metric=rule.metric, output__example__row_number=1).values_list(
            "output__candidate__label", "value"
        )
    )
    assert preferences == {"formal": 0.0, "plain": 1.0}
    assert MetricResult.objects.filter(output__run=run).count() == before + 6


def test_a_retired_rule_is_not_applied(campaign: Campaign, project: Project, manager: User) -> None:
    rule = add_rule(project, "Short", "length", maximum=3, unit="words")
    set_rule_active(rule_check=rule, is_active=False, by=manager)
    run_scoring(campaign)
    assert not MetricResult.objects.filter(metric=rule.metric).exists()


def test_a_run_without_outputs_is_not_scored(campaign: Campaign) -> None:
    run = run_of(campaign)
    empty = Run.objects.create(
        project=run.project, kind=run.kind, name="Empty", job=_copy_of(run.job),
        dataset_version=run.dataset_version, splits=run.splits,
    )  # fmt: skip
    with pytest.raises(InvalidError, match="has no outputs to score yet"):
        start_scoring(run=empty, by=None)


def _copy_of(job: Job) -> Job:
    return Job.objects.create(project=job.project, task=job.task, title="Empty")


@pytest.mark.parametrize(
    ("kind", "params", "field"),
    [
        ("contains", {"texts": []}, "texts"),
        ("pattern", {"pattern": "("}, "pattern"),
        ("length", {"minimum": 9, "maximum": 3, "unit": "words"}, "minimum"),
        ("length", {"maximum": 10**17, "unit": "words"}, "maximum"),
        ("contains", {"texts": ["a", "\u200b\u2060"]}, "texts"),
        ("contains", {"texts": ["a" * 1900] * 11}, "texts"),
        ("mentions_field", {"field": "\u200b"}, "field"),
        ("mentions_field", {"field": "f" * 10**6}, "field"),
        ("no_such_rule", {}, ""),
    ],
)
def test_an_impossible_rule_is_refused_where_it_is_written(
    project: Project, kind: str, params: dict[str, object], field: str
) -> None:
    with pytest.raises(InvalidError) as refused:
        save_rule_check(project=project, name="Rule", kind=kind, params=params, by=None)
    assert field in str(refused.value.fields) + str(refused.value)
    assert not project.rule_checks.exists()


def test_a_phrase_that_cannot_be_seen_is_named_by_its_place(project: Project) -> None:
    with pytest.raises(InvalidError) as refused:
        add_rule(project, "Rule", "must_not_contain", texts=["goal", "\u200b\u2060"])
    assert refused.value.fields == {
        "texts": ["Text 2 has no visible characters; write the text to search for."]
    }


def test_a_rule_is_made_changed_and_retired_in_the_browser(project: Project, manager: User) -> None:
    client = client_of(manager)
    address = f"/projects/{project.slug}/settings/rule-checks/"
    page = client.get(address)
    assert page.status_code == 200
    answer = client.post(f"{address}new/contains/", {"name": "Names a goal", "texts": "goal\naim"})
    assert answer.status_code == 302, answer.content.decode()
    rule = project.rule_checks.get()
    assert (rule.name, rule.kind, rule.params["texts"]) == ("Names a goal", "contains", ["goal", "aim"])
    twice = client.post(f"{address}new/contains/", {"name": "names a goal", "texts": "goal"})
    assert "There is a rule named" in twice.content.decode()
    assert project.rule_checks.count() == 1

    changed = client.post(f"{address}{rule.pk}/", {"name": "Names a goal", "texts": "goal"})
    assert changed.status_code == 302
    client.post(f"{address}{rule.pk}/use/", {"active": "0"})
    rule.refresh_from_db()
    assert (rule.params["texts"], rule.is_active) == (["goal"], False)


def scored_by(job: Job) -> Job:
    score_run(job.pk)
    job.refresh_from_db()
    return job


def test_a_cancel_is_heard_and_progress_shown_between_two_outputs(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[int] = []

    def report(work: Work, done: int, *rest: object, **also: object) -> None:
        shown.append(done)
        if done == 2:
            work._keeper.cancelled.set()

    monkeypatch.setattr(Work, "report", report)
    job = scored_by(start_scoring(run=run_of(campaign), by=None))
    assert (job.state, shown) == (JobState.CANCELLED, [0, 1, 2])


def test_long_outputs_are_stored_in_smaller_batches(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored: list[int] = []
    monkeypatch.setattr(scoring_job, "BATCH_CHARACTERS", 10)
    monkeypatch.setattr(
        Work, "fence", lambda work: stored.append(MetricResult.objects.filter(metric="words").count())
    )
    run_scoring(campaign)
    assert stored[:6] == [1, 2, 3, 4, 5, 6]


def test_one_hostile_text_costs_no_other_output_its_scores(campaign: Campaign, project: Project) -> None:
    run = run_of(campaign)
    invented = add_rule(project, "Facts", "no_unsupported_numbers")
    hostile = run.outputs.order_by("pk")[0]
    hostile.text = "9" * 999_999 + "k and 12," + "12," * 10_000
    hostile.save(update_fields=["text"])
    assert scored_by(start_scoring(run=run, by=None)).state == JobState.SUCCEEDED
    assert MetricResult.objects.filter(metric=invented.metric, output__run=run).count() == 6
    assert MetricResult.objects.get(output=hostile, metric=invented.metric).value == 0


def test_a_rule_that_can_no_longer_be_read_is_left_out_and_named(
    campaign: Campaign, project: Project
) -> None:
    rule = add_rule(project, "Old limits", "contains", texts=["goal"])
    other = add_rule(project, "Short", "length", maximum=3, unit="words")
    project.rule_checks.filter(pk=rule.pk).update(params={"texts": ["a" * 1900] * 11})
    job = scored_by(start_scoring(run=run_of(campaign), by=None))
    assert job.state == JobState.SUCCEEDED
    warning = job.events.get(level="warning").text
    assert warning.startswith("The rule “Old limits” was left out: The phrases have 20,900 characters")
    assert MetricResult.objects.filter(metric=other.metric).count() == 6
    assert not MetricResult.objects.filter(metric=rule.metric).exists()


def test_texts_too_long_for_the_oracle_are_left_out_of_the_check_and_the_log_says_so(
    campaign: Campaign,
) -> None:
    run = run_of(campaign)
    output = run.outputs.order_by("pk")[0]
    output.text = "word " * 2000
    output.save(update_fields=["text"])
    job = scored_by(start_scoring(run=run, by=None))
    checked = job.result["rouge_check"]
    assert (checked["checked"], checked["too_long"], checked["differences"]) == (5, 1, [])
    assert job.events.filter(text__contains="more than 5,000 characters: 1.").exists()
