"""Labels are read as the dataset declares, scored with the run, and shown as F1 with the confusion matrix."""

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils.html import escape
from sklearn.metrics import f1_score

from evalapp.accounts.models import Project, User
from evalapp.analysis.metrics.classification import classification_of
from evalapp.analysis.scores.campaign_scores import load_scores
from evalapp.audit.models import AuditEvent
from evalapp.campaigns.design import CampaignDesign
from evalapp.campaigns.models import Campaign
from evalapp.campaigns.services import create_campaign, open_campaign
from evalapp.core.errors import InvalidError
from evalapp.datasets.models import Dataset
from evalapp.datasets.services import create_dataset, create_version
from evalapp.scoring.labels import delete_label_parser, save_label_parser
from evalapp.scoring.models import LabelParser, MetricResult
from tests.api.conftest import program_of
from tests.cast import client_of
from tests.factories import (
    example_row,
    make_candidates,
    make_outputs,
    make_rubric,
    make_version,
    run_scoring,
)

pytestmark = pytest.mark.django_db

TRUE = ["Positive", "Negative", "Positive", "Mixed", "Negative", ""]
SAID = {"tuned": ["positive", "negative", "positive", "negative", "I think negative", "positive"]}


@pytest.fixture
def campaign(project: Project, reviewer: User) -> Campaign:
    dataset = create_dataset(project=project, name="Tickets", by=None)
    rows = [example_row(number, label=label) for number, label in enumerate(TRUE, start=1)]
    version = create_version(dataset=dataset, rows=iter(rows), by=None)
    tuned, constant = make_candidates(project, ["tuned", "constant"])
    run = make_outputs(version, {tuned: "{n}", constant: "positive"})
    for output in run.outputs.filter(candidate=tuned).select_related("example"):
        output.text = SAID["tuned"][output.example.row_number - 1]
        output.save(update_fields=["text"])
    made = create_campaign(
        project=project,
        design=CampaignDesign(
            name="Sentiment",
            rubric_version=make_rubric(project),
            dataset_version=version,
            split="feedback",
            candidates=[tuned, constant],
            overlap=1,
            reviewers=[reviewer],
        ),
        by=project.created_by,
    )
    return open_campaign(campaign=made, by=project.created_by)


@pytest.fixture
def dataset(campaign: Campaign) -> Dataset:
    return campaign.dataset_version.dataset


def test_f1_of_each_candidate_is_the_reference_implementations(
    campaign: Campaign, dataset: Dataset, engineer: User
) -> None:
    assert classification_of(load_scores(campaign)) == []
    save_label_parser(dataset=dataset, kind="exact", by=engineer)
    run_scoring(campaign)

    tuned, constant = classification_of(load_scores(campaign))
    true = TRUE[:5]
    said = ["Positive", "Negative", "Positive", "Negative", "(none)"]
    for measure, average in ((tuned.found.macro, "macro"), (tuned.found.weighted, "weighted")):
        expected = f1_score(true, said, labels=sorted(set(true)), average=average, zero_division=0)
        assert measure.value == pytest.approx(expected)
        assert measure.n == 5
    assert tuned.found.micro.value == pytest.approx(3 / 5)
    assert tuned.found.labels == ["Mixed", "Negative", "Positive", None]
    assert tuned.found.matrix == [[0, 1, 0, 0], [0, 1, 0, 1], [0, 0, 2, 0], [0, 0, 0, 0]]
    # The last example has no label.
    assert (tuned.unparsed, tuned.missing) == (1, 1)
    assert constant.found.macro.value == pytest.approx(
        f1_score(true, ["Positive"] * 5, average="macro", zero_division=0)
    )


def test_another_parser_asks_for_another_scoring(
    campaign: Campaign, dataset: Dataset, engineer: User
) -> None:
    save_label_parser(dataset=dataset, kind="exact", by=engineer)
    run_scoring(campaign)
    save_label_parser(dataset=dataset, kind="pattern", pattern=r"positive|negative|mixed", by=engineer)
    tuned = classification_of(load_scores(campaign))[0]
    assert (tuned.missing, tuned.found.macro.reason) == (6, "no output of an example with a label")
    run_scoring(campaign)
    tuned = classification_of(load_scores(campaign))[0]
    assert (tuned.unparsed, tuned.missing, tuned.found.micro.value) == (0, 1, 0.8)


def test_declared_labels_alone_are_read(campaign: Campaign, dataset: Dataset, engineer: User) -> None:
    save_label_parser(dataset=dataset, kind="exact", labels=["positive", "mixed"], by=engineer)
    run_scoring(campaign)
    tuned = classification_of(load_scores(campaign))[0]
    # "negative" is said by two outputs, and is no declared label; as a true label it stays.
    assert tuned.found.labels == ["positive", "mixed", "Negative", None]
    assert tuned.unparsed == 3


def test_a_parser_that_cannot_be_used_is_refused_with_its_field(dataset: Dataset, engineer: User) -> None:
    with pytest.raises(InvalidError) as told:
        save_label_parser(dataset=dataset, kind="pattern", pattern="(", by=engineer)
    assert list(told.value.fields) == ["pattern"]
    with pytest.raises(InvalidError) as told:
        save_label_parser(dataset=dataset, kind="json_field", field=" ", by=engineer)
    assert list(told.value.fields) == ["field"]
    assert not LabelParser.objects.exists()
    for bad in ({"kind": "guess"}, {"kind": "exact", "pattern": "x"}, {"kind": "json_field"}):
        with pytest.raises(IntegrityError), transaction.atomic():
            LabelParser.objects.create(dataset=dataset, **bad)


def test_deleting_forgets_what_was_read(campaign: Campaign, dataset: Dataset, engineer: User) -> None:
    save_label_parser(dataset=dataset, kind="exact", by=engineer)
    run_scoring(campaign)
    delete_label_parser(dataset=dataset, by=engineer)
    assert not MetricResult.objects.filter(metric="label").exists()
    assert MetricResult.objects.filter(metric="rougeL").exists()
    assert AuditEvent.objects.get(action="label_parser.deleted").data == {"labels_read": 12}


def test_a_dataset_without_a_label_says_where_one_would_stand(project: Project, engineer: User) -> None:
    version = make_version(project, rows=2, name="Unlabelled")
    page = client_of(engineer).get(reverse("label_parser", args=[project.slug, version.dataset_id])).text
    assert "No example of Unlabelled has a label" in page and "rows have the field “label”" in page


def test_the_pages_declare_show_and_delete(
    campaign: Campaign, dataset: Dataset, project: Project, engineer: User
) -> None:
    browser = client_of(engineer)
    parser = reverse("label_parser", args=[project.slug, dataset.pk])
    labels = reverse("campaign_classification", args=[project.slug, campaign.pk])
    assert "This dataset has no label parser" in browser.get(labels).text
    refused = browser.post(parser, {"kind": "pattern", "pattern": "("})
    assert refused.status_code == 400
    assert "The pattern is not a valid regular expression" in refused.text
    saved = browser.post(parser, {"kind": "first_line", "ignore_case": "on", "labels": ""}, follow=True)
    assert "Saved. Score the runs below again" in saved.text
    run_scoring(campaign)

    page = browser.get(labels).text
    assert "unparsed" in page and "Not read: the example has no label" in page
    assert "No example of" not in browser.get(parser).text
    assert "Macro F1" in page
    compared = browser.get(reverse("who_is_better", args=[project.slug, campaign.pk])).text
    assert "Macro F1" in compared
    assert labels in compared

    gone = browser.post(parser, {"action": "delete"}, follow=True)
    assert "The label parser and the labels it read are deleted." in gone.text
    assert "Macro F1" not in browser.get(reverse("who_is_better", args=[project.slug, campaign.pk])).text


def test_every_count_of_the_confusion_matrix_leads_to_its_outputs(
    campaign: Campaign, dataset: Dataset, project: Project, engineer: User
) -> None:
    browser, program = client_of(engineer), program_of(engineer)
    save_label_parser(dataset=dataset, kind="exact", by=engineer)
    run_scoring(campaign)
    tuned = campaign.candidates.get(model_version__label="tuned")
    page = browser.get(reverse("campaign_classification", args=[project.slug, campaign.pk])).text
    start = reverse("case_list", args=[project.slug, campaign.pk])
    numbers = dict(campaign.items.values_list("pk", "example__row_number"))
    cells = {
        "true=Mixed&predicted=Negative": [4],
        "true=Negative&predicted=Negative": [2],
        "true=Negative&unparsed=1": [5],
        "true=Positive&predicted=Positive": [1, 3],
        "unparsed=1": [5],
    }
    for query, rows in cells.items():
        address = f"{start}?candidate={tuned.pk}&{query}"
        assert f'href="{escape(address)}"' in page, query
        cases = browser.get(address)
        assert sorted(numbers[row.item_id] for row in cases.context["rows"]) == rows, query
        told = program.get(
            f"/api/v1/projects/{project.slug}/campaigns/{campaign.pk}/cases/?candidate={tuned.pk}&{query}"
        )
        assert sorted(numbers[row["item"]] for row in told.json()["results"]) == rows, query
    assert (
        "true label “Mixed”, predicted label “Negative”"
        in browser.get(f"{start}?true=Mixed&predicted=Negative").text
    )
    # From the list to a case, and on along the list.
    item = campaign.items.get(example__row_number=1)
    case = browser.get(
        reverse("case_detail", args=[project.slug, campaign.pk, item.pk]) + "?true=Positive"
    ).text
    assert "true=Positive" in case
    assert browser.get(f"{start}?predicted=Elsewhere").status_code == 404


def test_the_api_does_the_same(
    campaign: Campaign, dataset: Dataset, project: Project, engineer: User
) -> None:
    program = program_of(engineer)
    place = f"/api/v1/projects/{project.slug}/datasets/{dataset.pk}/label-parser/"
    assert program.get(place).status_code == 404
    bad = program.put(place, {"kind": "json_field"})
    assert bad.status_code == 400, bad.text
    assert (bad.status_code, list(bad.json()["error"]["fields"])) == (400, ["field"])
    made = program.put(place, {"kind": "exact"})
    assert (made.status_code, made.json()["labels"]) == (200, [])
    run_scoring(campaign)
    told = program.get(f"/api/v1/projects/{project.slug}/campaigns/{campaign.pk}/analysis/classification/")
    tuned = told.json()["results"][0]
    assert tuned["label"] == "tuned"
    assert tuned["labels"] == ["Mixed", "Negative", "Positive", None]
    assert tuned["micro"]["value"] == pytest.approx(0.6)
    assert program.ask("DELETE", place).status_code == 204
    assert program.ask("DELETE", place).status_code == 404
