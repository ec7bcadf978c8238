"""The disagreement finder finds exactly what it says, beside chance, and leads to a campaign or to training
data.
"""

import csv
import io
import json
import re
from typing import Any

import numpy as np
import pytest
from django.http import QueryDict

from evalapp.accounts.models import Project, User
from evalapp.analysis.cases.case_lists import CaseList
from evalapp.analysis.comparison.candidates import compare
from evalapp.analysis.comparison.differences import PairComparison
from evalapp.analysis.scores.campaign_scores import load_scores
from evalapp.analysis.scores.filters import read_filter
from evalapp.analysis.scores.finder import Finder, FinderResult, MetricSide, ScoreSide
from evalapp.campaigns.models import Campaign
from evalapp.campaigns.services import close_campaign, open_campaign
from evalapp.core.errors import InvalidError
from evalapp.decisions.services import decide
from evalapp.exports.models import Export
from evalapp.exports.services import decide_all, start_export
from evalapp.exports.tasks import write_export
from evalapp.exports.writing import open_file
from evalapp.gates.services import apply_gate
from evalapp.metrics.metric import MetricDescription
from evalapp.scoring.models import MetricResult
from tests.api.conftest import problem_in, program_of
from tests.cast import client_of
from tests.factories import answers, corrected, make_campaign, review_all
from tests.gates.making import make_gate
from tests.kept_cast import Cast, again

pytestmark = pytest.mark.django_db
NAME = "rougeL"


def text_of(answer: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


def set_metric(campaign: Campaign, values: dict[tuple[str, int], float]) -> None:
    """ROUGE-L of each output, as a scoring would have stored it."""
    MetricResult.objects.filter(metric=NAME).delete()
    for item in campaign.items.select_related("example"):
        for entry in item.outputs.select_related("candidate__model_version"):
            value = values.get((entry.candidate.model_version.label, item.example.row_number))
            if value is not None:
                MetricResult.objects.create(
                    output=entry.output, metric=NAME, value=value, signature="rougeL", reason=""
                )


@pytest.fixture(scope="module")
def made(cast: Cast) -> Campaign:
    """Ten rows: "formal" has a high metric on rows 1 and 2, where two people rate its tone low on row 1 and
    3.
    """
    campaign = make_campaign(cast.project, [cast.reviewer, cast.other_reviewer], rows=10)
    low = answers(tone=1)
    review_all(
        campaign,
        cast.reviewer,
        {("formal", 1): corrected(low, "You own 1. Call us."), ("formal", 2): low, ("formal", 3): low},
    )
    review_all(campaign, cast.other_reviewer, {("formal", 1): answers(tone=2), ("formal", 3): low})
    set_metric(
        campaign,
        {
            (label, row): 0.9 if (label, row) in {("formal", 1), ("formal", 2)} else 0.1 + row / 100
            for label in ("formal", "plain")
            for row in range(1, 11)
        },
    )
    return campaign


@pytest.fixture
def campaign(made: Campaign) -> Campaign:
    return again(made)


def finder(campaign: Campaign, **parts: Any) -> Finder:
    from evalapp.metrics.registry import COMPARED_METRICS

    scores = load_scores(campaign)
    metric: MetricDescription = COMPARED_METRICS[NAME]
    tone = next(each for each in scores.scales if each.key == "tone")
    wanted = {"side": MetricSide.TOP, "value": None, "score_side": ScoreSide.AT_MOST, "score": 2, **parts}
    return Finder(metric=metric, criterion=tone, **wanted)


def find(campaign: Campaign, wanted: Finder) -> FinderResult:
    return CaseList(read_filter(campaign, QueryDict()), {}, reviewer_type="all").found(wanted)


def test_it_finds_what_both_conditions_hold_for(campaign: Campaign, other_reviewer: User) -> None:
    scores = load_scores(campaign)
    rows = {
        output.item_output_id: scores.campaign.items.get(pk=output.item_id).example.row_number
        for output in scores.outputs
    }
    found = find(campaign, finder(campaign))
    assert [rows[pk] for pk in found.item_output_ids] == [1], "of row 2 one reviewer alone says so"
    assert (found.outputs, found.by_metric, found.by_people) == (20, 2, 2)
    assert found.expected == pytest.approx(2 * 2 / 20)
    assert find(campaign, finder(campaign, score=1)).count == 0, "the mean of row 1 is 1.5"
    both = find(campaign, finder(campaign, side=MetricSide.AT_LEAST, value=0.12))
    assert sorted(rows[pk] for pk in both.item_output_ids) == [1, 3]
    reverse = find(campaign, finder(campaign, side=MetricSide.BOTTOM, score_side=ScoreSide.AT_LEAST, score=4))
    assert {rows[pk] for pk in reverse.item_output_ids} == {1, 2} and reverse.by_people == 17
    number = scores.numbers[other_reviewer.pk]
    assert find(campaign, finder(campaign, reviewer=number)).count == 1
    formal, plain = scores.candidates
    assert find(campaign, finder(campaign, candidate=plain)).count == 0
    assert find(campaign, finder(campaign, candidate=formal)).outputs == 10


def test_equal_values_at_a_tenths_end_are_all_in_it_and_the_page_says_how_many(
    campaign: Campaign, manager: User
) -> None:
    both = [(label, row) for label in ("formal", "plain") for row in range(1, 11)]
    address = f"/projects/{campaign.project.slug}/results/{campaign.pk}/finder/?{QUERY}"
    assert "equal values" not in text_of(client_of(manager).get(address))

    set_metric(campaign, {each: 0.9 if each[1] <= 4 else 0.1 for each in both})
    found = find(campaign, finder(campaign))
    assert (found.by_metric, found.tenth) == (8, 2)
    page = text_of(client_of(manager).get(address))
    assert "10% of 20 outputs would be 2; 8 count, because outputs with equal values of ROUGE-L" in page

    set_metric(campaign, dict.fromkeys(both, 0.5))
    page = text_of(client_of(manager).get(address))
    assert "have the same ROUGE-L, so all count as its highest 10%." in page


@pytest.mark.parametrize("outputs", [1, 2, 9, 10, 11, 20, 21, 60, 61, 101])
def test_a_tenth_without_equal_values_is_what_the_quantile_leaves(outputs: int) -> None:
    values = list(range(outputs))
    over = sum(value >= np.quantile(values, 0.9) for value in values)
    assert FinderResult(set(), outputs, 0, 0).tenth == over


def test_with_one_reviewer_it_says_why_nothing_is_found(empty_project: Project, reviewer: User) -> None:
    campaign = make_campaign(empty_project, [reviewer], rows=2)
    review_all(campaign, reviewer, {})
    set_metric(campaign, {("formal", 1): 0.9})
    found = find(campaign, finder(campaign))
    assert (found.count, found.expected) == (0, 0.0)
    assert "from two reviewers" in found.reason


QUERY = f"find={NAME}&find_is=top&criterion=tone&score_is=at_most&score=2"


def test_the_page_shows_the_list_and_what_chance_would_give(campaign: Campaign, manager: User) -> None:
    browser = client_of(manager)
    start = f"/projects/{campaign.project.slug}/results/{campaign.pk}/"
    page = text_of(browser.get(f"{start}finder/?{QUERY}"))
    assert "1 output; 0.2 expected by chance" in page and "2 × 2 / 20" in page
    answer = browser.get(f"{start}cases/?{QUERY}")
    assert len(answer.context["rows"]) == 1
    assert "in its highest 10%, Tone at most 2" in text_of(answer)
    item = answer.context["rows"][0].item_id
    assert browser.get(f"{start}cases/{item}/?{QUERY}").status_code == 200
    assert "finder/" in browser.get(f"{start}can-i-trust-it/").content.decode()
    for bad in (
        "find=nothing&criterion=tone&score=2",
        f"find={NAME}&criterion=tone&score=x",
        f"find={NAME}&criterion=tone&score=2&find_is=at_least",
        f"find={NAME}&criterion=tone&score=2&find_is=up",
        f"find={NAME}&criterion=tone&score=2&candidate=999999",
        f"find={NAME}&criterion=material-factual-error&score=1",
    ):
        assert browser.get(f"{start}finder/?{bad}").status_code == 404, bad


def test_the_list_becomes_a_campaign_whose_items_tell_no_mean(
    campaign: Campaign, manager: User, reviewer: User, other_reviewer: User
) -> None:
    browser = client_of(manager)
    start = f"/projects/{campaign.project.slug}/results/{campaign.pk}/"
    answer = browser.post(f"{start}finder/campaign/?{QUERY}", follow=True)
    picked = Campaign.objects.get(name="Picked from Spring round")
    page = text_of(answer)
    assert "Selected items" in page and "1 selected" in page and "Tone at most 2" in page
    assert re.search(r"\b1 item\b", page), "what it costs counts what was picked"
    open_campaign(campaign=picked, by=manager)
    assert list(picked.items.values_list("example__row_number", flat=True)) == [1]
    for person in (reviewer, other_reviewer):
        review_all(picked, person, {})
    scores = load_scores(picked)
    comparison = compare(scores)
    for row in comparison.rows:
        assert row.total.value is None and "picked" in row.total.reason
        assert {cell.mean.value for cell in row.human} == {None}
    assert comparison.rows[0].human[0].counts[4] == 2, "what was said is there"
    assert PairComparison(scores, comparison).with_reference(comparison.rows[0]) == []
    page = text_of(browser.get(f"/projects/{picked.project.slug}/results/{picked.pk}/"))
    assert "Means, differences, gates and decisions would be biased" in page
    for part in ("severity", "metrics"):
        address = f"/projects/{picked.project.slug}/results/{picked.pk}/{part}/"
        assert "Selected items." in text_of(browser.get(address))
    close_campaign(campaign=picked, by=manager)
    home = text_of(browser.get(f"/projects/{picked.project.slug}/"))
    assert "Picked from Spring round" not in home, "it is no cycle, and waits for no decision"
    with pytest.raises(InvalidError, match="picked for their scores"):
        apply_gate(
            campaign=picked, gate=make_gate(picked.project, rubric=picked.rubric_version.rubric), by=manager
        )
    with pytest.raises(InvalidError, match="picked for their scores"):
        decide(
            campaign=picked,
            candidate=picked.candidates.first().model_version,
            verdict="not_yet",
            note="",
            by=manager,
        )


def test_an_edit_keeps_the_picked_items(campaign: Campaign, manager: User, reviewer: User) -> None:
    browser = client_of(manager)
    start = f"/projects/{campaign.project.slug}"
    browser.post(f"{start}/results/{campaign.pk}/finder/campaign/?{QUERY}")
    picked = Campaign.objects.get(name="Picked from Spring round")
    sent = {
        "name": "Tone, looked at again",
        "rubric_version": picked.rubric_version_id,
        "dataset_version": picked.dataset_version_id,
        "split": "feedback",
        "candidates": list(picked.candidates.values_list("model_version", flat=True)),
        "method": "pointwise",
        "item_choice": "all",
        "reviewers": [reviewer.pk],
        "overlap": "1",
        "lease_minutes": "30",
        "leaves_out_incomplete": "on",
    }
    refused = browser.post(
        f"{start}/campaigns/{picked.pk}/edit/", {**sent, "item_choice": "random", "examples_wanted": "1"}
    )
    assert refused.status_code == 400 and "The picked items" in text_of(refused)
    assert browser.post(f"{start}/campaigns/{picked.pk}/edit/", sent).status_code == 302
    picked.refresh_from_db()
    open_campaign(campaign=picked, by=manager)
    assert picked.items.count() == 1


def test_the_list_becomes_training_data_but_never_of_a_held_out_split(
    project: Project, campaign: Campaign, manager: User, reviewer: User, other_reviewer: User
) -> None:
    browser = client_of(manager)
    start = f"/projects/{project.slug}/results"
    answer = browser.post(f"{start}/{campaign.pk}/finder/proposed-rows/?{QUERY}")
    export = Export.objects.get()
    assert answer["Location"] == f"/projects/{project.slug}/data/proposed-rows/{export.pk}/"
    assert set(export.rows.filter(is_included=True).values_list("chosen_text", flat=True)) == {
        "You own 1. Call us."
    }
    assert set(export.rows.values_list("example__row_number", flat=True)) == {1}
    page = browser.get(answer["Location"]).text
    assert "From the disagreement finder:" in page and re.search(
        r"\d rows? in, \d+ left out, each with its", page
    )
    _holds_what_was_found_and_leaves_the_rest(export, manager)
    nothing = browser.post(
        f"{start}/{campaign.pk}/finder/proposed-rows/?{QUERY.replace('score=2', 'score=1')}"
    )
    assert nothing.status_code == 400 and "nothing to export" in text_of(nothing)
    held_out = make_campaign(
        project,
        [reviewer, other_reviewer],
        rows=2,
        split="test",
        name="Held out",
        texts={"a": "A {n}.", "b": "B {n}."},
    )
    for person in (reviewer, other_reviewer):
        review_all(held_out, person, {"a": answers(tone=1)})
    set_metric(held_out, {(label, row): 0.5 for label in ("a", "b") for row in (1, 2)})
    page = browser.get(f"{start}/{held_out.pk}/finder/?{QUERY}").content.decode()
    assert "which is held out" in page and "finder/proposed-rows/" not in page
    refused = browser.post(f"{start}/{held_out.pk}/finder/proposed-rows/?{QUERY}")
    assert refused.status_code == 400 and Export.objects.count() == 1


def _holds_what_was_found_and_leaves_the_rest(export: Export, manager: User) -> None:
    before = set(export.campaign.items.values_list("example__prompt_hash", flat=True))
    decide_all(export=export, decision="accepted", by=manager)
    job = start_export(export=export, by=manager)
    write_export(job.pk)
    export.refresh_from_db()
    assert export.state == "done"
    assert export.dataset_version is not None
    with open_file(export, "ratings.csv") as file:
        rows = list(csv.DictReader(io.TextIOWrapper(file, "utf-8")))
    assert {row["example_row"] for row in rows} == {"1"}
    with open_file(export, "manifest.json") as file:
        assert export.picked_because
        assert json.load(file)["of"] == export.picked_because
    feedback = export.dataset_version.examples.filter(split="feedback").values_list("prompt_hash", flat=True)
    assert len(set(feedback)) == len(before) - 1


def test_programs_ask_the_same(campaign: Campaign, manager: User, engineer: User) -> None:
    address = f"projects/{campaign.project.slug}/campaigns/{campaign.pk}/finder/?{QUERY}"
    found = program_of(engineer).get(address).json()
    assert (found["count"], found["expected"], found["by_metric"]) == (1, pytest.approx(0.2), 2)
    assert found["cases"] == list(campaign.items.filter(example__row_number=1).values_list("pk", flat=True))
    assert program_of(engineer).post(address).status_code == 403
    made = program_of(manager).post(address)
    assert made.status_code == 201 and "Tone at most 2" in made.json()["picked_because"]
    problem_in(program_of(manager).get(address.replace("score=2", "score=two")), 400)
