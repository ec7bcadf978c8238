"""Metadata inside metadata is filtered by, and tested for Simpson's paradox, as the keys at the top are."""

from typing import Any

import pytest

from evalapp.accounts.models import Project, User
from evalapp.analysis.comparison.simpson import check_simpson
from evalapp.analysis.scores.campaign_scores import load_scores
from evalapp.analysis.scores.example_fields import example_fields
from evalapp.analysis.stored import stored_results
from evalapp.campaigns.models import Campaign
from tests.analysis.segments import make_segmented, review_with_paradox, segment_of
from tests.cast import client_of

pytestmark = pytest.mark.django_db
ROWS = 36


def nested(row: int) -> dict[str, Any]:
    return {
        "client": {
            "segment": segment_of(row),
            "desk": {"floor": row % 2},
            "name.last": f"Client {row}",
            "empty": {},
        },
        "a.b": "dotted" if row % 2 else "other",
        "x.y": {"z": 1},
        "tags": ["one", "two"],
        "nothing": None,
    }


@pytest.fixture
def campaign(project: Project, reviewer: User, other_reviewer: User) -> Campaign:
    panel = [reviewer, other_reviewer]
    campaign = make_segmented(project, panel, rows=ROWS, fields=nested)
    review_with_paradox(campaign, panel, rows=ROWS)
    return campaign


def test_every_leaf_is_a_field(campaign: Campaign) -> None:
    found = {
        each.name: {value.value: value.items for value in each.values} for each in example_fields(campaign)
    }
    assert found == {
        "client.segment": {"institutional": 12, "retail & private": 24},
        "client.desk.floor": {"0": 18, "1": 18},
        "a.b": {"dotted": 18, "other": 18},
        # Inside a key with dots nothing could be named without doubt.
        "x.y": {'{"z": 1}': 36},
        "tags": {'["one", "two"]': 36},
    }


@pytest.mark.parametrize("large", [False, True])
def test_a_comparison_and_its_cases_are_filtered_by_it(
    campaign: Campaign, manager: User, monkeypatch: pytest.MonkeyPatch, large: bool
) -> None:
    browser = client_of(manager)
    address = f"/projects/{campaign.project.slug}/results/{campaign.pk}/"
    page = browser.get(f"{address}?field.client.segment=institutional").text
    assert "a filtered view of 12 of 36 items" in page
    if large:
        monkeypatch.setattr(stored_results, "MOST_AT_REQUEST", 10)
    cases = browser.get(f"{address}cases/?field.client.segment=institutional&field.client.desk.floor=1")
    assert cases.context["page"].paginator.count == 2 * 6
    dotted = browser.get(f"{address}cases/?field.a.b=dotted")
    assert dotted.context["page"].paginator.count == 2 * 18
    refused = browser.get(f"{address}?field.client=anything")
    assert refused.status_code == 400
    assert "client.segment" in refused.text


def test_a_paradox_inside_a_nested_field_is_found(campaign: Campaign) -> None:
    found = check_simpson(load_scores(campaign)).found
    assert {each.field for each in found} == {"client.segment"}
