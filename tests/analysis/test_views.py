"""Who may open the comparison and its cases, and what it costs."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from evalapp.accounts.models import Project, User
from evalapp.accounts.tokens import create_api_token
from evalapp.analysis.help_topics import NOTES, topics
from evalapp.campaigns.services import close_campaign
from tests.cast import client_of
from tests.factories import make_campaign, make_proposed_rows, review_all, run_scoring
from tests.results_pages import TABS

PAGES = ["results/", "results/{campaign}/", "results/{campaign}/table.csv", "results/{campaign}/cases/",
         "results/{campaign}/cases/{item}/"]  # fmt: skip


@pytest.mark.parametrize("page", PAGES)
def test_access(page: str, request: pytest.FixtureRequest, project: Project, engineer: User) -> None:
    campaign = make_campaign(project, [engineer], rows=1)
    address = f"/projects/{project.slug}/" + page.format(campaign=campaign.pk, item=campaign.items.get().pk)
    expected = {"owner": 200, "manager": 200, "engineer": 200, "reviewer": 403, "stranger": 404}

    found = {name: client_of(request.getfixturevalue(name)).get(address).status_code for name in expected}

    assert found == expected
    assert client_of(None).get(address).status_code == 302
    assert client_of(engineer).post(address).status_code == 405


def test_the_help_lists_every_topic_and_each_has_a_page_that_leads_on(stranger: User) -> None:
    assert client_of(None).get("/help/").status_code == 302
    assert client_of(None).get("/help/rouge/").status_code == 302
    browser = client_of(stranger)
    listed = set(re.findall(r'href="/help/([\w-]+)/"', browser.get("/help/").text))
    assert {key for key, topic in topics().items() if topic.group} <= listed
    for key in listed:
        page = browser.get(f"/help/{key}/")
        assert page.status_code == 200, key
        assert set(re.findall(r'href="/help/([\w-]+)/"', page.text)) <= topics().keys(), key
    assert "Lin (2004)" in browser.get("/help/rouge/").text
    assert browser.get("/help/no-such-topic/").status_code == 404


def test_the_help_loses_nothing_of_the_document() -> None:
    text = NOTES.read_text(encoding="utf-8")
    kept = "".join(f"{topic.title}{topic.text}" for topic in topics().values())
    assert re.sub(r"[#\s]", "", kept) == re.sub(r"[#\s]", "", text)


def _queries(user: User, address: str) -> int:
    client = client_of(user)
    client.get(address)
    with CaptureQueriesContext(connection) as captured:
        assert client.get(address).status_code == 200
    return len(captured)


def test_the_list_takes_as_many_queries_for_three_as_for_one(
    project: Project, manager: User, reviewer: User
) -> None:
    make_campaign(project, [reviewer], rows=1, name="First")
    address = f"/projects/{project.slug}/results/"
    one = _queries(manager, address)
    for name in ("Second", "Third"):
        make_campaign(project, [reviewer], rows=1, name=name, texts={f"{name} model": "A {n}."})
    assert _queries(manager, address) == one


def test_comparison_and_cases_take_as_many_queries_for_three_candidates_as_for_two(
    project: Project, manager: User, reviewer: User, other_reviewer: User
) -> None:
    small = make_campaign(project, [reviewer], rows=1, name="Small", texts={"one": "A {n}.", "two": "B {n}."})
    large = make_campaign(
        project,
        [reviewer, other_reviewer],
        rows=3,
        name="Large",
        texts={"x": "A {n}.", "y": "B {n}.", "z": "C {n}."},
    )
    review_all(small, reviewer, {})
    for person in (reviewer, other_reviewer):
        review_all(large, person, {})
    for page in (*TABS, "cases/"):
        counts = [
            _queries(manager, f"/projects/{project.slug}/results/{c.pk}/{page}") for c in (small, large)
        ]
        assert counts[0] == counts[1], page
    item_small, item_large = small.items.first(), large.items.first()
    counts = [
        _queries(manager, f"/projects/{project.slug}/results/{c.pk}/cases/{i.pk}/")
        for c, i in ((small, item_small), (large, item_large))
    ]
    assert counts[0] == counts[1]


def test_an_odd_choice_in_the_address_falls_back(project: Project, manager: User, reviewer: User) -> None:
    campaign = make_campaign(project, [reviewer], rows=1)
    address = f"/projects/{project.slug}/results/{campaign.pk}/"
    for query in (
        "criterion=x&metric=y&against=z&reviewer_type=q",
        "against=99999999999999999999",
        "page=abc",
    ):
        assert client_of(manager).get(f"{address}?{query}").status_code == 200
    assert client_of(manager).get(f"{address}cases/?page=abc").status_code == 200


def test_counts_are_shown_whole(project: Project, manager: User, reviewer: User) -> None:
    campaign = make_campaign(project, [reviewer], rows=1, texts={"one": "Three plain words"})
    run_scoring(campaign)
    candidate = campaign.candidates.get()
    address = f"/projects/{project.slug}/results/{campaign.pk}/cases/"
    case = client_of(manager).get(f"{address}{campaign.items.get().pk}/").content.decode()
    cases = client_of(manager).get(f"{address}?candidate={candidate.pk}&metric=words").content.decode()

    page = client_of(manager).get(f"/projects/{project.slug}/results/{campaign.pk}/who-is-better/").text

    assert re.search(r'metric=words" title="[^"]*"><span class="number">3</span></a>', page)
    assert '<dt>Words</dt> <dd><span class="number">3</span></dd>' in " ".join(case.split())
    assert '<td class="right" data-label="Words"><span class="number">3</span></td>' in cases


def test_who_still_reviews_blind_is_warned_on_every_page_of_results(
    project: Project, manager: User, reviewer: User, owner: User
) -> None:
    campaign = make_campaign(project, [manager, reviewer], rows=1)
    review_all(campaign, reviewer, {})
    export = make_proposed_rows(campaign, owner)
    results = f"/projects/{project.slug}/results/{campaign.pk}/"
    export_page = f"/projects/{project.slug}/data/proposed-rows/{export.pk}/"
    case = f"{results}cases/{campaign.items.get().pk}/"
    row = f"{export_page}rows/{export.rows.latest('pk').pk}/"
    pages = [results, f"{results}cases/", case, f"{results}decide/", export_page, row]
    comparison = f"/api/v1/projects/{project.slug}/campaigns/{campaign.pk}/comparison/"

    def warned(person: User) -> list[str]:
        found = {page: client_of(person).get(page) for page in pages}
        assert {answer.status_code for answer in found.values()} == {200}
        return [page for page, answer in found.items() if "You review this campaign blind" in answer.text]

    def is_said(person: User) -> bool:
        secret = create_api_token(user=person, name="Test", by=person).secret
        told = client_of(None).get(comparison, headers={"Authorization": f"Bearer {secret}"})
        return bool(told.json()["is_reviewing"])

    assert (warned(manager), is_said(manager)) == (pages, True)
    assert (warned(owner), is_said(owner)) == ([], False)
    close_campaign(campaign=campaign, by=owner)
    assert (warned(manager), is_said(manager)) == ([], False)
