"""Accepted corrections measure the candidates, and tell a blind metric from a stale reference."""

from functools import partial

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from sacrebleu.metrics.ter import TER

from evalapp.accounts.models import Project, User
from evalapp.analysis.metrics.metric_trust import trust_of
from evalapp.analysis.scores.campaign_scores import load_scores
from evalapp.campaigns.models import Campaign
from evalapp.core.errors import InvalidError
from evalapp.exports import correction_report as correction_report_module
from evalapp.exports.correction_report import (
    Conclusion,
    CorrectionReport,
    conclusion_of,
    correction_report,
    people_apart,
    sentence_of,
)
from evalapp.exports.correction_scoring import start_measuring
from evalapp.exports.corrections import corrections_of
from evalapp.exports.models import RowKind
from evalapp.exports.services import decide_row, propose_rows
from evalapp.exports.tasks import measure_corrections
from evalapp.jobs.models import JobState
from evalapp.measure import Measure
from evalapp.metrics.automatic.rouge import RougeOptions, rouge_batch
from evalapp.metrics.registry import METRICS
from evalapp.scoring.models import MetricResult
from evalapp.stats.correlation import segment_gain
from tests.api.conftest import program_of
from tests.cast import client_of
from tests.factories import answers, corrected, make_campaign, make_proposed_rows, review_all, run_scoring
from tests.kept_cast import FIXTURES, Cast, again

pytestmark = pytest.mark.django_db
cast, owner, manager, engineer, reviewer, other_reviewer, project, empty_project = FIXTURES

ROWS = 6
PLAIN = "You own portfolio {n}. Next step: call us."


def better(row: int) -> str:
    return f"You own portfolio {row}. Next step: call us before July."


@pytest.fixture(scope="module")
def corrected_campaign(cast: Cast) -> Campaign:
    """Two people correct the formal answers of four rows; the last two are corrected by one alone."""
    made = make_campaign(cast.project, [cast.reviewer, cast.other_reviewer], rows=ROWS)
    run_scoring(made)
    for person, rows in ((cast.reviewer, range(1, 5)), (cast.other_reviewer, range(3, 7))):
        said = {("formal", row): corrected(answers(tone=2), f"{better(row)} {person.name}") for row in rows}
        review_all(made, person, {"plain": answers(tone=5), "formal": answers(tone=2), **said})
    return made


@pytest.fixture
def campaign(corrected_campaign: Campaign) -> Campaign:
    return again(corrected_campaign)


def accept(campaign: Campaign, by: User, *, decision: str = "accepted", text: str = "") -> None:
    export = make_proposed_rows(campaign, by)
    for row in export.rows.filter(kind=RowKind.ANSWER, is_included=True, rejected_output__isnull=False):
        decide_row(row=row, decision=decision, by=by, text=text)


def measured(campaign: Campaign) -> CorrectionReport:
    job = start_measuring(campaign=campaign, by=None)
    measure_corrections(job.pk)
    job.refresh_from_db()
    assert job.state == JobState.SUCCEEDED, job.error
    return reported(campaign)


def reported(campaign: Campaign) -> CorrectionReport:
    scores = load_scores(campaign)
    return correction_report(scores, next(each for each in scores.scales if each.key == "tone"))


def test_only_what_somebody_else_accepted_counts(campaign: Campaign, manager: User) -> None:
    assert (len(corrections_of(campaign).accepted), corrections_of(campaign).waiting) == (0, 8)
    with pytest.raises(InvalidError, match="accept the good ones first"):
        start_measuring(campaign=campaign, by=manager)

    export = make_proposed_rows(campaign, manager)
    rows = list(export.rows.filter(kind=RowKind.ANSWER, rejected_output__isnull=False).order_by("pk"))
    decide_row(row=rows[0], decision="accepted", by=manager)
    decide_row(row=rows[1], decision="edited", by=manager, text="As edited.")
    decide_row(row=rows[2], decision="rejected", by=manager)
    found = corrections_of(campaign)
    assert (len(found.accepted), found.waiting, found.rejected) == (2, 5, 1)
    assert sorted(each.text for each in found.accepted) == sorted([rows[0].chosen_text, "As edited."])

    # The latest word counts, in whichever export.
    accept(campaign, manager, decision="rejected")
    assert (corrections_of(campaign).accepted, corrections_of(campaign).rejected) == ([], 8)


def test_the_edit_rate_is_the_reference_implementations(campaign: Campaign, manager: User) -> None:
    accept(campaign, manager)
    assert reported(campaign).unmeasured == 2 * ROWS
    assert reported(campaign).candidates[0].rate.reason == "not measured yet"

    report = measured(campaign)

    assert report.unmeasured == 0
    formal, plain = report.candidates
    texts = {
        output.example.row_number: output.text
        for output in campaign.items.first()
        .outputs.first()
        .output.run.outputs.select_related("example", "candidate")
        if output.candidate.label == "formal"
    }
    by_row: dict[int, list[float]] = {}
    for each in corrections_of(campaign).accepted:
        row = int(each.text.split("portfolio ")[1].split(".")[0])
        by_row.setdefault(row, []).append(TER().sentence_score(texts[row], [each.text]).score)
    expected = sum(sum(rates) / len(rates) for rates in by_row.values()) / ROWS
    assert formal.rate.value == pytest.approx(expected, abs=1e-12)
    assert formal.rate.n == ROWS
    assert (formal.corrected.value, formal.corrected.n) == (1.0, ROWS)
    assert (plain.rate.reason, plain.corrected.value) == ("no accepted correction", 0.0)


def test_metrics_are_computed_again_with_corrections_as_references(campaign: Campaign, manager: User) -> None:
    accept(campaign, manager)
    report = measured(campaign)

    by_example = corrections_of(campaign).by_example
    options = RougeOptions(variants=("rougeL",))
    for output in campaign.items.first().outputs.first().output.run.outputs.all():
        texts = tuple(each.text for each in by_example[output.example_id])
        own = {each.text for each in by_example[output.example_id] if each.output_id == output.pk}
        stored = {
            result.metric.partition(":")[0]: result
            for result in MetricResult.objects.filter(output=output, metric__endswith=f"{campaign.pk}:rougeL")
        }
        [expected] = rouge_batch([output.text], [texts], options)
        assert stored["corrected"].value == expected["rougeL"].value
        if own:
            assert stored["corrected-others"].reason == "only the output itself was corrected"
        else:
            assert stored["corrected-others"].value == expected["rougeL"].value

    # ROUGE-L prefers the formal answers, which are the references; people and their corrections do not.
    rouge = next(each for each in report.conclusions if each.metric.name == "rougeL")
    assert rouge.references.value is not None and rouge.references.value < 0
    assert rouge.corrections.value is not None and rouge.corrections.value > 0.8
    assert rouge.conclusion == "stale"
    # Of six examples, so it is said with reserve.
    assert rouge.sentence.startswith("The references may be stale for ROUGE-L on Tone: on 12 outputs")
    assert "Each answer's own correction is among its references" in rouge.sentence


def test_with_many_corrections_it_is_said_without_reserve(
    campaign: Campaign, manager: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(correction_report_module, "ENOUGH_EXAMPLES", ROWS)
    accept(campaign, manager)
    report = measured(campaign)
    assert report.caution == ""
    rouge = next(each for each in report.conclusions if each.metric.name == "rougeL")
    assert rouge.sentence.startswith("The references are stale for ROUGE-L on Tone")
    assert "perhaps" not in report.headline.lower()


def test_corrections_that_the_finder_picked_are_said_to_be_and_temper_what_is_found(
    campaign: Campaign, manager: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(correction_report_module, "ENOUGH_EXAMPLES", 1)
    found = [output.item_output_id for output in load_scores(campaign).outputs]
    because = "ROUGE-L in its highest 10%"
    export = propose_rows(campaign=campaign, by=manager, name="Found", only=found, picked_because=because)
    rows = export.rows.filter(kind=RowKind.ANSWER, is_included=True, rejected_output__isnull=False)
    for row in rows:
        decide_row(row=row, decision="accepted", by=manager)
    report = measured(campaign)
    assert corrections_of(campaign).picked == 8
    assert (
        "8 of the 8 accepted corrections are of outputs that the disagreement finder picked" in report.caution
    )
    assert "Few corrections" not in report.caution
    rouge = next(each for each in report.conclusions if each.metric.name == "rougeL")
    assert (rouge.conclusion, "may be stale" in rouge.sentence) == ("stale", True)

    # Accepted among rows of all feedback as well, they are no longer the finder's alone.
    accept(campaign, manager)
    assert corrections_of(campaign).picked == 0
    assert reported(campaign).caution == ""


def test_a_campaign_of_picked_items_has_picked_corrections(campaign: Campaign, manager: User) -> None:
    accept(campaign, manager)
    assert corrections_of(campaign).picked == 0
    item = campaign.items.values_list("example", flat=True)[0]
    Campaign.objects.filter(pk=campaign.pk).update(picked_examples=[item], picked_because="for what was said")
    campaign.refresh_from_db()
    assert corrections_of(campaign).picked == 8


def test_other_corrections_are_measured_anew_and_the_same_are_kept(campaign: Campaign, manager: User) -> None:
    accept(campaign, manager)
    measured(campaign)
    job = start_measuring(campaign=campaign, by=None)
    measure_corrections(job.pk)
    job.refresh_from_db()
    assert job.result == {"outputs": 2 * ROWS, "measured": 0, "kept": 2 * ROWS}

    row = campaign.exports.get().rows.filter(kind=RowKind.ANSWER, rejected_output__isnull=False).first()
    assert row is not None
    decide_row(row=row, decision="edited", by=manager, text="Quite another text.")
    # Both candidates' outputs to that example.
    assert reported(campaign).unmeasured == 2
    assert measured(campaign).unmeasured == 0


def measure(low: float, value: float, high: float) -> Measure:
    return Measure(value=value, n=50, low=low, high=high, signature="test")


@pytest.mark.parametrize(
    ("before", "after", "gain", "expected"),
    [
        ((0.6, 0.7, 0.8), (0.6, 0.7, 0.8), (-0.1, 0.0, 0.1), "follows"),
        ((-0.2, 0.0, 0.2), (0.6, 0.7, 0.8), (0.3, 0.7, 0.9), "stale"),
        ((-0.2, 0.0, 0.2), (0.3, 0.5, 0.7), (-0.1, 0.5, 0.9), "open"),
        ((-0.2, 0.0, 0.2), (-0.2, 0.0, 0.2), (-0.1, 0.0, 0.1), "blind"),
        ((-0.2, 0.0, 0.2), (-0.2, 0.1, 0.5), (-0.1, 0.1, 0.4), "open"),
        ((-0.5, -0.4, -0.3), (-0.5, -0.4, -0.3), (-0.1, 0.0, 0.1), "blind"),
    ],
)
def test_what_is_found_rests_on_the_ends_of_the_intervals(
    before: tuple[float, float, float],
    after: tuple[float, float, float],
    gain: tuple[float, float, float],
    expected: Conclusion,
) -> None:
    ceiling = measure(0.8, 0.9, 0.95)
    trusts = [trust_of("Tone", METRICS["rougeL"], measure(*each), ceiling) for each in (before, after)]
    assert conclusion_of(trusts[0], trusts[1], measure(*gain)) == expected


@pytest.mark.parametrize(
    ("ceiling", "why"),
    [
        (measure(0.0, 0.3, 0.6), "people may agree too little on Tone"),
        (Measure.undefined("one reviewer", signature="ceiling"), "is not known (one reviewer)"),
    ],
)
def test_no_metric_is_called_blind_to_what_people_do_not_agree_on(ceiling: Measure, why: str) -> None:
    nothing = measure(-0.1, 0.0, 0.05)
    trust = trust_of("Tone", METRICS["rougeL"], nothing, ceiling)
    conclusion = conclusion_of(trust, trust, measure(-0.1, 0.0, 0.1))
    assert conclusion == "open"
    apart = people_apart("Tone", ceiling)
    sentence = sentence_of(
        "Tone", trust.metric, conclusion, is_hint=False, has_others=True, so_far=None, apart=apart
    )
    assert why in sentence and "blind" not in sentence


def test_a_hint_is_called_one_and_few_corrections_are_told_with_reserve() -> None:
    told = partial(sentence_of, "Tone", METRICS["bleu"], has_others=True)
    assert (
        told("follows", is_hint=False, so_far=None)
        == "BLEU follows people on Tone with the references as they are."
    )
    assert (
        told("follows", is_hint=True, so_far=12)
        == "BLEU is only a hint about Tone, on 12 outputs with the references as they are."
    )
    assert "BLEU on Tone: it is a hint against" in told("stale", is_hint=True, so_far=None)
    assert "may be stale for BLEU on Tone: on 12 outputs it follows" in told(
        "stale", is_hint=False, so_far=12
    )


def test_a_gain_is_the_difference_of_two_correlations() -> None:
    items, human = list(range(8)), [1.0, 2, 3, 4, 5, 6, 7, None]
    found = segment_gain(items, human, [7.0, 6, 5, 4, 3, 2, 1, 0], human, replicates=200)
    assert (found.value, found.n) == (pytest.approx(2.0), 7)
    same = segment_gain(items, human, human, human, replicates=200)
    assert (same.value, same.note) == (0.0, "no interval: every resample gives the same value")
    assert segment_gain(items, human, [1.0] * 8, human).reason == "no variation in the metric"
    assert segment_gain(items[:2], human[:2], human[:2], human[:2]).reason.startswith("fewer than 3")


def test_the_page_and_the_api_tell_the_same(
    campaign: Campaign, project: Project, manager: User, engineer: User
) -> None:
    browser = client_of(engineer)
    address = reverse("campaign_corrections", args=[project.slug, campaign.pk])
    assert "No accepted corrections yet." in browser.get(address).text
    accept(campaign, manager)
    assert f"Score {2 * ROWS} outputs" in browser.get(address).text
    answer = browser.post(f"{address}measure/")
    job = project.jobs.latest("id")
    assert answer["Location"] == reverse("job_detail", args=[project.slug, job.pk])
    measure_corrections(job.pk)

    page = browser.get(f"{address}?criterion=tone").text
    assert "8 accepted, 0 undecided, 0 rejected." in page
    assert "The references may be stale for ROUGE-L on Tone" in page
    assert "Perhaps stale references for" in page
    # On a phone each row is a card that names its figures.
    assert 'data-label="Edit rate"' in page
    assert "Few corrections: of 6 examples; from 30 on these conclusions are firm." in page
    base = f"/api/v1/projects/{project.slug}/campaigns/{campaign.pk}/analysis/corrections/"
    told = program_of(engineer).get(f"{base}?criterion=tone").json()
    report = reported(campaign)
    assert (told["accepted"], told["unmeasured"], told["criterion"]) == (8, 0, "tone")
    assert told["caution"] == report.caution and report.caution.startswith("Few corrections: of 6 examples")
    assert told["candidates"][0]["rate"] == report.candidates[0].rate.as_dict()
    assert [each["conclusion"] for each in told["conclusions"]] == [
        each.conclusion for each in report.conclusions
    ]
    assert program_of(engineer).get(f"{base}?criterion=nonsense").status_code == 400
    assert program_of(engineer).post(base).status_code == 202


def test_the_page_asks_the_database_as_often_for_many_as_for_few(
    campaign: Campaign, project: Project, manager: User
) -> None:
    address = reverse("campaign_corrections", args=[project.slug, campaign.pk])
    export = make_proposed_rows(campaign, manager)
    rows = list(export.rows.filter(kind=RowKind.ANSWER, rejected_output__isnull=False))
    browser, counts = client_of(manager), []
    for given in (rows[:1], rows[1:]):
        for row in given:
            decide_row(row=row, decision="accepted", by=manager)
        measured(campaign)
        browser.get(address)
        with CaptureQueriesContext(connection) as queries:
            browser.get(address)
        counts.append(len(queries))
    assert counts[0] == counts[1]
