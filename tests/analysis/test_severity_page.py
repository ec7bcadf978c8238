"""How severe reviewers are, on its page and in the API: beside the raw means, under pseudonyms."""

from dataclasses import replace
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from evalapp.accounts.models import Project, User
from evalapp.analysis.agreement import severity
from evalapp.analysis.agreement.severity import CampaignSeverity, severity_of
from evalapp.analysis.scores.campaign_scores import CampaignScores, load_scores
from evalapp.campaigns.models import Campaign
from evalapp.reviews.pseudonyms import shown_names
from tests.api.conftest import program_of
from tests.cast import client_of
from tests.factories import answers, make_campaign, review_all

pytestmark = pytest.mark.django_db

ROWS = 12
LABELS = ("formal", "plain")


def said(by: int) -> dict[tuple[str, int], object]:
    """Levels that vary with the row, all moved by the same."""
    return {
        (label, row): answers(
            **{
                key: max(1, min(5, 3 + (row + turn) % 3 - 1 + by + (label == "plain")))
                for turn, key in enumerate(("accuracy", "clarity", "tone", "personalization"))
            }
        )
        for label in LABELS
        for row in range(1, ROWS + 1)
    }


@pytest.fixture
def campaign(project: Project, reviewer: User, other_reviewer: User) -> Campaign:
    return make_campaign(project, [reviewer, other_reviewer], rows=ROWS)


@pytest.fixture
def reviewed(campaign: Campaign, reviewer: User, other_reviewer: User) -> Campaign:
    review_all(campaign, other_reviewer, said(0))
    review_all(campaign, reviewer, said(-1))
    return campaign


def found(scores: CampaignScores) -> CampaignSeverity:
    return severity_of(scores, names=shown_names(scores.campaign, numbers=scores.numbers))


def url_of(campaign: Campaign) -> str:
    return f"/projects/{campaign.project.slug}/results/{campaign.pk}/severity/"


def test_a_full_table_is_adjusted_to_its_raw_means_and_the_severe_one_is_named(
    reviewed: Campaign, reviewer: User
) -> None:
    scores = load_scores(reviewed)
    result = found(scores)
    assert (result.reason, result.is_connected) == ("", True)
    assert result.ratings == 2 * 2 * ROWS * 4
    for row in result.candidates:
        assert row.total.score.value == pytest.approx(row.total.raw, abs=0.05)
        assert row.total.error is not None and row.total.error > 0
        assert [criterion.key for criterion, _ in row.scores] == [each.key for each in scores.scales]
    by_number = {row.number: row for row in result.reviewers}
    severe = by_number[scores.numbers[reviewer.pk]]
    assert severe.severity.points.value == pytest.approx(0.5, abs=0.12) and severe.is_apart


def test_adjusting_undoes_who_happened_to_get_the_answers(
    project: Project, campaign: Campaign, reviewer: User, other_reviewer: User
) -> None:
    # The lenient one scores all; the severe one "plain" alone beyond the first rows, which link them.
    review_all(campaign, other_reviewer, said(0))
    review_all(campaign, reviewer, said(-1))
    scores = load_scores(campaign)
    plain = next(each.pk for each in scores.candidates if each.model_version.label == "plain")
    first = sorted({answer.item_id for answer in scores.answers})[:4]
    kept = [
        answer
        for answer in scores.answers
        if answer.reviewer_id != reviewer.pk or answer.candidate_id == plain or answer.item_id in first
    ]
    scores.answers[:] = kept
    formal, plain_row = found(scores).candidates
    raw = plain_row.total.raw - formal.total.raw
    adjusted = plain_row.total.score.value - formal.total.score.value
    # The truth is 1; raw, the severe one's scores pull "plain" down.
    assert raw < 0.75 < 0.85 < adjusted


def test_the_page_says_it_all_under_pseudonyms(
    reviewed: Campaign, manager: User, other_reviewer: User
) -> None:
    page = client_of(manager).get(url_of(reviewed))
    assert page.status_code == 200
    assert "Reviewer 1" in page.text and "Reviewer 2" in page.text
    assert str(other_reviewer) not in page.text and other_reviewer.email not in page.text
    assert "standard error" in page.text and "raw" in page.text
    assert "Common items connect all reviewers and candidates" in page.text
    for address in (
        f"/projects/{reviewed.project.slug}/results/{reviewed.pk}/can-i-trust-it/",
        f"/projects/{reviewed.project.slug}/campaigns/{reviewed.pk}/quality/",
    ):
        assert url_of(reviewed) in client_of(manager).get(address).text


def test_one_criterion_without_variation_leaves_the_others_fitted(
    campaign: Campaign, reviewer: User, other_reviewer: User, manager: User
) -> None:
    for person, by in ((other_reviewer, 0), (reviewer, -1)):
        given = {place: replace(each, scores={**each.scores, "tone": 4}) for place, each in said(by).items()}
        review_all(campaign, person, given)
    result = found(load_scores(campaign))
    assert [each.key for each in result.unvaried] == ["tone"]
    for row in result.candidates:
        of = {criterion.key: score for criterion, score in row.scores}
        assert (of["tone"].score.reason, of["tone"].raw) == ("no variation", 4)
        assert all(of[key].score.defined for key in of if key != "tone") and row.total.score.defined
    assert all(row.severity.points.defined for row in result.reviewers)
    page = client_of(manager).get(url_of(campaign)).text
    assert "Not in the total, because all its scores are the same: Tone." in page
    assert page.count("No variation") == len(LABELS)


def test_names_stand_there_where_the_project_shows_them(
    reviewed: Campaign, manager: User, other_reviewer: User
) -> None:
    Project.objects.filter(pk=reviewed.project_id).update(shows_reviewer_names=True)
    assert str(other_reviewer) in client_of(manager).get(url_of(reviewed)).text


def test_one_reviewer_and_no_review_say_why_there_is_nothing(
    campaign: Campaign, manager: User, reviewer: User
) -> None:
    assert "Nobody has given a score yet." in client_of(manager).get(url_of(campaign)).text
    review_all(campaign, reviewer, said(0))
    page = client_of(manager).get(url_of(campaign))
    assert page.status_code == 200 and "One reviewer" in page.text


def test_reviewers_whom_no_item_links_are_said(
    reviewed: Campaign, manager: User, reviewer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = load_scores(reviewed)
    half = sorted({answer.item_id for answer in scores.answers})[: ROWS // 2]
    scores.answers[:] = [
        answer for answer in scores.answers if (answer.item_id in half) == (answer.reviewer_id == reviewer.pk)
    ]
    result = found(scores)
    assert not result.is_connected
    assert sorted(map(tuple, result.reviewer_groups)) == [("Reviewer 1",), ("Reviewer 2",)]
    assert result.reviewers[0].severity.points.reason.startswith("the reviewers fall into 2 groups")
    monkeypatch.setattr("evalapp.analysis.scores.filtered_scores.load_scores", lambda *_, **__: scores)
    page = client_of(manager).get(url_of(reviewed))
    assert "Reviewers, group 2: Reviewer" in page.text


def test_more_scores_than_a_page_can_wait_for_are_said(
    reviewed: Campaign, manager: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(severity, "MOST_RATINGS", 100)
    page = client_of(manager).get(url_of(reviewed))
    assert page.status_code == 200 and "has not been fitted to the 192 scores" in page.text


def test_without_a_weight_there_is_no_total(reviewed: Campaign) -> None:
    scores = load_scores(reviewed)
    for criterion in scores.criteria:
        criterion.weight = Decimal(0)
    result = found(scores)
    assert [row.total.score.reason for row in result.candidates] == ["no criterion has a weight"] * 2
    assert [row.total.raw for row in result.candidates] == [None, None]
    assert result.candidates[0].scores[0][1].score.defined


def test_the_api_gives_the_same_numbers(reviewed: Campaign, manager: User) -> None:
    result = found(load_scores(reviewed))
    path = f"projects/{reviewed.project.slug}/campaigns/{reviewed.pk}/analysis/severity/"
    told = program_of(manager).get(path).json()
    assert told["is_connected"] is True and told["reason"] == ""
    assert [row["label"] for row in told["candidates"]] == list(LABELS)
    for row, expected in zip(told["candidates"], result.candidates, strict=True):
        assert row["total"]["score"]["value"] == pytest.approx(expected.total.score.value)
        assert row["total"]["score"]["signature"].startswith("adjusted-score|")
        assert set(row["scores"]) == {"accuracy", "clarity", "tone", "personalization"}
    assert [row["reviewer"] for row in told["reviewers"]] == ["Reviewer 1", "Reviewer 2"]
    assert set(told["reviewers"][0]["by_criterion"]) == {"accuracy", "clarity", "tone", "personalization"}


def test_more_reviewers_take_no_more_queries(
    campaign: Campaign, manager: User, reviewer: User, other_reviewer: User
) -> None:
    counts = []
    browser = client_of(manager)
    browser.get(url_of(campaign))
    for person in (reviewer, other_reviewer):
        review_all(campaign, person, said(0))
        with CaptureQueriesContext(connection) as queries:
            browser.get(url_of(campaign))
        counts.append(len(queries))
    assert counts[1] <= counts[0]
