"""Counterfactual fairness: differences within pairs on the results page, in the API, table and report."""

import html
import re

import pytest
from django.http import QueryDict

from evalapp.accounts.models import Project, User
from evalapp.analysis.comparison.candidates import compare
from evalapp.analysis.comparison.counterfactuals import CounterfactualCheck, check_counterfactuals
from evalapp.analysis.metrics.run_metrics import run_metrics
from evalapp.analysis.scores.campaign_scores import load_scores
from evalapp.analysis.scores.filters import read_filter
from evalapp.analysis.stored import stored_results
from evalapp.analysis.stored.comparison_result import comparison_result
from evalapp.campaigns.models import Campaign
from evalapp.scoring.services import start_scoring
from evalapp.scoring.tasks import score_run
from evalapp.stats.bounds import clopper_pearson
from proofs.simulations import report_share, simulated
from tests.analysis.counterfactual_worlds import (
    false_alarms,
    found_worst,
    make_counterfactual_campaign,
    make_counterfactual_version,
    review_unfairly,
)
from tests.analysis.test_large import computed
from tests.api.conftest import program_of
from tests.cast import client_of
from tests.factories import make_campaign, make_candidates, make_outputs, review_all
from tests.kept_cast import Cast, again

pytestmark = pytest.mark.django_db

LEVEL = 0.05


@pytest.fixture(scope="module")
def made(cast: Cast) -> Campaign:
    cast.project.population = "panel"
    cast.project.save(update_fields=["population"])
    found = make_counterfactual_campaign(cast.project, [cast.reviewer, cast.engineer])
    review_unfairly(found, [cast.reviewer, cast.engineer])
    return found


@pytest.fixture
def campaign(made: Campaign) -> Campaign:
    return again(made)


def check(campaign: Campaign) -> CounterfactualCheck:
    scores = load_scores(campaign)
    return check_counterfactuals(scores, compare(scores))


def test_the_variant_that_loses_is_found_and_nothing_else(campaign: Campaign) -> None:
    found = check(campaign)
    worse = [each for each in found.differences if each.pair.verdict == "worse"]
    assert [(each.name, each.pair.criterion.key, each.pair.challenger.label) for each in worse] == [
        ("name, black", "tone", "plain Fairness")
    ]
    (worst,) = worse
    assert found.worst == worst == found.differences[0]
    # In pair 7 by one more than elsewhere.
    assert worst.pair.difference.difference.value == pytest.approx(-25 / 12)
    assert worst.pair.difference.difference.n == 12
    assert worst.largest_loss is not None and worst.largest_loss.pair == "7"
    assert found.left_out == ["dialect, other"]
    # Two candidates, two variants, four scales and the yes/no question.
    assert len(found.differences) == 2 * 2 * 5


def test_p_is_adjusted_over_the_variants_and_criteria_of_a_candidate(campaign: Campaign) -> None:
    own = [
        each.pair for each in check(campaign).differences if each.pair.challenger.label.startswith("plain")
    ]
    p_values = sorted((pair.difference.p.value, pair.adjusted_p) for pair in own if pair.difference.p.defined)
    smallest, adjusted = p_values[0]
    assert adjusted == pytest.approx(min(1.0, smallest * len(p_values)))


def test_the_page_names_the_worst_and_links_its_cases(campaign: Campaign, manager: User) -> None:
    slug = campaign.project.slug
    browser = client_of(manager)
    page = browser.get(f"/projects/{slug}/results/{campaign.pk}/what-to-fix/").content.decode()
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
    assert "plain Fairness answers the variants name, black worse than their originals on Tone" in text
    assert "Not tested (fewer than 10 pairs): dialect, other." in text
    (link,) = set(re.findall(r'href="([^"]*field\.counterfactual\.pair=7[^"]*)"', page))
    cases = browser.get(html.unescape(link)).content.decode()
    # The original and both variants, as the candidate answered them.
    assert [f"You own portfolio {row}." in cases for row in (22, 23, 24)] == [True, True, True]
    assert "3 outputs" in cases
    assert browser.get("/help/counterfactual-fairness/").status_code == 200


def test_the_first_screen_says_it_of_the_candidate_in_focus(campaign: Campaign, manager: User) -> None:
    browser, address = client_of(manager), f"/projects/{campaign.project.slug}/results/{campaign.pk}/"
    fair, unfair = campaign.candidates.order_by("position")
    page = browser.get(f"{address}?against={fair.pk}&candidate={unfair.pk}").content.decode()
    assert "Worse for counterfactual variants “name, black”" in page
    page = browser.get(f"{address}?against={unfair.pk}&candidate={fair.pk}").content.decode()
    assert "No counterfactual variant is shown to be answered worse." in page


def test_the_api_has_the_same(campaign: Campaign, manager: User) -> None:
    url = f"/api/v1/projects/{campaign.project.slug}/campaigns/{campaign.pk}/analysis/counterfactuals/"
    rows = program_of(manager).get(f"{url}?limit=50").json()["results"]
    assert len(rows) == 20
    first = rows[0]
    assert (first["perturbation"], first["value"], first["criterion"]) == ("name", "black", "tone")
    assert first["verdict"] == "worse" and first["largest_loss"]["pair"] == "7"
    assert first["adjusted"]["high"] < 0


def test_a_large_campaign_shows_the_same_from_its_job(
    campaign: Campaign, manager: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, base = program_of(manager), f"/api/v1/projects/{campaign.project.slug}/campaigns/{campaign.pk}"
    url = f"{base}/analysis/counterfactuals/?limit=50"
    before = program.get(url).json()["results"]
    monkeypatch.setattr(stored_results, "MOST_AT_REQUEST", 10)
    assert program.get(url).json()["results"] == []
    computed(campaign)
    assert program.get(url).json()["results"] == before
    table = f"/projects/{campaign.project.slug}/results/{campaign.pk}/tables/counterfactuals.md"
    assert "| name | black |" in client_of(manager).get(table).content.decode()


def test_the_table_can_be_copied(campaign: Campaign, manager: User) -> None:
    url = f"/projects/{campaign.project.slug}/results/{campaign.pk}/tables/counterfactuals.csv"
    answer = client_of(manager).get(url)
    assert answer.status_code == 200 and "Variant less original" in answer.content.decode()


def test_rows_without_pairs_have_no_section(empty_project: Project, reviewer: User, manager: User) -> None:
    campaign = make_campaign(empty_project, [reviewer], rows=2)
    review_all(campaign, reviewer, {})
    page = client_of(manager).get(f"/projects/{empty_project.slug}/results/{campaign.pk}/what-to-fix/")
    assert "Counterfactual fairness" not in page.content.decode()
    assert not check(campaign).has_pairs


def test_a_filter_leaves_the_pairs_that_are_whole(campaign: Campaign) -> None:
    query = "field.counterfactual.variant=black&field.counterfactual.variant=original"
    view = read_filter(campaign, QueryDict(query))
    found = comparison_result(view, reviewer_type="all").figures.counterfactuals
    assert {each.value for each in found.differences} == {"black"}


def test_no_difference_is_hardly_ever_called_one() -> None:
    """Ten tests a campaign, Holm's adjustment: an alarm in at most 5% of the campaigns."""
    found = false_alarms(120, seed=5)
    assert clopper_pearson(found, 120, alpha=0.025)[0] <= LEVEL
    # Each row by one of three reviewers, so that rows of a pair mostly have different ones.
    found = false_alarms(120, seed=6, reviewers=3, overlap=1)
    assert clopper_pearson(found, 120, alpha=0.025)[0] <= LEVEL
    assert found_worst(20, seed=5, effect=0.8) >= 16


@pytest.mark.verification
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("pairs", [12, 40])
@pytest.mark.parametrize("design", [{}, {"reviewers": 3, "overlap": 1}])
def test_the_false_alarm_rate_of_the_worst_pair(seed: int, pairs: int, design: dict[str, int]) -> None:
    runs = simulated(1000)
    found = false_alarms(runs, seed=seed, pairs=pairs, **design)
    limit = LEVEL + found / runs - clopper_pearson(found, runs, alpha=0.025)[0]
    assert report_share("false alarms of the worst pair", found / runs, runs, at_most=limit)


def test_metrics_need_no_campaign(empty_project: Project, engineer: User, manager: User) -> None:
    """Answers to the name variant are longer by ten words; those to the other are the same."""
    version = make_counterfactual_version(empty_project)
    (candidate,) = make_candidates(empty_project, ["tuned"])
    made = make_outputs(version, {candidate: "{n}"}, split="test")
    for output in made.outputs.select_related("example"):
        mark = output.example.metadata["counterfactual"]
        words = 20 + int(mark["pair"]) % 5 + (10 + int(mark["pair"]) % 3 if mark["variant"] == "black" else 0)
        output.text = " ".join(["word"] * words)
        output.save(update_fields=["text"])
    score_run(start_scoring(run=made, by=engineer).pk)
    found = run_metrics(made).counterfactuals
    first = next(each for each in found if each.metric.name == "words")
    assert (str(first.variant), first.verdict) == ("name, black", "different")
    # Ten words more, and of twelve pairs four each by 0, 1 and 2 of them.
    assert first.difference.difference.value == pytest.approx(11)
    assert not any(each.is_significant for each in found if each.variant.value == "male")
    page = client_of(manager).get(f"/projects/{empty_project.slug}/runs/{made.pk}/metrics/").content.decode()
    assert "Counterfactual fairness" in page and "Name, black" in page
    answer = program_of(manager).get(f"/api/v1/projects/{empty_project.slug}/runs/{made.pk}/metrics/").json()
    changes = {(each["value"], each["metric"]): each["verdict"] for each in answer["counterfactuals"]}
    assert changes["black", "words"] == "different" and changes["male", "words"] != "different"
