"""Tables of the analysis pages are taken along as CSV and Markdown: the same figures, reached by a link."""

import csv
import io
import re
from decimal import Decimal

import pytest
from django.utils.html import escape, strip_tags

from evalapp.accounts.models import Project, User
from evalapp.analysis.comparison.candidates import compare
from evalapp.analysis.scores.campaign_scores import load_scores
from evalapp.analysis.tables.named_tables import TABLES
from evalapp.campaigns.models import Campaign
from evalapp.core.tables import Column, Table, csv_lines
from evalapp.measure import Measure
from evalapp.registry.prices import set_price
from evalapp.reviews.preferences.answers import PreferenceAnswers
from evalapp.runs.models import Output
from tests.analysis.test_pairs import judge_by, pairs_campaign, prefers
from tests.cast import client_of
from tests.factories import answers, make_campaign, review_all, run_scoring, tagged
from tests.kept_cast import Cast, again
from tests.results_pages import TABS, results_of

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def made(cast: Cast) -> Campaign:
    campaign = make_campaign(cast.project, [cast.reviewer, cast.other_reviewer], rows=6)
    run_scoring(campaign)
    said = {
        ("formal", n): tagged(answers(tone=2 if n % 2 else 3), tone=["too-formal"] if n % 2 else [])
        for n in range(1, 7)
    }
    said |= {("plain", n): answers(tone=5 if n % 3 else 4) for n in range(1, 7)}
    for person in (cast.reviewer, cast.other_reviewer):
        review_all(campaign, person, said)
    return campaign


@pytest.fixture
def campaign(made: Campaign) -> Campaign:
    return again(made)


def address(campaign: Campaign, name: str, form: str, query: str = "") -> str:
    return f"/projects/{campaign.project.slug}/results/{campaign.pk}/tables/{name}.{form}{query}"


def records(campaign: Campaign, person: User, name: str, query: str = "") -> list[dict[str, str]]:
    answer = client_of(person).get(address(campaign, name, "csv", query))
    assert answer.status_code == 200
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(answer.content.decode())))


def test_the_copied_means_are_those_of_the_comparison(campaign: Campaign, manager: User) -> None:
    rows = records(campaign, manager, "people")
    comparison = compare(load_scores(campaign))
    assert [row["Candidate"] for row in rows] == ["formal", "plain"]
    for row, shown in zip(rows, comparison.rows, strict=True):
        tone = shown.cell("tone")
        assert tone is not None
        for column, figure in (("", tone.mean.value), (" low", tone.mean.low), (" high", tone.mean.high)):
            assert float(row[f"Tone (1–5){column}"]) == pytest.approx(figure, abs=1e-6)
        assert row["Tone (1–5) n"] == "6"


def test_copied_differences_have_the_shares_won_tied_and_lost(campaign: Campaign, manager: User) -> None:
    (tone,) = [
        row for row in records(campaign, manager, "differences") if row["Criterion"].startswith("Tone")
    ]
    for outcome in ("won", "tied", "lost"):
        share, low, high = (float(tone[f"Share {outcome}{part}"]) for part in ("", " low", " high"))
        assert 0 <= low <= share <= high <= 1
        assert share == pytest.approx(int(tone[outcome.capitalize()]) / 12)
    text = client_of(manager).get(address(campaign, "differences", "md")).content.decode()
    assert "Share won" in text


def test_markdown_is_text_in_the_browser(campaign: Campaign, manager: User) -> None:
    answer = client_of(manager).get(address(campaign, "differences", "md"))
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert "Content-Disposition" not in answer
    text = answer.content.decode()
    assert text.startswith("**Differences from ")
    assert "| Tone |" in text


def test_the_choices_of_the_page_are_kept(campaign: Campaign, manager: User) -> None:
    plain = load_scores(campaign).candidates[1]
    rows = records(campaign, manager, "differences", f"?against={plain.pk}")
    assert {row["Candidate"] for row in rows} == {"formal"}
    page = client_of(manager).get(
        f"/projects/{campaign.project.slug}/results/{campaign.pk}/who-is-better/?against={plain.pk}"
    )
    assert f"/tables/differences.csv?against={plain.pk}" in page.content.decode()


def test_the_copied_metrics_have_every_column_of_the_page(campaign: Campaign, manager: User) -> None:
    Output.objects.filter(candidate__label="formal").update(
        prompt_tokens=1000, completion_tokens=100, seconds=2
    )
    set_price(
        project=campaign.project, model_version=None, input_price=Decimal(1), output_price=Decimal(2),
        currency="EUR", by=manager
    )  # fmt: skip
    page = (
        client_of(manager).get(f"/projects/{campaign.project.slug}/results/{campaign.pk}/who-is-better/").text
    )
    (head,) = re.findall(r'<table class="table comparison metrics-table">.*?</thead>', page, flags=re.DOTALL)
    heads = [
        strip_tags(each).replace(", whole set", " of the whole set")
        for each in re.findall(r"<th .*?</th>", head, flags=re.DOTALL)
    ]
    formal, plain = records(campaign, manager, "metrics")
    parts = (" low", " high", " n", " undefined because", " note")
    assert [name for name in formal if not name.endswith(parts)] == [*heads, "Currency"]
    assert (formal["Prompt tokens"], formal["Completion tokens"]) == ("1000.0", "100.0")
    assert (formal["Seconds per output"], formal["Cost per 1,000"], formal["Currency"]) == (
        "2.0",
        "1.2",
        "EUR",
    )
    assert plain["Prompt tokens undefined because"] == "not counted"
    markdown = client_of(manager).get(address(campaign, "metrics", "md")).content.decode()
    assert (
        "| Prompt tokens | Completion tokens | Seconds per output | Cost per 1,000 | Currency |" in markdown
    )


def test_every_table_offered_on_a_page_can_be_taken(campaign: Campaign, manager: User) -> None:
    client = client_of(manager)
    offered: set[str] = set()
    for page in (*TABS, "severity/", "metrics/", "agreement/?criterion=tone"):
        text = client.get(f"/projects/{campaign.project.slug}/results/{campaign.pk}/{page}").content.decode()
        for link in re.findall(r'href="([^"]+/tables/[^"]+)"', text):
            assert client.get(link).status_code == 200, link
            offered.add(link.rpartition("/")[2].partition(".")[0])
    # No rule and no span criterion here, and nothing is compared, so the page has no such table either.
    # Every item is reviewed here, so no mean is prediction-powered: tests/analysis/test_metric_pages.py has
    # that table.
    # No row has metadata, so there are no subgroups (tests/analysis/test_summary.py).
    absent = {"rules", "marks", "pairs", "strengths", "prediction_powered", "subgroups"}
    # Nor are the rows counterfactual pairs (tests/analysis/test_counterfactuals.py).
    absent.add("counterfactuals")
    assert offered == set(TABLES) - absent


def test_tables_of_agreement_are_those_of_the_chosen_criterion_measure_and_people(
    campaign: Campaign, manager: User
) -> None:
    page = f"/projects/{campaign.project.slug}/results/{campaign.pk}/agreement/"
    chosen = "?criterion=tone&measure=exact&first=1&second=2"
    text = client_of(manager).get(page + chosen).content.decode()
    for name in ("panel", "beside-others", "matrix", "confusion"):
        assert escape(address(campaign, name, "csv", chosen)) in text
    (tone,) = [row for row in records(campaign, manager, "panel") if row["Criterion"] == "Tone"]
    assert (tone["Exact agreement"], tone["Scores"]) == ("1.0", "24")
    beside = records(campaign, manager, "beside-others", chosen)
    assert [(row["Reviewer"], row["Exact agreement"]) for row in beside] == [
        ("Reviewer 1", "1.0"),
        ("Reviewer 2", "1.0"),
    ]
    matrix = records(campaign, manager, "matrix", chosen)
    assert [(row["Reviewer 1"], row["Reviewer 2"]) for row in matrix] == [("", "1.0"), ("1.0", "")]
    confusion = records(campaign, manager, "confusion", chosen)
    given = {row["Reviewer 1 gave"][0]: list(row.values())[1:] for row in confusion}
    assert given == {
        "1": ["0", "0", "0", "0", "0"],
        "2": ["0", "3", "0", "0", "0"],
        "3": ["0", "0", "3", "0", "0"],
        "4": ["0", "0", "0", "2", "0"],
        "5": ["0", "0", "0", "0", "4"],
    }
    refused = client_of(manager).get(address(campaign, "matrix", "md", "?measure=guess"))
    assert refused.status_code == 400 and "There is no measure “guess”" in refused.content.decode()


def test_a_table_that_is_not_there_is_said(campaign: Campaign, manager: User) -> None:
    client = client_of(manager)
    unknown = client.get(address(campaign, "nothing", "csv"))
    assert unknown.status_code == 404 and "There is no table “nothing”" in unknown.content.decode()
    empty = client.get(address(campaign, "marks", "md"))
    assert empty.status_code == 404 and "no data for the table" in empty.content.decode()


def test_reviewers_are_told_of_by_number_also_to_themselves(campaign: Campaign, manager: User) -> None:
    names = [row["Reviewer"] for row in records(campaign, manager, "reviewers")]
    assert names == ["Reviewer 1", "Reviewer 2"]


def test_who_is_preferred_can_be_taken(
    project: Project, reviewer: User, other_reviewer: User, manager: User
) -> None:
    campaign = pairs_campaign(project, [reviewer, other_reviewer])
    judge_by(campaign, reviewer, prefers("new"))
    page = client_of(manager).get(f"/projects/{campaign.project.slug}/results/{campaign.pk}/pairs/")
    for name in ("pairs", "strengths"):
        assert address(campaign, name, "csv") in page.content.decode()
    (row,) = records(campaign, manager, "pairs")
    assert (row["First"], row["Win rate"], row["Second better"]) == ("old of Pairs", "0.0", "6")
    strengths = records(campaign, manager, "strengths")
    assert len(strengths) == 2 and "Mean rank" not in strengths[0]


def test_a_pair_of_which_both_are_bad_everywhere_was_judged_on_all_its_items(
    project: Project, reviewer: User, manager: User
) -> None:
    campaign = pairs_campaign(project, [reviewer])
    judge_by(campaign, reviewer, lambda _: PreferenceAnswers("both_bad"))
    (row,) = records(campaign, manager, "pairs")
    assert (row["Both bad"], row["Share of both bad"], row["Share of both bad n"]) == ("6", "1.0", "6")
    page = client_of(manager).get(f"/projects/{project.slug}/results/{campaign.pk}/pairs/").content.decode()
    assert re.search(r'data-label="Items">6<', page)


def test_a_ranking_has_ranks_and_no_preference_on_both(
    project: Project, reviewer: User, manager: User
) -> None:
    labels = ("old", "new", "third")
    campaign = pairs_campaign(project, [reviewer], method="ranking", labels=labels, rows=2)
    judge_by(campaign, reviewer, lambda _: PreferenceAnswers(ranks=(1, 2, 3)))
    assert "Mean rank" in records(campaign, manager, "strengths")[0]
    assert not {"Equal", "Both bad", "Share of both bad"} & set(records(campaign, manager, "pairs")[0])


def test_a_filtered_page_gives_filtered_tables(campaign: Campaign, manager: User) -> None:
    query = "?reviewers=1"
    assert {row["Reviewer"] for row in records(campaign, manager, "reviewers", query)} == {"Reviewer 1"}
    assert sum(int(row["Ratings"]) for row in records(campaign, manager, "ratings", query)) * 2 == sum(
        int(row["Ratings"]) for row in records(campaign, manager, "ratings")
    )
    text = client_of(manager).get(address(campaign, "people", "md", query)).content.decode()
    assert text.rstrip().endswith("Filtered view, exploratory only.")
    refused = client_of(manager).get(address(campaign, "people", "csv", "?reviewers=99"))
    assert refused.status_code == 400


def test_a_difference_that_cannot_be_tested_says_so_wherever_it_stands(
    empty_project: Project, reviewer: User, manager: User
) -> None:
    empty_project.population = "reviewers"
    empty_project.save()
    campaign = make_campaign(empty_project, [reviewer], rows=4)
    said = {("formal", n): answers(tone=4) for n in range(1, 5)}
    said |= {("plain", n): answers(tone=5) for n in range(1, 5)}
    review_all(campaign, reviewer, said)

    tone = next(row for row in records(campaign, manager, "differences") if row["Criterion"] == "Tone")
    assert (tone["Difference"], tone["p (Holm)"]) == ("1.0", "")
    assert tone["Difference note"].endswith("not tested: one reviewer")
    page = results_of(client_of(manager), f"/projects/{empty_project.slug}/results/{campaign.pk}/")
    words = " ".join(strip_tags(page).split())
    assert "is significant." not in words
    assert "Not tested: one reviewer" in words


def test_a_figure_is_never_less_than_0_and_0() -> None:
    found = Measure(value=-1e-12, n=2, low=-0.0, high=0.5, signature="x")
    table = Table("t", "T", [Column("A", "number", is_measure=True), Column("B", "p")], [[found, -0.0]])
    assert "-0" not in "".join(csv_lines(table))
