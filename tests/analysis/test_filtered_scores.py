"""A comparison filtered by its address: what is left, what is said, and what is refused."""

import csv
import datetime as dt
import io
from urllib.parse import quote

import pytest
from django.db import connection
from django.http import QueryDict
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from gunicorn.config import Config

from evalapp.accounts.models import Project, User
from evalapp.analysis.comparison.candidates import compare
from evalapp.analysis.comparison.differences import PairComparison
from evalapp.analysis.scores.campaign_scores import load_scores
from evalapp.analysis.scores.example_fields import example_fields
from evalapp.analysis.scores.filtered_scores import FilteredScores, load_filtered, shared_items_of
from evalapp.analysis.scores.filters import LONGEST_QUERY, read_filter
from evalapp.campaigns.models import Campaign
from evalapp.embedded import web_server
from evalapp.reviews.models import Review
from tests.analysis.segments import RETAIL, make_segmented
from tests.api.conftest import problem_in, program_of
from tests.cast import client_of
from tests.factories import answers, make_campaign, review_all, run_scoring, tagged
from tests.kept_cast import Cast, again
from tests.ratings.files import imported, rating, table

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def made(cast: Cast) -> Campaign:
    campaign = make_segmented(cast.project, [cast.reviewer, cast.other_reviewer])
    review_all(
        campaign,
        cast.reviewer,
        {
            ("formal", row): tagged(
                answers(tone=2 if row % 3 else 5), tone=["too-formal"] if row == 3 else []
            )
            for row in range(1, 7)
        },
    )
    review_all(campaign, cast.other_reviewer, {"formal": answers(tone=1)})
    return campaign


@pytest.fixture
def campaign(made: Campaign) -> Campaign:
    return again(made)


def filtered(campaign: Campaign, query: str) -> FilteredScores:
    wanted = read_filter(campaign, QueryDict(query))
    assert wanted.problems == ()
    return load_filtered(wanted)


def problems(campaign: Campaign, query: str) -> dict[str, str]:
    return dict(read_filter(campaign, QueryDict(query)).problems)


def address(campaign: Campaign, query: str = "", page: str = "") -> str:
    return f"/projects/{campaign.project.slug}/results/{campaign.pk}/{page}{f'?{query}' if query else ''}"


def tone(found: FilteredScores, row: int = 0) -> float | None:
    cell = compare(found.scores).rows[row].cell("tone")
    assert cell is not None
    return cell.mean.value


def test_a_filter_too_long_for_the_web_server_is_refused_in_words_before_it(
    campaign: Campaign, manager: User
) -> None:
    settings = Config()
    settings.set("limit_request_line", web_server.limit_request_line)
    room = settings.limit_request_line - LONGEST_QUERY
    assert room > len(f"GET {address(campaign, page='tables/differences.csv')} HTTP/1.1") + 500
    # As many of a field's boxes as a form has.
    many = "&".join(f"field.client={number}" for number in range(150))
    assert "" not in problems(campaign, many)
    query = "&".join(f"field.client={'x' * 100}{number}" for number in range(66))
    assert LONGEST_QUERY < len(query) < settings.limit_request_line
    refused = client_of(manager).get(address(campaign, query))
    assert refused.status_code == 400
    assert "The filters make the URL too long. Choose fewer of them." in refused.text


def test_a_field_keeps_its_items_alone_and_says_how_many(campaign: Campaign) -> None:
    found = filtered(campaign, "field.segment=institutional")
    assert found.coverage == (2, 6, 8, 24)
    # Rows 3 and 6: 5 by one reviewer, 1 by the other.
    assert tone(found) == pytest.approx(3)
    assert tone(filtered(campaign, f"field.segment={quote(RETAIL)}")) == pytest.approx(1.5)
    both = filtered(campaign, f"field.segment={quote(RETAIL)}&field.segment=institutional")
    assert both.coverage is not None and both.coverage.items == 6
    north = filtered(campaign, "field.segment=institutional&field.region=north&field.client=3")
    assert north.coverage is not None and north.coverage.items == 1


def test_reviewers_and_days_keep_their_reviews(campaign: Campaign, reviewer: User) -> None:
    numbers = load_scores(campaign).numbers
    assert tone(filtered(campaign, f"reviewers={numbers[reviewer.pk]}")) == pytest.approx(3)
    assert filtered(campaign, "reviewers=1&reviewers=2").coverage == (6, 6, 24, 24)
    earlier = timezone.now() - dt.timedelta(days=10)
    Review.objects.filter(campaign=campaign, reviewer=reviewer).update(submitted_at=earlier)
    today = timezone.now().astimezone(dt.UTC).date()
    assert tone(filtered(campaign, f"since={today - dt.timedelta(days=1)}")) == pytest.approx(1)
    assert tone(filtered(campaign, f"until={today - dt.timedelta(days=5)}")) == pytest.approx(3)
    day = earlier.astimezone(dt.UTC).date()
    assert filtered(campaign, f"since={day}&until={day}").coverage == (6, 6, 12, 24)
    nobody = f"until={today - dt.timedelta(days=90)}"
    for query in (nobody, f"{nobody}&candidates={campaign.candidates.first().pk}"):
        found = filtered(campaign, query)
        # What nobody reviewed then is not in view: no metric speaks of it, and no list of cases holds it.
        assert found.coverage == (0, 6, 0, 24) and found.scores.outputs == []


def test_chosen_candidates_are_compared_on_the_items_they_share(
    project: Project, reviewer: User, other_reviewer: User
) -> None:
    campaign = make_campaign(project, [reviewer], rows=3, texts={"a": "A {n}", "b": "B {n}", "c": "C {n}"})
    review_all(campaign, reviewer, {("a", 1): answers(tone=1), ("b", 2): answers(tone=2)})
    # Nobody has rated b's answer to the first row.
    Review.objects.filter(
        campaign=campaign,
        item_output__candidate__model_version__label="b",
        item_output__item__example__row_number=1,
    ).delete()
    a, b, c = campaign.candidates.all()

    found = filtered(campaign, f"candidates={a.pk}&candidates={b.pk}")

    assert [each.pk for each in found.scores.candidates] == [a.pk, b.pk]
    assert found.coverage == (2, 3, 4, 8)
    assert [tone(found, 0), tone(found, 1)] == [4.0, 3.0]
    assert filtered(campaign, f"candidates={a.pk}&candidates={c.pk}").coverage == (3, 3, 6, 8)
    shared = shared_items_of(load_scores(campaign))
    assert shared is not None
    assert ([items for _, items in shared.items], shared.shared) == ([3, 2, 3], 2)
    assert shared_items_of(filtered(campaign, shared.query).scores) is None


def test_whole_set_metrics_are_left_out_of_a_part(campaign: Campaign) -> None:
    run_scoring(campaign)
    assert compare(load_scores(campaign)).corpus_metrics
    assert compare(filtered(campaign, "field.segment=institutional").scores).corpus_metrics == []
    assert compare(filtered(campaign, "reviewers=1").scores).corpus_metrics


@pytest.mark.parametrize(
    ("query", "part", "words"),
    [
        ("field.colour=red", "field.colour", "no field “colour”; they have client, region, segment"),
        ("field.segment=public", "field.segment", f"there is institutional, {RETAIL}"),
        ("candidates=999999", "candidates", "it has formal, plain"),
        ("candidates=x", "candidates", "no candidate “x”"),
        ("reviewers=7", "reviewers", "no reviewer 7 in this campaign: numbers 1 to 2"),
        ("split=test", "split", "there is feedback"),
        ("since=yesterday", "since", "“yesterday” is not a date; write it as 2026-05-31"),
        ("since=2026-02-02&until=2026-02-01", "until", "is before the first"),
        ("rubric=9", "rubric", "not by version 9"),
    ],
)
def test_what_is_not_there_is_said_and_shows_no_numbers(
    query: str, part: str, words: str, campaign: Campaign, manager: User
) -> None:
    assert words in problems(campaign, query)[part]

    page = client_of(manager).get(address(campaign, query))

    assert page.status_code == 400
    assert "Reviewer scores" not in page.text
    assert "Choose candidates and filters" in page.text
    for other in ("cases/", "table.csv"):
        assert client_of(manager).get(address(campaign, query, other)).status_code == 400
    problem = problem_in(
        program_of(manager).get(
            f"projects/{campaign.project.slug}/campaigns/{campaign.pk}/comparison/?{query}"
        ),
        400,
    )
    assert words in problem["fields"][part][0]


def test_a_filter_that_the_page_does_not_know_is_said_beside_all_numbers(
    campaign: Campaign, manager: User
) -> None:
    page = client_of(manager).get(address(campaign, "colour=red"))
    assert page.status_code == 200
    assert "Unknown filter in the URL: “colour”. It is ignored." in page.text


def test_the_page_says_exploratory_and_its_numbers_lead_to_the_items_in_view(
    campaign: Campaign, manager: User
) -> None:
    page = client_of(manager).get(
        address(campaign, "field.segment=institutional&reviewers=1&reviewer_type=all")
    )
    assert "a filtered view of 2 of 6 items and 4 of 24 reviews" in page.text
    assert "field.segment=institutional&amp;reviewers=1" in page.text
    # A chip takes its own filter back and leaves the other.
    assert (
        f'href="/projects/{campaign.project.slug}/results/{campaign.pk}/?reviewer_type=all&amp;reviewers=1"'
        in page.text
    )
    candidate = campaign.candidates.first()
    assert candidate is not None
    cases = client_of(manager).get(
        address(
            campaign,
            f"candidate={candidate.pk}&criterion=tone&field.segment=institutional&reviewers=1",
            "cases/",
        )
    )
    assert "2 outputs:" in cases.text
    assert "Filter: segment: institutional; by Reviewer 1." in cases.text
    # The walk through the cases keeps to the view.
    first = cases.text.split('data-href="')[1].split('"')[0].replace("&amp;", "&")
    assert "field.segment=institutional&reviewers=1" in first
    assert (
        "2 outputs" in client_of(manager).get(first).text or client_of(manager).get(first).status_code == 200
    )
    whole = client_of(manager).get(address(campaign))
    assert "Exploratory" not in whole.text


def test_the_csv_and_the_api_show_the_view(campaign: Campaign, manager: User) -> None:
    answer = client_of(manager).get(address(campaign, "field.segment=institutional", "table.csv"))
    assert answer["Content-Disposition"] == f'attachment; filename="comparison-{campaign.pk}-filtered.csv"'
    lines = answer.text
    figures = {(row["candidate"], row["measure"]): row["value"] for row in csv.DictReader(io.StringIO(lines))}
    assert float(figures["formal", "tone"]) == 3
    assert float(figures["plain", "tone"]) == 4
    path = f"projects/{campaign.project.slug}/campaigns/{campaign.pk}"
    told = program_of(manager).get(f"{path}/comparison/?field.segment=institutional&reviewers=1").json()
    assert told["coverage"] == {"items": 2, "of_items": 6, "reviews": 4, "of_reviews": 24}
    assert told["candidates"][0]["human"][2]["mean"]["value"] == 5
    assert program_of(manager).get(f"{path}/comparison/").json()["coverage"] is None
    cases = program_of(manager).get(f"{path}/cases/?field.segment=institutional&limit=3").json()
    assert len(cases["results"]) == 3
    following = program_of(manager).get(cases["next"]).json()
    assert len(following["results"]) == 1


def test_differences_have_the_total_the_shares_and_wins(campaign: Campaign, manager: User) -> None:
    scores = load_scores(campaign)
    comparison = compare(scores)
    found = PairComparison(scores, comparison).with_reference(comparison.rows[0])
    by_name = {pair.name: pair for pair in found}
    assert list(by_name) == [
        "Accuracy", "Clarity", "Tone", "Personalization", "Total",
        "Material factual error, share yes, lower is better"
    ]  # fmt: skip
    record = by_name["Tone"].record
    # "plain" has 4 throughout; "formal" 2 (four times), 5 (twice) by one reviewer, 1 (six times) by the
    # other.
    assert record is not None and (record.won, record.tied, record.lost) == (10, 0, 2)
    # (4 − 2 + 4 − 1) / 2 on four rows, (4 − 5 + 4 − 1) / 2 on two; a quarter of it in the total.
    difference = (4 * 2.5 + 2 * 1) / 6
    assert by_name["Tone"].difference.difference.value == pytest.approx(difference)
    assert by_name["Total"].difference.difference.value == pytest.approx(difference / 4)
    assert by_name["Total"].is_total
    page = client_of(manager).get(f"{address(campaign)}who-is-better/").text
    assert "Won–tied–lost" in page and "10–0–2" in page
    path = f"projects/{campaign.project.slug}/campaigns/{campaign.pk}/differences/"
    told = program_of(manager).get(path).json()["results"]
    assert [row["criterion"] for row in told if row["is_total"]] == ["total"]
    assert told[2]["record"]["win"]["value"] == pytest.approx(10 / 12)


def test_the_list_is_filtered_by_a_rubric_version(
    campaign: Campaign, project: Project, manager: User, reviewer: User
) -> None:
    other = make_campaign(project, [reviewer], rows=1, name="Other", texts={"x": "X"})
    listing = f"/projects/{project.slug}/results/"
    page = client_of(manager).get(listing, {"rubric": other.rubric_version_id})
    assert "Other</a>" in page.text and "Segments</a>" not in page.text
    assert client_of(manager).get(listing, {"rubric": "9" * 30}).status_code == 400
    assert client_of(manager).get(listing, {"split": "test"}).status_code == 400


def test_a_filtered_page_takes_as_many_queries_for_two_filters_as_for_one_of_a_kind(
    campaign: Campaign, manager: User
) -> None:
    counts = []
    browser = client_of(manager)
    for query in (
        "field.segment=institutional&reviewers=1",
        "field.segment=institutional&field.region=north&reviewers=1&reviewers=2",
    ):
        browser.get(address(campaign, query))
        with CaptureQueriesContext(connection) as captured:
            browser.get(address(campaign, query))
        counts.append(len(captured))
    assert counts[0] == counts[1]


def test_the_form_has_numbers_by_size_and_folds_what_has_many_values(
    empty_project: Project, reviewer: User, manager: User
) -> None:
    campaign = make_segmented(empty_project, [reviewer], rows=11)
    offered = {field.name: field for field in example_fields(campaign)}
    assert [each.value for each in offered["client"].values] == [str(row) for row in range(1, 12)]
    assert [each.value for each in offered["region"].values] == ["north", "south"]
    review_all(campaign, reviewer, {"formal": answers(tone=3), "plain": answers(tone=3)})
    page = client_of(manager).get(address(campaign)).text
    assert page.count("<summary>11 values</summary>") == 1 and "2 values" not in page
    # Reviewers and days are in every campaign: they stand before the fields, however many those are.
    assert page.index("<legend>Reviewers") < page.index("<legend>Review date") < page.index("<legend>client")
    chosen = client_of(manager).get(address(campaign, "field.client=10")).text
    assert "<summary>11 values</summary>" not in chosen and 'value="10" checked' in chosen


def test_candidates_without_a_common_item_are_said_to_tell_nothing_of_each_other(
    project: Project, manager: User
) -> None:
    rows = [
        rating(item, candidate, person)
        for item, candidate in ((1, "base"), (2, "base"), (3, "tuned"), (4, "tuned"))
        for person in ("Mara", "Ole")
    ]
    campaign = imported(project, manager, table(*rows)).campaign
    page = client_of(manager).get(f"/projects/{project.slug}/results/{campaign.pk}/").text
    assert "No item was rated for both, so their means cannot be compared" in page
