"""A new criterion kind on the review desk: typed there without a line of script of its own."""

import pytest
from playwright.sync_api import expect

from evalapp.reviews.models import Review
from evalapp.reviews.queries import answers_of
from evalapp.rubrics import kinds
from evalapp.rubrics.drafts import CriterionDraft
from evalapp.rubrics.services import create_rubric, save_version
from tests.campaigns.making import make_team
from tests.factories import make_campaign
from tests.rubrics.toy_kind import WITH_IT, Decimal

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


def test_half_a_point_is_typed_and_nothing_between(page, live_server, sign_in, monkeypatch):
    monkeypatch.setattr(kinds, "KINDS", WITH_IT)
    project, (person,) = make_team(1)
    version = save_version(
        rubric=create_rubric(project=project, name="Marked", by=project.created_by),
        criteria=[
            CriterionDraft(name="Quality", kind="decimal", **Decimal.fixed(())),
            CriterionDraft(name="Tone"),
        ],
        by=project.created_by,
    )
    campaign = make_campaign(project, [person], rows=1, rubric_version=version, texts={"formal": "Dear you."})
    sign_in(person)
    page.goto(f"{live_server.url}/reviews/campaigns/{campaign.key}/")
    page.wait_for_selector("[data-review][data-ready]")
    page.keyboard.type("7.3")
    page.keyboard.press("Enter")
    page.keyboard.press("4")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Type a number in steps of 0.5 from 0.0 to 10.0.")).to_be_visible()
    page.get_by_label("Quality, 0.0 to 10.0").fill("7.5")
    page.keyboard.press("Control+Enter")
    expect(page.locator("[data-state]")).to_contain_text("Saved")
    assert answers_of(Review.objects.get()).scores == {"quality": 7.5, "tone": 4}
