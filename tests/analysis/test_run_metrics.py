"""A run's metrics need no campaign: means, labels and rule checks over all its outputs."""

import re

import pytest
from django.utils.html import strip_tags

from evalapp.accounts.models import Project, User
from evalapp.analysis.comparison.candidates import metric_mean
from evalapp.analysis.metrics import run_metrics as module
from evalapp.analysis.metrics.run_metrics import run_metrics
from evalapp.datasets.services import create_dataset, create_version
from evalapp.runs.models import Run
from evalapp.scoring.labels import save_label_parser
from evalapp.scoring.services import save_rule_check, start_scoring
from evalapp.scoring.tasks import score_run
from tests.api.conftest import program_of
from tests.cast import client_of
from tests.factories import example_row, make_candidates, make_outputs

pytestmark = pytest.mark.django_db

TRUE = ["Positive", "Negative", "Positive", "Mixed", "Negative", "Positive"]
SAID = ["positive", "negative", "positive", "negative", "I think negative", "positive"]


@pytest.fixture
def run(project: Project, engineer: User) -> Run:
    """Six tickets with a label and a document of two each, and outputs of two candidates."""
    dataset = create_dataset(project=project, name="Tickets", by=None)
    rows = [
        example_row(number, label=label, group_key=f"customer {number % 3}")
        for number, label in enumerate(TRUE, start=1)
    ]
    version = create_version(dataset=dataset, rows=iter(rows), by=None)
    tuned, constant = make_candidates(project, ["tuned", "constant"])
    made = make_outputs(version, {tuned: "{n}", constant: "positive"})
    for output in made.outputs.filter(candidate=tuned).select_related("example"):
        output.text = SAID[output.example.row_number - 1]
        output.save(update_fields=["text"])
    save_label_parser(dataset=dataset, kind="exact", by=engineer)
    save_rule_check(
        project=project, name="Short", kind="length", params={"unit": "words", "maximum": 2}, by=engineer
    )
    return made


def page_of(run: Run, person: User) -> str:
    answer = client_of(person).get(f"/projects/{run.project.slug}/runs/{run.pk}/metrics/")
    assert answer.status_code == 200
    return re.sub(r"\s+", " ", strip_tags(answer.text.replace("<", " <")))


def scored(run: Run) -> Run:
    score_run(start_scoring(run=run, by=None).pk)
    return run


def test_labels_metrics_and_rules_stand_on_the_runs_page(run: Run, engineer: User) -> None:
    assert "The outputs are not scored yet." in page_of(run, engineer)
    found = run_metrics(scored(run))
    tuned, constant = found.candidates
    assert (tuned.candidate.label, tuned.outputs, found.drawn_of) == ("tuned", 6, 0)
    said = [each.title() if each.title() in TRUE else "(none)" for each in SAID]
    assert tuned.labels is not None and constant.labels is not None
    from sklearn.metrics import f1_score  # takes long to import, in every test process

    expected = f1_score(TRUE, said, labels=sorted(set(TRUE)), average="macro", zero_division=0)
    assert tuned.labels.found.macro.value == pytest.approx(expected)
    assert tuned.labels.found.parsed == pytest.approx(5 / 6)
    assert constant.labels.found.micro.value == pytest.approx(1 / 2)
    (_, passed), = found.rule_rows  # fmt: skip
    assert [each.value for each in passed] == [pytest.approx(5 / 6), 1.0]

    page = page_of(run, engineer)
    assert "Macro F1" in page and "83%" in page and "as unparsed" in page
    assert re.search(r"ROUGE-L 0\.\d", page) and "Rule checks passed Rule check tuned constant Short" in page
    overview = client_of(engineer).get(f"/projects/{run.project.slug}/runs/{run.pk}/").text
    assert f"/runs/{run.pk}/metrics/" in overview


def test_outputs_of_one_document_count_once(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three customers, two tickets each: intervals are over the customers."""
    grouped = run_metrics(scored(run)).candidates[0]
    monkeypatch.setattr(module, "metric_mean", lambda outputs, metric, groups: metric_mean(outputs, metric))
    apart = run_metrics(run).candidates[0]
    assert [each.value for each in grouped.metrics] == [each.value for each in apart.metrics]
    assert [each.low for each in grouped.metrics] != [each.low for each in apart.metrics]


def test_of_very_many_outputs_some_are_drawn_and_the_page_says_so(
    run: Run, engineer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored(run)
    monkeypatch.setattr(module, "MOST_OUTPUTS", 8)
    found = run_metrics(run)
    assert (found.drawn_of, sum(each.outputs for each in found.candidates)) == (12, 8)
    assert "drawn at random from 12 in all" in page_of(run, engineer)


def test_the_api_has_the_numbers_of_the_page(run: Run, engineer: User) -> None:
    found = run_metrics(scored(run))
    answer = program_of(engineer).get(f"projects/{run.project.slug}/runs/{run.pk}/metrics/").json()
    assert answer["drawn_of"] == 0
    for told, candidate in zip(answer["candidates"], found.candidates, strict=True):
        assert (told["label"], told["outputs"]) == (candidate.candidate.label, 6)
        assert list(told["metrics"]) == [metric.name for metric in found.metrics]
        means = [(measure.value, measure.low, measure.high) for measure in candidate.metrics]
        assert [(each["value"], each["low"], each["high"]) for each in told["metrics"].values()] == means
        assert [each["passed"]["value"] for each in told["rules"]] == [each.value for each in candidate.rules]
        assert {(each["split"], each["metric"]): each["value"] for each in told["corpus"]} == {
            key: each.value for key, each in candidate.corpus.items()
        }
        assert candidate.labels is not None
        assert told["labels"]["macro"]["value"] == candidate.labels.found.macro.value
        assert told["labels"]["matrix"] == candidate.labels.found.matrix
        assert told["labels"]["unparsed"] == candidate.labels.unparsed
