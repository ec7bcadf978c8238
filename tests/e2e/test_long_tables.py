"""A long table is scrolled with the page, not in a box of its own, and its header stays in sight. Of many
outputs of one item, those that are not asked for are folded.
"""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from evalapp.accounts.models import Project, User
from tests.analysis.segments import make_segmented
from tests.factories import make_campaign, make_version, review_all, run_scoring

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("browser_bundle"),
]

SHADOW = "each => getComputedStyle(each).backgroundImage"


def test_no_row_is_cut_and_the_header_follows(
    page: Page,
    project: Project,
    manager: User,
    reviewer: User,
    live_server: Any,
    sign_in: Callable[[User], object],
) -> None:
    version = make_version(project, rows=50)
    sign_in(manager)
    page.goto(f"{live_server.url}/projects/{project.slug}/data/{version.dataset_id}/v{version.number}/")
    box = page.locator(".table-wrap")
    expect(box).to_have_class("table-wrap table-fits")
    assert box.evaluate("each => each.scrollHeight === each.clientHeight")
    assert box.evaluate(SHADOW) == "none"
    page.locator("tbody tr").nth(24).scroll_into_view_if_needed()
    header = page.locator(".table-wrap thead th").first
    bar = page.locator(".top").bounding_box()
    place = header.bounding_box()
    assert bar is not None and place is not None
    assert abs(place["y"] - (bar["y"] + bar["height"])) <= 1

    # A table that is too wide is scrolled sideways, by keyboard too, and still not cut.
    page.set_viewport_size({"width": 390, "height": 844})
    campaign = make_segmented(project, [reviewer])
    review_all(campaign, reviewer, {})
    page.goto(f"{live_server.url}/projects/{project.slug}/results/{campaign.pk}/who-is-better/")
    box = page.locator(".table-wrap").first
    expect(box).to_have_attribute("tabindex", "0")
    assert box.evaluate(
        "each => each.scrollWidth > each.clientWidth && each.scrollHeight === each.clientHeight"
    )
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    # A shadow says at its edge that there is more.
    assert "linear-gradient" in box.evaluate(SHADOW)


def test_all_metrics_stand_beside_each_other_and_a_filter_leaves_out_what_it_does_not_choose(
    page: Page,
    project: Project,
    manager: User,
    reviewer: User,
    live_server: Any,
    sign_in: Callable[[User], object],
) -> None:
    campaign = make_segmented(project, [reviewer])
    review_all(campaign, reviewer, {})
    run_scoring(campaign)
    sign_in(manager)
    page.goto(f"{live_server.url}/projects/{project.slug}/results/{campaign.pk}/who-is-better/")
    box = page.locator(".table-wrap:has(> .metrics-table)")
    expect(box).to_have_class("table-wrap table-fits")
    # What nobody has a value of has no column; the sentence below says why.
    expect(box.get_by_role("columnheader", name="Cost")).to_have_count(0)
    expect(page.get_by_text("Cost per 1,000 (no price is set)")).to_be_visible()

    page.get_by_text("Choose candidates and filters").click()
    page.locator(".filter-form").get_by_label("institutional").check()
    page.locator(".filter-form").get_by_role("button", name="Show", exact=True).click()
    page.wait_for_url("**?*")
    assert page.url.partition("?")[2] == "field.segment=institutional"


def test_of_many_outputs_only_the_one_that_is_linked_to_is_open(
    page: Page,
    project: Project,
    manager: User,
    reviewer: User,
    live_server: Any,
    sign_in: Callable[[User], object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # More outputs of an item than 8 only come by import.
    monkeypatch.setattr("evalapp.analysis.cases.case.MOST_CANDIDATES", 3)
    texts = {f"model {n}": f"The answer of model {n}. " + "It goes on. " * 20 for n in range(4)}
    campaign = make_campaign(project, [reviewer], rows=1, texts=texts)
    sign_in(manager)
    page.goto(f"{live_server.url}/projects/{project.slug}/results/{campaign.pk}/cases/")
    page.get_by_role("link", name="The answer of model 2").click()
    shown = page.locator(".case-output .prose")
    expect(shown.filter(has_text="The answer of model 2.")).to_be_visible()
    expect(shown.filter(visible=True)).to_have_count(1)
    page.get_by_text("model 1", exact=True).click()
    expect(shown.filter(has_text="The answer of model 1.")).to_be_visible()
    # On paper nobody can open them.
    page.emulate_media(media="print")
    assert shown.evaluate_all("all => all.map(each => each.checkVisibility())") == [True] * 4
