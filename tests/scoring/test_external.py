"""Scores from elsewhere are stored whole or not at all, apart from ours, and analysed as ours are."""

import io
import json
from statistics import mean

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, connection, transaction
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from evalapp.accounts.models import Project, User
from evalapp.analysis.comparison.candidates import compare
from evalapp.analysis.metrics.disagreements import find_disagreements
from evalapp.analysis.metrics.metric_trust import metric_trust
from evalapp.analysis.metrics.prediction_powered import prediction_powered_means
from evalapp.analysis.scores.campaign_scores import load_scores
from evalapp.audit.models import AuditEvent
from evalapp.campaigns.models import Campaign
from evalapp.core.errors import ConflictError, InvalidError
from evalapp.imports.problems import ImportProblemsError
from evalapp.runs.models import Output, Run
from evalapp.scoring.external import create_external_metric, delete_external_metric, store_scores
from evalapp.scoring.external_rows import read_scores
from evalapp.scoring.models import ExternalMetric, MetricResult
from evalapp.scoring.score_join import item_field_of_run
from tests.api.conftest import program_of
from tests.cast import client_of
from tests.factories import answers, make_campaign, make_outputs, make_version, review_all, run_scoring

pytestmark = pytest.mark.django_db

ROWS, REVIEWED = 24, 12


@pytest.fixture
def campaign(project: Project, reviewer: User, other_reviewer: User) -> Campaign:
    return make_campaign(
        project, [reviewer, other_reviewer], rows=ROWS, item_choice="random", examples_wanted=REVIEWED, seed=7
    )


@pytest.fixture
def run(campaign: Campaign) -> Run:
    return Run.objects.filter(outputs__item_outputs__item__campaign=campaign).distinct().get()


@pytest.fixture
def metric(project: Project) -> ExternalMetric:
    return create_external_metric(
        project=project, name="Helpfulness", better="higher", smallest=0, largest=10, by=project.created_by
    )


def lines(**rows: object) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows.values()).encode()


def stored(
    metric: ExternalMetric,
    content: bytes,
    *,
    name: str = "scores.jsonl",
    run: Run | None = None,
    item_field: str = "",
) -> tuple[int, int, int]:
    item_field = item_field_of_run(run, item_field)
    result = store_scores(
        metric=metric,
        scores=read_scores(io.BytesIO(content), name, item_field=item_field),
        run=run,
        item_field=item_field,
        by=metric.created_by,
    )
    return result.added, result.changed, result.unchanged


def refused(
    metric: ExternalMetric, content: bytes, *, name: str = "scores.csv", run: Run | None = None
) -> list[str]:
    with pytest.raises(ImportProblemsError) as told:
        stored(metric, content, name=name, run=run)
    assert not MetricResult.objects.filter(metric=metric.metric).exists()
    return told.value.problems


def rows_of(campaign: Campaign) -> list[int]:
    """The numbers of the rows under review."""
    return list(campaign.items.order_by("pk").values_list("example__row_number", flat=True))


def by_row(run: Run, values: dict[str, list[float]]) -> bytes:
    """A CSV file that names outputs by row and candidate."""
    given = [
        f"{output.example.row_number},{output.candidate.label},"
        f"{values[output.candidate.label][output.example.row_number - 1]}"
        for output in run.outputs.select_related("example", "candidate")
    ]
    return ("row,candidate,value\n" + "\n".join(given) + "\n").encode()


def test_outputs_are_named_by_id_or_by_row_and_candidate(metric: ExternalMetric, run: Run) -> None:
    first, second = run.outputs.order_by("pk")[:2]
    content = lines(a={"output": first.pk, "value": 3}, b={"output_id": second.pk, "score": 0.25})
    assert stored(metric, content) == (2, 0, 0)
    assert dict(MetricResult.objects.values_list("output", "value")) == {first.pk: 3.0, second.pk: 0.25}

    again = f"row;candidate;value\n{first.example.row_number};{first.candidate.label};4,\n".replace(",", "")
    assert stored(metric, again.encode(), name="scores.csv", run=run) == (0, 1, 0)
    assert MetricResult.objects.get(output=first).value == 4.0


def test_the_same_file_again_changes_nothing(metric: ExternalMetric, run: Run) -> None:
    content = by_row(run, {"formal": [1.5] * ROWS, "plain": [2.5] * ROWS})
    assert stored(metric, content, name="s.csv", run=run) == (2 * ROWS, 0, 0)
    events = AuditEvent.objects.count()
    assert stored(metric, content, name="s.csv", run=run) == (0, 0, 2 * ROWS)
    assert MetricResult.objects.count() == 2 * ROWS
    assert AuditEvent.objects.count() == events


def test_every_problem_of_a_file_is_told_at_once(
    metric: ExternalMetric, run: Run, other_project: Project
) -> None:
    first, second = run.outputs.order_by("pk")[:2]
    foreign = make_outputs(make_version(other_project), {}, split="feedback")
    elsewhere = Output.objects.create(
        run=foreign,
        example=foreign.dataset_version.examples.first(),
        candidate=first.candidate,
        text="Theirs.",
    )
    content = (
        "output,row,candidate,value\n"
        f"{first.pk},,,0.5\n"
        f"{first.pk},,,0.6\n"
        f"{elsewhere.pk},,,1\n"
        "999999999,,,1\n"
        f"{second.pk},,,NaN\n"
        f"{second.pk},,,inf\n"
        f"{second.pk},,,1e13\n"
        f"{second.pk},,,11\n"
        f"{second.pk},,,\n"
        ",1,formal,1\n"
        ",,formal,1\n"
        "x,,,1\n"
        "1,2\n"
    )
    problems = refused(metric, content.encode())
    assert problems == [
        "Row 3: scores the same output as row 2; keep one.",
        f"Row 4: this project has no output {elsewhere.pk}.",
        "Row 5: this project has no output 999999999.",
        "Row 6: the value 'NaN' is not a number; write one such as 0.83.",
        "Row 7: the value 'inf' is not a number; write one such as 0.83.",
        "Row 8: the value 1e+13 is outside of ±1e+12.",
        "Row 9: the value 11 is above the scale's largest, 10.",
        "Row 10: there is no value; leave lines without a score out.",
        "Row 11: names a row, but no run is chosen; choose it, or name the output by its id.",
        "Row 12: has neither “output” nor “item” nor “row”, so its output is unknown.",
        "Row 13: “output” is 'x', not a whole number.",
        (
            "Row 14: The row has 2 cells, the header 4. Put a cell with the delimiter or a line break in"
            " double quotes."
        ),
    ]


@pytest.mark.parametrize(
    ("name", "content", "start"),
    [
        ("s.jsonl", b'{"output": 1, "value": NaN}\n', "Line 1: NaN is not a JSON value."),
        ("s.jsonl", b'{"output": 1, "value": true}\n', "Line 1: the value 'True' is not a number"),
        (
            "s.jsonl",
            b'{"output": 1, "output": 1, "value": 1}\n',
            "Line 1: output: The field “output” is given twice",
        ),
        ("s.jsonl", b'{"output": 1, "candidate": 3, "value": 1}\n', "Line 1: “candidate” is not text"),
        ("s.jsonl", b'{"output": 1, "va\xfflue": 1}\n', "Line 1: Byte 18 of the line"),
        ("s.csv", b"output,worth\n1,2\n", "No column is named “value”"),
        ("s.csv", b"output,value,score\n1,2,3\n", "“value” and “score” both name the value."),
        ("s.csv", b"", "The file is empty."),
        ("s.txt", b"x", "The file's name ends in .txt."),
        ("s.csv", b"output,value\n", "There are no scores."),
    ],
)
def test_a_file_that_is_no_good_says_why(
    metric: ExternalMetric, name: str, content: bytes, start: str
) -> None:
    assert refused(metric, content, name=name)[0].startswith(start)


def test_a_row_is_found_in_the_chosen_run_alone(metric: ExternalMetric, run: Run) -> None:
    told = refused(metric, b"row,candidate,value\n1,nobody,1\n99,formal,1\n1,,1\n", run=run)
    assert told == [
        (
            "Row 2: the run “Answers” has no candidate 'nobody' that its label names alone; known: formal,"
            " plain."
        ),
        "Row 3: formal has no output of sample 0 for row 99 in “Answers”.",
        "Row 4: names no candidate; the run “Answers” has 2.",
    ]


@pytest.mark.parametrize("name", ["ROUGE-L", "rougel", "Token F1", "token_f1", "Edit rate", "rule:3", "BLEU"])
def test_a_name_of_ours_is_refused(project: Project, name: str) -> None:
    with pytest.raises(InvalidError) as told:
        create_external_metric(project=project, name=name, better="higher", by=None)
    assert "Choose another name" in told.value.fields["name"][0]


def test_a_name_is_there_once_however_it_is_written(project: Project, metric: ExternalMetric) -> None:
    with pytest.raises(ConflictError):
        create_external_metric(project=project, name="HELPFULNESS", better="lower", by=None)
    with pytest.raises(IntegrityError), transaction.atomic():
        ExternalMetric.objects.create(project=project, name="helpfulness")


def test_it_is_analysed_as_our_own_are(
    campaign: Campaign, metric: ExternalMetric, run: Run, reviewer: User, other_reviewer: User
) -> None:
    run_scoring(campaign)
    tones = {"formal": [1 + row % 2 for row in range(ROWS)], "plain": [4 + row % 2 for row in range(ROWS)]}
    for person in (reviewer, other_reviewer):
        said = {(label, row + 1): answers(tone=tones[label][row]) for label in tones for row in range(ROWS)}
        review_all(campaign, person, said)
    helpful = {label: [2.0 * tone for tone in tones[label]] for label in tones}
    # The one that the metric rates high and people low.
    helpful["formal"][rows_of(campaign)[0] - 1] = 10.0
    stored(metric, by_row(run, helpful), name="s.csv", run=run)

    scores = load_scores(campaign)
    ours = {each.name: each for each in compare(scores).metrics}
    assert ours[metric.metric].label == "Helpfulness (external)"
    assert "rougeL" in ours
    plain = next(row for row in compare(scores).rows if row.label == "plain").metrics[metric.metric]
    assert plain.value == pytest.approx(mean(helpful["plain"][row - 1] for row in rows_of(campaign)))
    assert plain.high is not None and plain.high <= 10

    tone = next(each for each in metric_trust(scores) if each.criterion.key == "tone")
    trusted = next(each for each in tone.metrics if each.metric.name == metric.metric)
    assert trusted.sentence.startswith("Helpfulness (external) follows people on Tone")

    description = scores.metric_named(metric.metric)
    found = find_disagreements(scores, tone.criterion, description)
    assert found.count == 1
    powered = next(
        each for each in prediction_powered_means(scores, description) if each.criterion.key == "tone"
    )
    assert powered.found.correlation.defined
    assert powered.found.unreviewed == ROWS - REVIEWED


def test_deleting_takes_its_scores_and_leaves_a_trace(
    metric: ExternalMetric, run: Run, campaign: Campaign, owner: User
) -> None:
    run_scoring(campaign)
    stored(metric, by_row(run, {"formal": [1.0] * ROWS, "plain": [2.0] * ROWS}), name="s.csv", run=run)
    ours = MetricResult.objects.exclude(metric=metric.metric).count()
    assert delete_external_metric(metric=metric, by=owner) == 2 * ROWS
    assert MetricResult.objects.count() == ours
    event = AuditEvent.objects.filter(action="external_metric.deleted").get()
    assert (event.object_label, event.data, event.actor_id) == ("Helpfulness", {"scores": 2 * ROWS}, owner.pk)


def test_the_pages_make_a_metric_take_a_file_and_delete(
    project: Project, run: Run, engineer: User, campaign: Campaign
) -> None:
    browser = client_of(engineer)
    place = reverse("external_metric_list", args=[project.slug])
    answer = browser.post(place, {"name": "Faithfulness", "better": "higher"}, follow=True)
    page = answer.redirect_chain[-1][0]
    assert "Created. Next, upload its scores." in answer.text

    bad = SimpleUploadedFile("s.csv", b"output,value\n1,NaN\n0,1\n")
    answer = browser.post(page, {"file": bad})
    assert answer.status_code == 400
    assert "Row 2: the value &#x27;NaN&#x27; is not a number" in answer.text
    assert "Row 3: this project has no output 0." in answer.text

    good = SimpleUploadedFile("s.csv", by_row(run, {"formal": [0.5] * ROWS, "plain": [0.75] * ROWS}))
    answer = browser.post(page, {"file": good, "run": run.pk}, follow=True)
    assert f"{2 * ROWS} scores are new" in answer.text
    assert "0.625" in answer.text
    compared = browser.get(reverse("who_is_better", args=[project.slug, campaign.pk])).text
    assert "Faithfulness (external)" in compared
    item = campaign.items.first()
    assert (
        "Faithfulness (external)"
        in browser.get(reverse("case_detail", args=[project.slug, campaign.pk, item.pk])).text
    )
    assert (
        "Faithfulness (external)"
        in browser.get(reverse("comparison_csv", args=[project.slug, campaign.pk])).text
    )

    answer = browser.post(f"{page}delete/", follow=True)
    assert f"its {2 * ROWS} scores are deleted" in answer.text
    assert not project.external_metrics.exists()


def test_the_list_asks_the_database_as_often_for_many_as_for_one(project: Project, engineer: User) -> None:
    browser = client_of(engineer)
    address = reverse("external_metric_list", args=[project.slug])
    counts = []
    for number in range(3):
        create_external_metric(project=project, name=f"Metric {number}", better="none", by=engineer)
        if number in (0, 2):
            with CaptureQueriesContext(
                connection,
            ) as queries:
                browser.get(address)
            counts.append(len(queries))
    assert counts[0] == counts[1]


def test_a_program_stores_the_same(project: Project, run: Run, engineer: User, campaign: Campaign) -> None:
    program = program_of(engineer)
    base = f"/api/v1/projects/{project.slug}/external-metrics/"
    made = program.post(base, {"name": "Judge", "better": "lower"})
    assert made.status_code == 201
    metric = made.json()
    assert metric["metric"] == f"external:{metric['id']}"
    place = f"{base}{metric['id']}/"
    first, second = run.outputs.order_by("pk")[:2]
    body = {"scores": [{"output": first.pk, "value": -1.5}, {"output": second.pk, "value": 2}]}
    answer = program.post(f"{place}scores/", body)
    assert (answer.status_code, answer.json()) == (
        200,
        {
            "added": 2,
            "changed": 0,
            "unchanged": 0,
            "problems": [],
            "joined_by": {"output id": 2},
            "without_score": None,
        },
    )
    assert program.post(f"{place}scores/", body).json()["unchanged"] == 2
    assert program.get(f"{place}scores/").json()["results"] == [
        {"output": first.pk, "value": -1.5},
        {"output": second.pk, "value": 2.0},
    ]

    bad = {"scores": [{"output": first.pk, "value": 1e300}, {"value": 1}]}
    answer = program.post(f"{place}scores/", bad)
    assert answer.status_code == 400
    assert answer.json()["error"]["fields"]["scores"] == [
        "scores.0: the value 1e+300 is outside of ±1e+12.",
        "scores.1: has neither “output” nor “item” nor “row”, so its output is unknown.",
    ]
    file = SimpleUploadedFile("s.jsonl", lines(a={"row": 1, "candidate": "formal", "value": 7}))
    answer = program.ask(
        "POST",
        f"{place}file/",
        encode_multipart(BOUNDARY, {"file": file, "run": run.pk}),
        content_type=MULTIPART_CONTENT,
    )
    assert answer.status_code == 200, answer.text
    analysed = program.get(
        f"/api/v1/projects/{project.slug}/campaigns/{campaign.pk}/agreement/?metric={metric['metric']}"
    )
    assert analysed.status_code == 200, analysed.text
    assert analysed.json()["metric"] == metric["metric"]
    assert program.ask("DELETE", place).status_code == 204
    assert program.get(place).status_code == 404
