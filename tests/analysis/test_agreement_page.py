"""Who agrees with whom, which levels are confused, and how the page and the API say it."""

import re
from collections.abc import Sequence

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from evalapp.accounts.models import Project, User
from evalapp.analysis.agreement import reviewer_agreement
from evalapp.analysis.agreement.measures import agreement_rows
from evalapp.analysis.agreement.reviewer_agreement import NO_ORDER, ComputedPanel, matrix_in_words
from evalapp.analysis.scores.campaign_scores import CampaignScores, load_scores
from evalapp.analysis.views import agreement as agreement_views
from evalapp.campaigns.models import Assignment, Campaign
from tests.api.conftest import problem_in, program_of
from tests.cast import client_of
from tests.factories import YES_NO, answers, make_campaign, review_all
from tests.kept_cast import Cast, again
from tests.ratings.files import imported, rating, table

pytestmark = pytest.mark.django_db
ROWS = 12


@pytest.fixture
def panel(reviewer: User, other_reviewer: User, engineer: User) -> Sequence[User]:
    return [reviewer, other_reviewer, engineer]


@pytest.fixture(scope="module")
def made(cast: Cast) -> Campaign:
    """Two agree on tone but for 3 and 4, which they mix up; the third goes the other way."""
    panel = [cast.reviewer, cast.other_reviewer, cast.engineer]
    campaign = make_campaign(cast.project, panel, rows=ROWS)
    for turn, person in enumerate(panel):
        said = {}
        for row in range(1, ROWS + 1):
            level = 1 + row % 5
            if level in (3, 4) and turn == 1:
                level = 3 if row % 2 else 4
            if turn == 2:
                level = 6 - level
            said["formal", row] = said["plain", row] = answers(tone=level, error=row % 2)
        review_all(campaign, person, said)
    return campaign


@pytest.fixture
def campaign(made: Campaign) -> Campaign:
    return again(made)


@pytest.fixture
def scores(campaign: Campaign) -> CampaignScores:
    return load_scores(campaign)


def criterion(scores: CampaignScores, key: str = "tone"):  # type: ignore[no-untyped-def]
    return next(each for each in scores.criteria if each.key == key)


def panel_of(scores: CampaignScores) -> ComputedPanel:
    return ComputedPanel(scores, scores.names)


def url_of(campaign: Campaign, query: str = "") -> str:
    return f"/projects/{campaign.project.slug}/results/{campaign.pk}/agreement/{f'?{query}' if query else ''}"


def test_the_panels_measures_are_those_of_the_comparison_and_more(scores: CampaignScores) -> None:
    old = {row.criterion.key: row for row in agreement_rows(scores)}
    found = panel_of(scores).overall(criterion(scores)).measures
    assert found.alpha == old["tone"].alpha
    assert found.exact == old["tone"].exact
    assert found.within_one == old["tone"].within_one
    assert all(measure.n == 2 * ROWS for measure in found)
    assert found.icc_2_k.value is not None and found.icc_2_1.value is not None
    yes_no = panel_of(scores).overall(criterion(scores, YES_NO)).measures
    assert yes_no.alpha == old[YES_NO].alpha and yes_no.alpha.value == 1
    assert yes_no.kappa.reason == yes_no.icc_1.reason == yes_no.within_one.reason == NO_ORDER
    constant = panel_of(scores).overall(criterion(scores, "clarity")).measures
    assert constant.alpha.reason == constant.kappa.reason == constant.icc_1.reason == "no variation"
    assert constant.exact.value == 1


def test_the_odd_reviewer_and_the_best_pair_are_found(scores: CampaignScores, panel: Sequence[User]) -> None:
    tone = criterion(scores)
    first, _, odd = panel_of(scores).reviewers(tone)
    assert (first.name, odd.number) == ("Reviewer 1", 3)
    assert odd.measures.alpha.value is not None and odd.measures.alpha.value < 0
    assert first.measures.alpha.value is not None and first.measures.alpha.value > odd.measures.alpha.value
    pairs = panel_of(scores).pairs(tone)
    assert len(pairs) == 3
    best = panel_of(scores).pair(tone, pairs[0])
    assert (best.first, best.second) == (1, 2)
    # Apart on some 3s and 4s only.
    assert best.measures.within_one.value == 1
    assert best.measures.kappa.value is not None and best.measures.kappa.value > 0.8
    matrix = panel_of(scores).matrix(tone, "kappa")
    assert [cell.tone for cell in matrix[0].cells] == [0, 5, 1]
    assert matrix[0].cells[1].measure == matrix[1].cells[0].measure
    assert matrix_in_words(matrix, "kappa").startswith(
        "Kappa is highest between Reviewer 1 and Reviewer 2 (0."
    )
    assert matrix_in_words([], "alpha") == "Alpha is undefined for every two reviewers."


def test_confused_levels_are_named_with_their_items(scores: CampaignScores) -> None:
    scores.answers[:] = [answer for answer in scores.answers if scores.numbers[answer.reviewer_id] < 3]
    (found,) = panel_of(scores).clarify(criterion(scores))
    assert (found.lower, found.upper) == ("3", "4")
    # Rows 2, 3, 7, 8, 12 are 3 or 4 by the first; the second says the other on 2, 3, 7 of the wrong parity.
    counts = panel_of(scores).pair(criterion(scores), panel_of(scores).pairs(criterion(scores))[0]).confusion
    assert counts is not None
    assert counts.items == 2 * ROWS
    assert found.found.apart == counts.counts[2][3] + counts.counts[3][2] > 0
    assert len(found.item_outputs) == min(5, found.found.apart)
    assert panel_of(scores).clarify(criterion(scores, YES_NO)) == []


def test_only_the_base_overlap_counts(campaign: Campaign, scores: CampaignScores) -> None:
    before = panel_of(scores).overall(criterion(scores))
    Assignment.objects.filter(campaign=campaign, number=3).update(is_added=True)
    after = panel_of(load_scores(campaign)).overall(criterion(scores))
    assert (before.scores, after.scores) == (6 * ROWS, 4 * ROWS)
    assert after.measures.alpha != before.measures.alpha


def test_every_count_opens_its_outputs(campaign: Campaign, manager: User, scores: CampaignScores) -> None:
    page = client_of(manager).get(url_of(campaign, "criterion=tone&first=1&second=2"))
    assert page.status_code == 200
    links = re.findall(r'href="([^"]*gave=[^"]*)">(\d+)</a>', page.text)
    assert sum(int(count) for _, count in links) == 2 * ROWS
    browser = client_of(manager)
    for address, count in links:
        listed = browser.get(address.replace("&amp;", "&")).text
        assert f"{count} output{'' if count == '1' else 's'}: Tone" in listed, address
    assert (
        "Reviewer 1 gave 3, Reviewer 2 gave 4"
        in browser.get(
            f"/projects/{campaign.project.slug}/results/{campaign.pk}/cases/?criterion=tone&gave=1:3,2:4"
        ).text
    )
    for odd in ("9:3", "x", "1:3,", "1", "99999999999:1"):
        address = f"/projects/{campaign.project.slug}/results/{campaign.pk}/cases/?criterion=tone&gave={odd}"
        assert browser.get(address).status_code == 404


def test_the_page_says_what_to_do_under_pseudonyms(
    campaign: Campaign, manager: User, other_reviewer: User, scores: CampaignScores
) -> None:
    page = client_of(manager).get(url_of(campaign, "criterion=tone&measure=kappa")).text
    assert "Reviewer 2" in page and str(other_reviewer) not in page and other_reviewer.email not in page
    assert "Unclear levels" in page
    assert "significantly better than chance:" in page
    assert "Kappa is highest between Reviewer 1 and Reviewer 2" in page
    Project.objects.filter(pk=campaign.project_id).update(shows_reviewer_names=True)
    assert str(other_reviewer) in client_of(manager).get(url_of(campaign)).text
    for address in (
        f"/projects/{campaign.project.slug}/results/{campaign.pk}/can-i-trust-it/",
        f"/projects/{campaign.project.slug}/campaigns/{campaign.pk}/quality/",
    ):
        assert url_of(campaign) in client_of(manager).get(address).text


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("criterion=taste", "no criterion “taste” with levels; it has accuracy"),
        ("measure=love", "There is no measure “love”; there are alpha"),
        ("first=1&second=9", "No reviewer “9” has scored"),
        ("first=1&second=1", "Choose two different reviewers"),
        ("first=1", "No reviewer “” has scored"),
    ],
)
def test_an_odd_choice_is_said(query: str, words: str, campaign: Campaign, manager: User) -> None:
    page = client_of(manager).get(url_of(campaign, query))
    assert page.status_code == 400
    assert words in page.text


def test_nobody_one_reviewer_and_no_overlap_say_so(
    empty_project: Project, reviewer: User, other_reviewer: User, manager: User
) -> None:
    campaign = make_campaign(empty_project, [reviewer, other_reviewer], rows=1)
    nothing = client_of(manager).get(url_of(campaign))
    assert nothing.status_code == 200 and "No two reviewers have scored Accuracy yet" in nothing.text
    review_all(campaign, reviewer, {})
    one = client_of(manager).get(url_of(campaign)).text
    assert "No two reviewers have scored" in one
    # Once for the whole table, of eight measures a criterion.
    assert one.count("Agreement is undefined on every criterion: one reviewer.") == 1
    assert "One reviewer" not in one
    comparison = client_of(manager).get(f"/projects/{empty_project.slug}/results/{campaign.pk}/").text
    assert "One reviewer</span>" not in comparison


def test_a_reason_that_is_one_criterions_alone_is_said_once_in_its_row(
    empty_project: Project, reviewer: User, other_reviewer: User, manager: User
) -> None:
    campaign = make_campaign(empty_project, [reviewer, other_reviewer], rows=3)
    review_all(campaign, reviewer, {"plain": answers(tone=2)})
    review_all(campaign, other_reviewer, dict.fromkeys(("formal", "plain"), answers(tone="na")))
    page = client_of(manager).get(url_of(campaign)).text
    assert "Agreement is undefined on every criterion" not in page
    assert page.count("One reviewer") == 1
    assert '<td colspan="8" class="soft small">One reviewer</td>' in page


def test_reviewers_without_a_common_output_are_told_what_to_do(project: Project, manager: User) -> None:
    rows = [
        rating(item, "base", person) for item, person in ((1, "Mara"), (2, "Mara"), (3, "Ole"), (4, "Ole"))
    ]
    campaign = imported(project, manager, table(*rows)).campaign
    page = client_of(manager).get(url_of(campaign)).text
    assert "No output has scores of two reviewers" in page and "Set the overlap of a campaign" in page
    assert "distinguish all neighbouring levels" not in page
    # Of the panel, of the matrix, and of the pair: once each, not in every cell of theirs.
    assert page.count("the two reviewers share no item") == 2
    assert "The two reviewers share no item" not in page
    assert "Agreement is undefined for every reviewer: shares no item with another reviewer." in page
    assert "Agreement is undefined on every criterion: no item has two scores." in page


def test_a_large_panel_is_said(campaign: Campaign, manager: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agreement_views, "MOST_REVIEWERS", 2)
    assert "The table is not shown for more than 2 reviewers" in client_of(manager).get(url_of(campaign)).text
    assert reviewer_agreement.REPLICATES >= 500


def test_the_api_gives_the_same_numbers(campaign: Campaign, manager: User, scores: CampaignScores) -> None:
    program = program_of(manager)
    path = f"projects/{campaign.project.slug}/campaigns/{campaign.pk}/analysis/agreement/"
    tone = criterion(scores)
    rows = {row["criterion"]: row for row in program.get(path).json()["results"]}
    assert rows["tone"]["measures"]["alpha"]["value"] == panel_of(scores).overall(tone).measures.alpha.value
    assert "seed:" in rows["tone"]["measures"]["alpha"]["signature"]
    people = program.get(f"{path}reviewers/?criterion=tone").json()["results"]
    assert [row["name"] for row in people] == ["Reviewer 1", "Reviewer 2", "Reviewer 3"]
    pairs = program.get(f"{path}pairs/?criterion=tone&limit=2").json()
    assert [(row["first"], row["second"]) for row in pairs["results"]] == [(1, 2), (1, 3)]
    following = program.get(pairs["next"]).json()["results"]
    assert [(row["first"], row["second"]) for row in following] == [(2, 3)]
    # The page's cursor names people by their numbers alone.
    assert re.search(r"after=1\.3(&|$)", pairs["next"])
    table = program.get(f"{path}confusion/?criterion=tone&first=1&second=2").json()
    assert sum(map(sum, table["counts"])) == table["items"] == 2 * ROWS
    levels = program.get(f"{path}levels/?criterion=tone").json()["results"]
    assert levels[0]["apart"] <= levels[0]["pairs"]
    assert program.get(f"{path}confusion/?criterion=tone").json() == table
    for odd in ("confusion/?first=1&second=1", "confusion/?first=1", "pairs/?criterion=x", "levels/?x=1"):
        problem_in(program.get(f"{path}{odd}"), 400)


def test_more_reviewers_take_no_more_queries(
    empty_project: Project, panel: Sequence[User], manager: User
) -> None:
    campaign = make_campaign(empty_project, panel, rows=2)
    counts = []
    browser = client_of(manager)
    browser.get(url_of(campaign))
    for person in panel:
        review_all(campaign, person, {})
        with CaptureQueriesContext(connection) as queries:
            browser.get(url_of(campaign))
        counts.append(len(queries))
    assert counts[2] <= counts[0]
