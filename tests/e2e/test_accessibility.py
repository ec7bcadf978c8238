"""axe finds nothing on any page that can be reached: WCAG 2.2 AA and its best practices."""

import re
import uuid
from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from evalapp.accounts.models import Project, User
from evalapp.adjudication.appeals import REQUEST, appeal
from evalapp.adjudication.discussion import write_message
from evalapp.adjudication.services import Verdict, adjudicate
from evalapp.campaigns.models import Campaign
from evalapp.core.static_build import build_browser_bundle
from evalapp.judgements import verdicts
from evalapp.reviews.send_backs import send_back
from evalapp.reviews.services import submit_review
from tests.factories import (
    answers,
    corrected,
    make_campaign,
    make_flag,
    make_tray,
    make_webhook,
    review_all,
    run_scoring,
    tagged,
    walk,
)
from tests.judgements.conftest import judge

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
LINKS = "[...document.querySelectorAll('a[href]')].map(each => each.getAttribute('href'))"
# Downloads and what ends the session or is no page.
LEFT_OUT = re.compile(
    r"logout|\.csv|\.jsonl?|\.xml|\.zip|/files?/|download|/static/|/api/v1/(schema|$)|^mailto:"
)


@pytest.fixture
def filled(project: Project, reviewer: User, engineer: User, manager: User, settings: object) -> Project:
    """A project in which every list has something."""
    campaign = make_campaign(project, [reviewer, engineer], rows=3)
    run_scoring(campaign)
    low = tagged(corrected(answers(tone=1), "As it should be."), tone=["too-formal"])
    review_all(campaign, engineer, {("formal", 1): low})
    make_tray(campaign, manager)
    make_webhook(project)
    _dispute(campaign, reviewer, engineer, manager)
    for method, labels in (("pairwise", ("one", "two")), ("ranking", ("three", "four", "five"))):
        texts = {label: f"Answer {label} to {{n}}." for label in labels}
        compared = make_campaign(
            project, [reviewer, engineer], rows=3, texts=texts, method=method, name=method.title()
        )
        judge(
            compared,
            engineer,
            verdicts.Verdict("a") if method == "pairwise" else verdicts.Verdict("", [2, 1, 3]),
        )
    judge(compared, reviewer, verdicts.Verdict("", [1, 2, 3]))
    make_flag(campaign, reviewer)
    return project


def _dispute(campaign: Campaign, reviewer: User, engineer: User, manager: User) -> None:
    """One of the reviewer's answers differs: it is sent back, appealed, decided on and discussed."""
    place, entry = next(walk(campaign, reviewer))
    given = submit_review(
        reviewer=reviewer,
        place=place,
        item_output=entry,
        client_id=uuid.uuid4(),
        answers=answers(tone=5, clarity=1),
    )
    decided = {"clarity": Verdict(2, "Two sentences are hard to follow.")}
    adjudicate(campaign=campaign, item_output=entry, verdicts=decided, by=manager)
    send_back(review=given.review, by=manager, reason="Look at the tone again.")
    appeal(review=given.review, against=REQUEST, reason="It is friendly.", by=reviewer)
    write_message(campaign=campaign, item_output=entry, by=manager, text="Which sentence?")


def pages_from(page: Page, base: str, begin: list[str]) -> list[str]:
    """One address of each kind that can be reached by links; kinds differ in more than numbers."""
    kinds: dict[str, str] = {}
    waiting = list(begin)
    while waiting:
        address = waiting.pop(0).partition("#")[0]
        kind = re.sub(r"\d+", "0", re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "key", address.partition("?")[0]))
        if not address.startswith("/") or LEFT_OUT.search(address) or kind in kinds:
            continue
        kinds[kind] = address
        page.goto(base + address)
        waiting += page.evaluate(LINKS)
    return list(kinds.values())


def findings(page: Page, address: str) -> list[str]:
    page.goto(address)
    page.wait_for_load_state("networkidle")
    violations = (
        Axe().run(page, options={"runOnly": RULES, "resultTypes": ["violations"]}).response["violations"]
    )
    return [
        f"{address}: {each['id']}: {node['html'][:200]} ({node['failureSummary']})"
        for each in violations
        for node in each["nodes"]
    ]


@pytest.mark.parametrize(("who", "width", "theme"), [("manager", 1280, "light"), ("reviewer", 390, "dark")])
def test_axe_finds_nothing(
    who: str,
    width: int,
    theme: str,
    filled: Project,
    manager: User,
    reviewer: User,
    page: Page,
    live_server: object,
    sign_in: Callable[[User], object],
    settings: object,
) -> None:
    build_browser_bundle(settings.HOME / "build")
    base = live_server.url
    # So tall that nothing lies behind a bar that stays in sight, from where it would be scrolled.
    page.set_viewport_size({"width": width, "height": 3000})
    page.emulate_media(color_scheme=theme)
    found = findings(page, f"{base}/accounts/login/")
    sign_in(manager if who == "manager" else reviewer)
    begin = ["/reviews/", "/projects/"] + ([f"/projects/{filled.slug}/"] if who == "manager" else [])
    addresses = pages_from(page, base, begin)
    assert len(addresses) > (30 if who == "manager" else 6)
    # Two kinds of comparisons, and of their results, are at addresses of one form.
    for campaign in filled.campaigns.exclude(method="pointwise"):
        results = f"/projects/{filled.slug}/compare/{campaign.pk}/pairs/"
        addresses.append(results if who == "manager" else f"/judgements/campaigns/{campaign.key}/")
    for address in addresses:
        found += findings(page, base + address)
    assert found == []
