"""A criterion that nobody could answer: every page says so in words, and the others have their figures."""

import html
import re
from collections.abc import Callable

import pytest
from django.utils.html import strip_tags

from evalapp.accounts.models import Project, User
from evalapp.analysis.agreement.severity import severity_of
from evalapp.analysis.scores.campaign_scores import load_scores
from evalapp.campaigns.models import Campaign
from evalapp.reports.content import content_of
from evalapp.reports.services import start_report
from tests.api.conftest import program_of
from tests.cast import client_of
from tests.factories import answers, make_campaign, review_all, run_scoring
from tests.kept_cast import Cast, again
from tests.results_pages import TABS

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def made(cast: Cast) -> Campaign:
    people = [cast.reviewer, cast.other_reviewer]
    campaign = make_campaign(cast.project, people, rows=6)
    for turn, person in enumerate(people):
        said = {
            (label, row): answers(
                tone="na",
                accuracy=2 + (row + turn) % 4,
                clarity=3 + row % 3,
                personalization=2 + (row + turn) % 3,
            )
            for label in ("formal", "plain")
            for row in range(1, 7)
        }
        review_all(campaign, person, said)
    run_scoring(campaign)
    return campaign


@pytest.fixture
def campaign(made: Campaign) -> Campaign:
    return again(made)


@pytest.fixture
def read(campaign: Campaign, manager: User) -> Callable[[str], str]:
    """The words of a page under the campaign's comparison."""

    def words(part: str) -> str:
        address = f"/projects/{campaign.project.slug}/results/{campaign.pk}/{part}"
        page = client_of(manager).get(address)
        assert page.status_code == 200
        text = re.sub(r"<(script|style).*?</\\1>", " ", page.text, flags=re.DOTALL)
        return " ".join(html.unescape(strip_tags(text.replace("<", " <"))).split())

    return words


def test_the_comparison_says_why_there_is_no_mean(read: Callable[[str], str]) -> None:
    page = " ".join(map(read, TABS))
    assert page.count("Every answer is N/A 12 N/A") == 2
    assert "plain Tone No reviewer scored both candidates on the same item" in page
    assert "Tone: no ratings" in page
    # Of agreement, once for the three measures.
    assert "Tone Every answer is N/A Personalization" in page


def test_every_measure_of_agreement_has_the_same_reason_which_is_said_once(
    read: Callable[[str], str],
) -> None:
    assert "Tone Every answer is N/A 0" in read("agreement/")
    page = read("agreement/?criterion=tone")
    assert "Every answer to Tone is N/A, so there is nothing to compare." in page
    assert "No two reviewers" not in page


def test_the_severity_names_what_it_leaves_out(
    read: Callable[[str], str], campaign: Campaign, manager: User
) -> None:
    assert "Left out, because there are no scores (no answers or only N/A): Tone." in read("severity/")
    scores = load_scores(campaign)
    assert [each.key for each in severity_of(scores, names=scores.names).unscored] == ["tone"]
    api = f"projects/{campaign.project.slug}/campaigns/{campaign.pk}/analysis/severity/"
    assert program_of(manager).get(api).json()["unscored"] == ["tone"]


def test_where_nothing_but_na_was_given_nobody_says_that_nothing_was(
    empty_project: Project, reviewer: User, other_reviewer: User, manager: User
) -> None:
    campaign = make_campaign(empty_project, [reviewer, other_reviewer], rows=2, name="All N/A")
    for person in (reviewer, other_reviewer):
        nothing = answers(tone="na", accuracy="na", clarity="na", personalization="na")
        review_all(campaign, person, {"formal": nothing, "plain": nothing})
    address = f"/projects/{empty_project.slug}/results/{campaign.pk}/"
    severity = client_of(manager).get(f"{address}severity/").text
    assert "Every answer is N/A." in severity and "Nobody has given a score yet" not in severity
    agreement = client_of(manager).get(f"{address}agreement/").text
    assert "Every answer to Accuracy is N/A, so there is nothing to compare." in agreement
    api = f"projects/{empty_project.slug}/campaigns/{campaign.pk}/analysis/agreement/confusion/"
    told = program_of(manager).get(f"{api}?criterion=accuracy").text
    assert "Every answer to Accuracy is N/A." in told


def test_no_metric_is_trusted_for_it(read: Callable[[str], str]) -> None:
    assert "No metric can be compared with people on Tone yet." in read("metrics/")


def test_the_report_says_it_too(campaign: Campaign, manager: User) -> None:
    report = start_report(campaign=campaign, by=manager)
    document = content_of(report, progress=lambda *_: None).document
    tables = {block["title"]: block for block in document.blocks if block["kind"] == "table"}
    tone = [row for row in tables["Means on scales"]["rows"] if row[1]["main"].startswith("Tone")]
    assert [f"{row[2]['main']} {row[2]['beside']}".lower().count("every answer is n/a") for row in tone] == [
        1,
        1,
    ]
