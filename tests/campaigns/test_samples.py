"""Several outputs of an example are reviewed, each in an item of its own; they are one group in results."""

from typing import Any

import pytest

from evalapp.accounts.models import Project, User
from evalapp.campaigns.design import CampaignDesign
from evalapp.campaigns.models import Campaign, ItemOutput
from evalapp.campaigns.planned_items import planned_items
from evalapp.campaigns.queries import cost_of_draft
from evalapp.campaigns.running import add_items
from evalapp.campaigns.services import create_campaign, open_campaign
from evalapp.core.errors import InvalidError
from tests.campaigns.making import make_candidates, make_outputs, make_rubric, make_team, make_version
from tests.cast import client_of
from tests.factories import answers, review_all

pytestmark = pytest.mark.django_db
ROWS = 6


def draft(project: Project, people: list[User], *, written: int = 2, **options: Any) -> Campaign:
    """A campaign of two candidates with ``written`` outputs of each of six examples."""
    version = make_version(project, rows=ROWS)
    candidates = make_candidates(project, ["formal", "plain"])
    make_outputs(version, candidates, samples=written)
    chosen: dict[str, Any] = {"overlap": 2, "samples": 2, "seed": 3, **options}
    return create_campaign(
        project=project,
        design=CampaignDesign(
            name="Samples",
            rubric_version=make_rubric(project),
            dataset_version=version,
            split="test",
            candidates=candidates,
            reviewers=people,
            **chosen,
        ),
        by=project.created_by,
    )


def test_each_output_of_an_example_is_in_an_item_of_its_own() -> None:
    project, people = make_team(2)
    campaign = draft(project, people, written=3)
    cost = cost_of_draft(campaign)
    assert (cost.items, cost.groups, cost.reviews) == (2 * ROWS, ROWS, 2 * ROWS * 2 * 2)
    campaign = open_campaign(campaign=campaign, by=None)
    assert (campaign.items_total, campaign.reviews_total) == (cost.items, cost.reviews)
    entries = ItemOutput.objects.filter(item__campaign=campaign)
    pairs = entries.values_list("item__sample_index", "output__sample_index")
    assert sorted(pairs) == [(0, 0)] * 2 * ROWS + [(1, 1)] * 2 * ROWS
    assert planned_items(campaign).words == "12 items from 6 groups"


def test_the_outputs_of_one_example_do_not_all_stand_in_the_same_order() -> None:
    project, people = make_team(2)
    campaign = open_campaign(campaign=draft(project, people), by=None)
    first = {
        (row, sample, number): order[0]
        for row, sample, number, order in campaign.assignments.values_list(
            "item__example__row_number", "item__sample_index", "number", "outputs_order"
        )
    }
    labels = dict(
        ItemOutput.objects.filter(item__campaign=campaign).values_list(
            "pk", "candidate__model_version__label"
        )
    )
    same = [
        labels[first[row, 0, number]] == labels[first[row, 1, number]]
        for row, sample, number in first
        if sample == 0
    ]
    assert len(set(same)) == 2


def test_some_examples_are_drawn_with_all_their_outputs_and_more_can_be_added() -> None:
    project, people = make_team(2)
    campaign = open_campaign(
        campaign=draft(project, people, item_choice="random", examples_wanted=2), by=None
    )
    assert campaign.items_total == 4
    assert campaign.items.values("example").distinct().count() == 2
    assert add_items(campaign=campaign, wanted=3, by=None) == 6
    assert campaign.items.values("example").distinct().count() == 5


def test_an_example_without_so_many_outputs_is_no_item() -> None:
    project, people = make_team(2)
    with pytest.raises(InvalidError) as refused:
        draft(project, people, written=1)
    assert "has 2 answers of every chosen candidate" in " ".join(refused.value.fields["candidates"])


@pytest.mark.parametrize("samples", [0, 33])
def test_the_number_of_outputs_has_limits(samples: int) -> None:
    project, people = make_team(2)
    with pytest.raises(InvalidError) as refused:
        draft(project, people, samples=samples)
    assert refused.value.fields["samples"] == ["Between 1 and 32 outputs of each example can be reviewed."]


def test_results_count_the_outputs_of_an_example_as_one_group() -> None:
    project, people = make_team(2)
    campaign = open_campaign(campaign=draft(project, people), by=None)
    for person in people:
        review_all(campaign, person, {"plain": answers(tone=5), "formal": answers(tone=2)})
    owner = project.created_by
    assert owner is not None
    page = client_of(owner).get(f"/projects/{project.slug}/results/{campaign.pk}/").text
    assert "on items like these 12 from 6 groups." in page
    design_page = client_of(owner).get(f"/projects/{project.slug}/campaigns/{campaign.pk}/design/").text
    assert "all, 2 outputs each" in design_page
    second = campaign.items.filter(sample_index=1).order_by("example__row_number").first()
    assert second is not None
    case = client_of(owner).get(f"/projects/{project.slug}/results/{campaign.pk}/cases/{second.pk}/").text
    assert "Row 1, output 2 of Clients v1" in case
