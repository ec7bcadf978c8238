"""Lists of cases are asked of the database, and hold what a list in memory holds, in its order."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from evalapp.accounts.models import User
from evalapp.analysis.scores.campaign_scores import load_scores
from evalapp.analysis.scores.filtered_scores import load_filtered
from evalapp.analysis.scores.filters import ComparisonFilter
from evalapp.analysis.scores.finder import finder_from
from evalapp.campaigns.models import Assignment, Campaign
from evalapp.exports.models import Export
from evalapp.reviews.models import Review
from evalapp.scoring.models import MetricResult
from evalapp.scoring.services import save_rule_check
from tests.analysis.cases_in_memory import CasesInMemory, find
from tests.analysis.segments import make_segmented
from tests.api.conftest import program_of
from tests.cast import client_of
from tests.factories import YES_NO, answers, review_all, run_scoring, tagged
from tests.kept_cast import Cast, again

pytestmark = pytest.mark.django_db
ROWS = 12


@pytest.fixture(scope="module")
def made(cast: Cast) -> Campaign:
    people = [cast.reviewer, cast.other_reviewer, cast.engineer]
    campaign = make_segmented(cast.project, people, rows=ROWS)
    save_rule_check(
        project=cast.project,
        name="Next step",
        kind="contains",
        params={"texts": ["next step"]},
        by=cast.manager,
    )
    run_scoring(campaign)
    for turn, person in enumerate(people):
        said: dict[tuple[str, int], Any] = {}
        for row in range(1, ROWS + 1):
            low = answers(
                tone=1 + (row * (turn + 1)) % 3,
                accuracy=2 + (row + turn) % 3,
                clarity="na" if row % 5 == turn else 1 + row % 5,
                error=int((row + turn) % 4 == 0),
            )
            said["formal", row] = tagged(low, tone=["too-formal"]) if row % 4 == 0 else low
            said["plain", row] = answers(tone=3 + (row * turn) % 3, accuracy=1 + row % 5, error=0)
        review_all(campaign, person, said)
    Assignment.objects.filter(campaign=campaign, number=3, item__example__row_number__lt=4).update(
        is_added=True
    )
    late = Review.objects.filter(reviewer=cast.engineer, item_output__item__example__row_number__gt=9)
    late.delete()
    return campaign


@pytest.fixture
def campaign(made: Campaign) -> Campaign:
    return again(made)


def url_of(campaign: Campaign, page: str) -> str:
    return f"/projects/{campaign.project.slug}/results/{campaign.pk}/{page}"


def filters_of(campaign: Campaign) -> list[str]:
    """Every part of a filter, alone and with others."""
    formal, plain = campaign.candidates.order_by("position")
    rule = campaign.project.rule_checks.get()
    tag = campaign.rubric_version.criteria.get(key="tone").reason_tags.get(key="too-formal")
    finder = "find=words&criterion=tone&score=2"
    alone = [
        "", f"candidate={formal.pk}", "criterion=tone", "criterion=tone&level=2", "criterion=tone&low=1",
        "criterion=clarity&na=1", "criterion=tone&differ=1", "differ=1", f"criterion={YES_NO}&level=1",
        f"criterion={YES_NO}", f"criterion={YES_NO}&differ=1", f"tag={tag.pk}", f"rule={rule.pk}",
        f"rule={rule.pk}&failed=1", "metric=words", "metric=rougeL", "reviewer=3",
        "reviewer=1&criterion=accuracy",
        "criterion=tone&gave=1:2", "criterion=tone&gave=1:3,2:3", "criterion=tone&gave=3:1",
        "criterion=tone&disagreement=words", "criterion=tone&disagreement=rougeL", "differ=1&metric=words",
        finder, f"{finder.replace('score=2', 'score=3')}&find_is=bottom",
        f"{finder}&find_is=at_least&find_value=3",
        f"{finder}&find_is=at_most&find_value=900&score_is=at_least", f"{finder}&candidate={formal.pk}",
        f"{finder}&find_is=at_least&find_value=1&reviewer=2",
        f"criterion=accuracy&low=1&candidate={plain.pk}&metric=words",
    ]  # fmt: skip
    views = [
        "field.segment=institutional", "split=feedback", "reviewers=1", "reviewers=1&reviewers=3",
        "reviewers=3&criterion=tone", "since=2001-01-01",
        "until=2001-01-01&criterion=tone", f"candidates={plain.pk}",
        f"candidates={plain.pk}&candidates={formal.pk}&reviewers=3",
        "reviewers=2&criterion=tone&differ=1",
        "field.segment=retail+%26+private&criterion=tone&low=1&reviewers=1&reviewers=2",
        "until=2001-01-01", f"candidates={plain.pk}&until=2001-01-01",
        f"{finder}&field.segment=institutional",
        f"{finder}&find_is=at_least&find_value=1&reviewers=1&reviewers=3",
        f"candidate={plain.pk}&candidates={plain.pk}&metric=words",
    ]  # fmt: skip
    return [*alone, *views]


def shown(row: Any) -> tuple[Any, ...]:
    return (row.item_id, row.candidate.pk, row.excerpt, row.means, row.metric, row.reviews, row.differs)


@pytest.fixture
def in_memory() -> Iterator[Callable[[], None]]:
    """Pages and programs list cases in memory, until the function is called; the scores of a view are read
    once, however many lists of it are asked for.
    """
    read: dict[tuple[str, str], Any] = {}

    def read_once(view: ComparisonFilter, *, reviewer_type: str) -> Any:
        key = (view.query, reviewer_type)
        if key not in read:
            read[key] = load_filtered(view, reviewer_type=reviewer_type)
        return read[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.analysis.cases_in_memory.load_filtered", read_once)
        for place in ("views.cases.CaseList", "views.finder.CaseList", "api.finder.CaseList"):
            patch.setattr(f"evalapp.analysis.{place}", CasesInMemory)
        patch.setattr("evalapp.analysis.api.cases.CaseSequence", CasesInMemory)
        yield patch.undo


def test_every_filter_lists_the_same_in_the_same_order(
    campaign: Campaign, manager: User, in_memory: Callable[[], None]
) -> None:
    browser = client_of(manager)

    def listed(query: str) -> tuple[int, list[tuple[Any, ...]]]:
        page = browser.get(url_of(campaign, f"cases/?{query}"))
        assert page.status_code == 200, query
        return page.context["page"].paginator.count, [shown(row) for row in page.context["rows"]]

    queries = filters_of(campaign)
    expected = {query: listed(query) for query in queries}
    # The lists differ, so that a filter that is not heeded shows.
    assert len({repr(each) for each in expected.values()}) > 0.75 * len(queries)
    in_memory()
    for query in queries:
        assert listed(query) == expected[query], query


def test_pages_and_neighbours_follow_the_list(
    campaign: Campaign, manager: User, monkeypatch: pytest.MonkeyPatch, in_memory: Callable[[], None]
) -> None:
    browser, query = client_of(manager), "criterion=clarity&na=1"
    whole = [shown(row)[:2] for row in browser.get(url_of(campaign, f"cases/?{query}")).context["rows"]]
    items = list(dict.fromkeys(item for item, _ in whole))
    before = {item: browser.get(url_of(campaign, f"cases/{item}/?{query}")).context["case"] for item in items}
    in_memory()
    monkeypatch.setattr("evalapp.analysis.views.cases.CASES_PER_PAGE", 3)
    pages = [browser.get(url_of(campaign, f"cases/?{query}&page={number}")) for number in (1, 2, 3)]
    assert [shown(row)[:2] for page in pages for row in page.context["rows"]] == whole
    for item in items:
        case = browser.get(url_of(campaign, f"cases/{item}/?{query}")).context["case"]
        assert (case.previous_id, case.next_id) == (before[item].previous_id, before[item].next_id)
    listed = set(items)
    other = next(pk for pk in campaign.items.values_list("pk", flat=True) if pk not in listed)
    outside = browser.get(url_of(campaign, f"cases/{other}/?{query}")).context["case"]
    assert (outside.previous_id, outside.next_id) == (None, None)

    program = program_of(manager)
    address = f"projects/{campaign.project.slug}/campaigns/{campaign.pk}/cases/?{query}&limit=5"
    told = []
    while address:
        answer = program.get(address).json()
        told += [(row["item"], row["candidate"]) for row in answer["results"]]
        address = answer["next"]
    assert told == whole
    refused = program.get(f"projects/{campaign.project.slug}/campaigns/{campaign.pk}/cases/?after=1.x")
    assert refused.status_code == 400


def test_the_finder_counts_what_it_counts_in_memory(
    campaign: Campaign, manager: User, in_memory: Callable[[], None]
) -> None:
    scores = load_scores(campaign)
    program, browser = program_of(manager), client_of(manager)
    base = f"projects/{campaign.project.slug}/campaigns/{campaign.pk}/finder/"
    asked = [
        {"find": metric, "find_is": side, "find_value": 2, "criterion": "tone", "score_is": way, "score": 2}
        for metric, side, way in itertools.product(
            ("words", "rougeL"), ("top", "bottom", "at_least"), ("at_most", "at_least")
        )
    ]
    before = [program.get(f"{base}?{urlencode(each)}").json() for each in asked]
    assert any(each["count"] for each in before) and [each["words"] for each in before]
    in_memory()
    assert [program.get(f"{base}?{urlencode(each)}").json() for each in asked] == before
    wanted = finder_from(scores, {name: str(value) for name, value in asked[4].items()})
    assert wanted is not None
    page = browser.get(url_of(campaign, "finder/"), asked[4])
    assert page.context["found"] == find(scores, wanted)
    assert {each.name for each in page.context["metrics"]} == {
        name for output in scores.outputs for name in output.metrics if name in scores.metrics
    }
    MetricResult.objects.filter(metric="words").delete()
    nothing = program.get(f"{base}?{urlencode(asked[0])}").json()
    assert (nothing["count"], nothing["outputs"]) == (0, 0)
    assert "not computed, or not defined, for any output" in nothing["reason"]


FOUND = "find=words&find_is=at_least&find_value=1&criterion=tone&score=3"


@pytest.mark.parametrize(
    "view",
    [
        "field.segment=institutional", "split=feedback", "reviewers=1&reviewers=3", "since=2001-01-01",
        "until=2001-01-01",
        "field.segment=institutional&reviewers=1&reviewers=2&since=2001-01-01", "rubric=1",
        "candidates={plain}", "candidates={plain}&candidates={formal}&reviewers=3",
    ],
)  # fmt: skip
def test_the_finder_keeps_the_filter(
    campaign: Campaign, manager: User, in_memory: Callable[[], None], view: str
) -> None:
    formal, plain = campaign.candidates.order_by("position")
    query = f"{FOUND}&{view.format(formal=formal.pk, plain=plain.pk)}"
    browser, program = client_of(manager), program_of(manager)
    address = f"projects/{campaign.project.slug}/campaigns/{campaign.pk}/finder/?{query}"

    def told() -> tuple[Any, ...]:
        answer = program.get(address)
        assert answer.status_code == 200
        page = browser.get(url_of(campaign, f"finder/?{query}"))
        offered = [each.pk for each in page.context["candidates"]], page.context["filter_form"].coverage
        rows = [shown(row) for row in page.context["rows"]]
        return (
            answer.json(), page.context["found"], offered, rows,
            [each.name for each in page.context["metrics"]],
        )  # fmt: skip

    expected = told()
    in_memory()
    assert told() == expected


def test_a_campaign_and_proposed_rows_of_a_view_hold_its_items_alone(
    campaign: Campaign, manager: User
) -> None:
    browser, filtered = client_of(manager), f"{FOUND}&field.segment=institutional"
    found = browser.get(url_of(campaign, f"finder/?{filtered}")).context["found"].item_output_ids
    examples = set(campaign.items.filter(outputs__in=found).values_list("example", flat=True))
    assert examples and set(
        campaign.items.filter(example__in=examples).values_list("example__metadata__segment", flat=True)
    ) == {"institutional"}
    assert browser.post(url_of(campaign, f"finder/campaign/?{filtered}")).status_code == 302
    picked = Campaign.objects.get(picked_examples__isnull=False)
    assert set(picked.picked_examples or []) == examples and "institutional" in picked.picked_because
    assert browser.post(url_of(campaign, f"finder/proposed-rows/?{filtered}")).status_code == 302
    assert set(Export.objects.get().rows.values_list("example", flat=True)) <= examples
    formal, plain = campaign.candidates.order_by("position")
    outside = browser.get(url_of(campaign, f"cases/?candidate={formal.pk}&candidates={plain.pk}"))
    assert outside.status_code == 404, "the view has no such candidate"
    misspelt = browser.get(url_of(campaign, f"finder/?{FOUND}&level=x"))
    assert misspelt.status_code == 404 and misspelt.context["found"] is None


def test_more_reviews_take_no_more_queries(
    campaign: Campaign, manager: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser, found = client_of(manager), []
    browser.get(url_of(campaign, "cases/"))
    for size in (1, 20):
        monkeypatch.setattr("evalapp.analysis.views.cases.CASES_PER_PAGE", size)
        with CaptureQueriesContext(connection) as queries:
            browser.get(url_of(campaign, "cases/?criterion=tone&differ=1"))
        found.append(len(queries))
    assert found[0] == found[1]
