"""The page of agreement on a laptop: eight measures with their intervals, and none of them out of sight."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from evalapp.accounts.models import Project, User
from tests.factories import answers, make_campaign, review_all

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]

CUT = """[...document.querySelectorAll('.table-wrap')]
    .filter(wrap => wrap.scrollWidth > wrap.clientWidth).map(wrap => wrap.scrollWidth - wrap.clientWidth)"""


def test_no_measure_of_agreement_is_out_of_sight_on_a_laptop(
    page: Page,
    project: Project,
    manager: User,
    reviewer: User,
    other_reviewer: User,
    live_server: Any,
    sign_in: Callable[[User], object],
) -> None:
    campaign = make_campaign(project, [reviewer, other_reviewer], rows=24)
    for turn, person in enumerate((reviewer, other_reviewer)):
        said = {
            (label, row): answers(tone=1 + (row + turn * (row % 12 == 0)) % 5, accuracy=1 + row % 5)
            for label in ("formal", "plain")
            for row in range(1, 25)
        }
        review_all(campaign, person, said)
    sign_in(manager)
    for width in (1280, 1400):
        page.set_viewport_size({"width": width, "height": 900})
        page.goto(
            f"{live_server.url}/projects/{project.slug}/results/{campaign.pk}/agreement/?criterion=tone"
        )
        expect(page.get_by_role("heading", name="By criterion")).to_be_visible()
        assert page.evaluate(CUT) == [], width
