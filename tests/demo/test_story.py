"""The demonstration's story on the recorded cycle: everything after the models is really done here."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.conf import settings as django_settings
from django.core.management import call_command
from django.db import connection, transaction
from django.utils import timezone
from django.utils.html import escape

from evalapp.accounts.models import Project
from evalapp.analysis.comparison.candidates import CandidateRow, Comparison, compare
from evalapp.analysis.comparison.differences import find_contradiction
from evalapp.analysis.scores.campaign_scores import load_scores
from evalapp.campaigns.models import Campaign
from evalapp.celery import app
from evalapp.core.errors import InvalidError
from evalapp.decisions import deletion
from evalapp.decisions.services import decide
from evalapp.demo import production
from evalapp.demo.models import Demonstration, Track
from evalapp.demo.recording import RECORDING, load_recording, recorded_at
from evalapp.demo.services import remove_demonstration, start_demonstration
from evalapp.demo.stage_set import demonstration_project
from evalapp.demo.story import STEPS, advance, person
from evalapp.demo.style_rules import FACT_RULE, STYLE_RULES
from evalapp.exports.lineage import model_lineage
from evalapp.exports.models import Export
from evalapp.gates.models import Ledger
from evalapp.gates.queries import applied_gates, evaluations_of, last_evaluation
from evalapp.monitoring.models import Stream
from evalapp.registry.models import ModelVersion
from evalapp.reviews.models import Review
from tests.cast import client_of

pytestmark = pytest.mark.django_db


def play(demonstration: Demonstration) -> Demonstration:
    """Carry the track to its end, doing what the workers would."""
    for _ in range(len(STEPS) + 1):
        advance(demonstration.pk)
        demonstration.refresh_from_db()
        if demonstration.finished_at is not None:
            return demonstration
        assert demonstration.job is not None
        app.tasks[demonstration.job.task](demonstration.job.pk)
        demonstration.job.refresh_from_db()
        assert demonstration.job.state == "succeeded", demonstration.job.error
    raise AssertionError("the story does not end")


@pytest.fixture(scope="module")
def recorded(django_db_setup: None, django_db_blocker: object, tmp_path_factory: pytest.TempPathFactory):
    """The finished recorded track, made once for the module."""

    folder = tmp_path_factory.mktemp("demonstration")
    kept = django_settings.HOME, django_settings.ARTIFACTS_FOLDER
    app.loader.import_default_modules()
    with pytest.MonkeyPatch.context() as patch, django_db_blocker.unblock(), transaction.atomic():  # type: ignore[attr-defined]
        django_settings.HOME = django_settings.ARTIFACTS_FOLDER = folder
        project = start_demonstration()
        patch.setattr(production, "WEEKS", 2)
        patch.setattr(production, "CHANGE", 1)
        patch.setattr(production, "BACK", 2)
        patch.setattr(production, "REVIEWED_A_WEEK", 6)
        yield play(Demonstration.objects.get(project=project, track=Track.RECORDED))
        django_settings.HOME, django_settings.ARTIFACTS_FOLDER = kept
        transaction.set_rollback(True)


@pytest.fixture
def project(recorded: Demonstration) -> Project:
    return recorded.project


def campaign_of(recorded: Demonstration, name: str) -> Campaign:
    return Campaign.objects.get(pk=recorded.objects_made[name])


def row_of(comparison: Comparison, name: str) -> CandidateRow:
    return next(row for row in comparison.rows if row.label.startswith(name))


@pytest.fixture
def feedback(recorded: Demonstration) -> Comparison:
    return compare(load_scores(campaign_of(recorded, "feedback_campaign")))


@pytest.fixture
def test_round(recorded: Demonstration) -> Comparison:
    return compare(load_scores(campaign_of(recorded, "test_campaign")))


def style_kept(comparison: Comparison, name: str) -> float:
    """Share of a candidate's test answers that keep every style rule."""
    names = [rule["name"] for rule in STYLE_RULES]
    rules = [rule for rule in comparison.rules if rule.name in names]
    assert len(rules) == len(STYLE_RULES)
    outputs = row_of(comparison, name).candidate.model_version.outputs.filter(example__split="test")
    broken = outputs.filter(
        metric_results__metric__in=[rule.metric for rule in rules], metric_results__value=0
    ).distinct()
    return 1 - broken.count() / outputs.count()


def test_rouge_ranks_v1_first_and_reviewers_do_not(recorded: Demonstration, feedback: Comparison):
    scores = load_scores(campaign_of(recorded, "feedback_campaign"))
    contradiction = find_contradiction(scores, feedback)

    assert contradiction is not None
    assert contradiction.metric_first.label.startswith("v1")
    assert contradiction.cell.criterion.key == "tone"
    assert contradiction.cell.mean.value is not None and contradiction.cell.mean.value < 3
    v1, base = (row_of(feedback, name).metrics["rougeL"].value for name in ("v1", "Base"))
    assert v1 > base


def test_v2_keeps_house_style_and_rouge_does_not_rise(test_round: Comparison):
    assert style_kept(test_round, "v2") >= 0.9
    assert style_kept(test_round, "v1") < 0.3
    assert style_kept(test_round, "Base") < 0.3
    v1, v2 = (row_of(test_round, name).metrics["rougeL"].value for name in ("v1", "v2"))
    assert v2 <= v1
    tone = {name: row_of(test_round, name).cell("tone").mean.value for name in ("v1", "v2")}
    assert tone["v2"] > tone["v1"] + 1


def test_unsupported_numbers_are_counted(test_round: Comparison):
    (rule,) = [rule for rule in test_round.rules if rule.name == FACT_RULE["name"]]
    shares = [row.rules[rule.pk].value for row in test_round.rows]
    assert all(share is not None for share in shares)
    assert min(shares) < 1, "a model of this size invents some"


def test_the_first_screen_says_it(recorded: Demonstration, project: Project):
    page = client_of(person("manager")).get(f"/projects/{project.slug}/").content.decode()
    assert "ROUGE-L ranks" in page
    assert "Rate 5 yourself" in page
    assert "a program, not people, wrote the reviews" in page


def test_what_was_recorded_and_what_was_made_from_it_here_are_told_apart(
    recorded: Demonstration, project: Project
):
    client, day = client_of(person("owner")), f"{recorded_at():%-d %b %Y}"
    for place in ("", "runs/", "models/", "campaigns/", "results/", "data/proposed-rows/"):
        page = client.get(f"/projects/{project.slug}/{place}").text
        assert "(recorded)" in page and f"and their answers, are of {day}." in page, place

    steps = client.get(f"/projects/{project.slug}/demonstration/").text
    assert f"generated earlier by this pipeline, on {day}" in steps
    assert "were created from them on this machine" in steps
    assert "All of it is really executed" not in steps

    visitors = campaign_of(recorded, "visitors_campaign")
    assert "recorded" not in visitors.name and not visitors.is_recorded


def test_a_gate_was_frozen_before_the_first_review_and_says_what_it_found(
    recorded: Demonstration, project: Project
):
    campaign = campaign_of(recorded, "test_campaign")
    (campaign_gate,) = applied_gates(campaign)
    assert campaign_gate.created_at < campaign.reviews.earliest("created_at").created_at
    assert not campaign_gate.is_exploratory and campaign_gate.gate.frozen_at is not None
    evaluation = last_evaluation(campaign_gate)
    assert evaluation is not None and evaluation.candidate.label.startswith("v2")
    verdicts = {each.candidate.label: each.verdict for each in evaluations_of(campaign_gate)}
    assert verdicts == {"v2 (recorded)": "release", "Prompt (recorded)": "do_not_release"}
    failed = [
        each["condition"] for each in evaluations_of(campaign_gate)[1].results if each["state"] == "not_met"
    ]
    assert "veto" in {each["kind"] for each in failed}, "a prompt alone invents figures"
    # Nobody but simulated reviewers has rated: it is marked, spends nothing of the level and cannot be
    # signed.
    assert evaluation.is_simulated and not evaluation.may_be_signed
    assert not Ledger.objects.filter(dataset_version__dataset__project=project).exists()
    with pytest.raises(InvalidError, match="simulated reviewers"):
        decide(
            campaign=campaign, candidate=evaluation.candidate, verdict="not_yet", note="", by=person("owner"),
            evaluation=evaluation,
        )  # fmt: skip
    client = client_of(person("manager"))
    panel = client.get(f"/projects/{project.slug}/results/{campaign.pk}/").text
    assert "Only simulated reviewers rated; this decides nothing." in panel
    page = client.get(f"/projects/{project.slug}/campaigns/{campaign.pk}/gate/").text
    for condition in campaign_gate.gate.parsed_conditions:
        assert escape(condition.words) in page
    assert "Earlier evaluations" in page


def test_v2_comes_from_the_accepted_corrections_alone(recorded: Demonstration):
    export = Export.objects.get(pk=recorded.objects_made["export"])
    v2 = ModelVersion.objects.get(pk=recorded.objects_made["v2"])

    lineage = model_lineage(recorded.project, v2.pk)

    assert export.dataset_version is not None
    newest = lineage.steps[0]
    assert newest.run is not None and newest.run.dataset_version == export.dataset_version
    assert export in newest.exports
    trained = export.dataset_version.examples.filter(split="train")
    sources = {example.provenance["export_row"] for example in trained if example.references}
    accepted = export.rows.filter(is_included=True, decision__in=["accepted", "edited"])
    assert sources <= set(accepted.values_list("pk", flat=True))
    # What was reviewed is training data now, and evaluates nothing any more.
    assert "feedback" not in export.dataset_version.counts


def test_everything_simulated_is_marked(recorded: Demonstration):
    reviews = Review.objects.filter(campaign__project=recorded.project, campaign__weekly_sample=None)
    assert reviews.count() == 40 * 3 * 3 + 20 * 4 * 3
    assert not reviews.filter(is_simulated=False).exists()
    for name in ("feedback_campaign", "test_campaign"):
        assert campaign_of(recorded, name).is_simulated
    assert not any(user.is_active for user in {review.reviewer for review in reviews[:50]})


def test_every_page_of_the_demonstration_is_filled(recorded: Demonstration, project: Project):
    client = client_of(person("owner"))
    for place in (
        "",
        "data/",
        "campaigns/rubrics/",
        "models/",
        "runs/",
        "campaigns/",
        "results/",
        "data/proposed-rows/",
    ):
        answer = client.get(f"/projects/{project.slug}/{place}", follow=True)
        assert answer.status_code == 200, place
    page = client.get(f"/projects/{project.slug}/demonstration/").content.decode()
    assert page.count("Done") == len(STEPS)


def test_a_visitor_rates_and_sees_their_row(recorded: Demonstration):
    campaign = campaign_of(recorded, "visitors_campaign")
    client = client_of(person("reviewer"))
    assert str(campaign.key) in client.get("/reviews/").content.decode()


def test_the_recording_names_no_folder_and_is_dated():
    recording = load_recording(RECORDING)
    assert recording["made_at"].startswith("20")
    assert '"/' not in str(recording["first_training"]["spec"]).replace("'", '"')
    assert len(recording["second_generation"]["outputs"]["v2"]) == 20


def look_at_tables() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE (SKIP_LOCKED)")
    connection.close()


def test_starting_twice_makes_one_and_reset_makes_it_anew(recorded: Demonstration, capsys, monkeypatch):
    before = Project.objects.count()
    assert start_demonstration() == recorded.project
    assert Project.objects.count() == before

    # The database looks at its tables by itself, and sees none of the rows that are not committed.
    with ThreadPoolExecutor(1) as executor:
        executor.submit(look_at_tables).result()
    monkeypatch.setattr(deletion, "allow_long_statements", lambda: None)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = '60s'")
    call_command("demo", "--reset")

    fresh = demonstration_project()
    assert fresh is not None and fresh.pk != recorded.project.pk
    assert not Review.objects.filter(campaign__project=fresh).exists()
    assert "deleted" in capsys.readouterr().out
    assert remove_demonstration()


def test_weeks_in_production_are_played(recorded: Demonstration) -> None:
    """All twelve are played by `make verify`."""
    streams = Stream.objects.filter(project=recorded.project)
    assert {stream.name for stream in streams} == {each.name for each in production.STORIES}
    for stream in streams:
        assert [week.state for week in stream.weekly_samples.order_by("number")] == ["evaluated"] * 2
        assert stream.paused_at is None and stream.next_sample_at > timezone.now()
        assert stream.deployments.filter(ended_at=None).get().served_as == "summaries-v2"
        assert stream.daily_metrics.filter(metric="assessed:thumb").exists()
