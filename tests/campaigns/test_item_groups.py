"""How many documents, clients or conversations a campaign has items of, before and after it opens."""

import pytest

from evalapp.accounts.models import Project, User
from evalapp.campaigns.item_groups import expected_groups
from evalapp.campaigns.planned_items import PlannedItems, planned_items
from evalapp.campaigns.services import open_campaign
from evalapp.datasets.models import Example
from tests.factories import make_version
from tests.gates.making import make_gated_campaign

pytestmark = pytest.mark.django_db


def test_a_draft_plans_the_groups_that_its_open_campaign_has(project: Project, reviewer: User) -> None:
    given = {"rows": 12, "group": lambda number: f"client {number % 3}"}
    campaign = make_gated_campaign(project, [reviewer], is_open=False, **given).campaign
    assert planned_items(campaign) == PlannedItems(12, 3)
    assert planned_items(open_campaign(campaign=campaign, by=None)) == PlannedItems(12, 3)
    assert planned_items(campaign).words == "12 items from 3 groups"


def test_rows_without_a_group_are_each_by_themselves(project: Project, reviewer: User) -> None:
    alone = make_gated_campaign(project, [reviewer], name="Alone").campaign
    assert planned_items(alone) == PlannedItems(6, None)
    # A group of its own for every row is none.
    each = make_gated_campaign(project, [reviewer], name="Each", group=str).campaign
    assert planned_items(each) == PlannedItems(6, None)
    some = make_gated_campaign(project, [reviewer], name="Some", group=lambda number: "a" * (number < 4))
    assert planned_items(some.campaign) == PlannedItems(6, 4)


def test_of_items_drawn_at_random_the_groups_are_those_to_expect(project: Project) -> None:
    make_version(project, rows=40, train=0, split="test", group=lambda number: f"document {number % 10}")
    examples = Example.objects.filter(version__dataset__project=project)
    assert examples.count() == 40
    assert expected_groups(examples, 40) == 10
    # Of 10 documents of 4 rows each, 10 drawn rows meet 10 · (1 − C(36, 10) / C(40, 10)) = 7.0.
    assert expected_groups(examples, 10) == 7
    assert expected_groups(examples, 1) is None
