"""Which items a campaign takes, and how many assignments each gets."""

from collections import Counter
from typing import Any

import pytest

from evalapp.accounts.models import Project, User
from evalapp.campaigns.choice import items_with_larger_overlap
from evalapp.campaigns.design import CampaignDesign
from evalapp.campaigns.models import Campaign
from evalapp.campaigns.queries import cost_of_draft
from evalapp.campaigns.services import create_campaign, open_campaign
from evalapp.core.errors import InvalidError
from evalapp.datasets.rows import ExampleRow
from evalapp.datasets.services import create_dataset, create_version
from tests.campaigns.making import make_candidates, make_open_campaign, make_outputs, make_rubric, make_team

pytestmark = pytest.mark.django_db
TOPICS = ["funds"] * 30 + ["pensions"] * 9 + ["tax"] * 1


def draft_by_topic(project: Project, people: list[User], name: str = "Topics", **options: Any) -> Campaign:
    version = create_version(
        dataset=create_dataset(project=project, name=name, by=None),
        rows=(
            ExampleRow(
                split="test", messages=[{"role": "user", "content": f"{name} {n}"}], metadata={"topic": topic}
            )
            for n, topic in enumerate(TOPICS)
        ),
        by=None,
    )
    candidates = make_candidates(project, [f"one of {name}", f"two of {name}"])
    make_outputs(version, candidates, name=name)
    design = {
        "overlap": 1,
        "item_choice": "stratified",
        "examples_wanted": 8,
        "stratify_by": "topic",
        "seed": 7,
    }
    return create_campaign(
        project=project,
        design=CampaignDesign(
            name=name,
            rubric_version=make_rubric(project, name),
            dataset_version=version,
            split="test",
            candidates=candidates,
            reviewers=people,
            **{**design, **options},
        ),
        by=None,
    )


def rows_of(campaign: Campaign) -> list[int]:
    return sorted(campaign.items.values_list("example__row_number", flat=True))


def test_some_items_are_drawn_in_proportion_by_a_field() -> None:
    project, people = make_team(2)
    draft = draft_by_topic(project, people)
    cost = cost_of_draft(draft)
    campaign = open_campaign(campaign=draft, by=None)
    topics = Counter(campaign.items.values_list("example__metadata__topic", flat=True))
    assert topics == {"funds": 6, "pensions": 1, "tax": 1}
    assert {value: chosen for value, chosen, _ in cost.strata} == topics
    assert (cost.items, cost.reviews, cost.not_chosen) == (8, 16, 32)
    assert (campaign.items_total, campaign.assignments_total, campaign.reviews_total) == (8, 8, 16)


def test_a_seed_chooses_the_same_rows_again_and_another_seed_others() -> None:
    project, people = make_team(2)
    chosen = [
        rows_of(open_campaign(campaign=draft_by_topic(project, people, name, **options), by=None))
        for name, options in {
            "a": {},
            "b": {},
            "c": {"seed": 8},
            "d": {"item_choice": "random", "stratify_by": ""},
            "e": {"item_choice": "random", "stratify_by": ""},
        }.items()
    ]
    assert chosen[0] == chosen[1] != chosen[2]
    assert chosen[3] == chosen[4] and [len(rows) for rows in chosen] == [8] * 5


def test_a_share_of_the_items_gets_more_assignments_and_no_person_twice() -> None:
    project, people = make_team(4)
    campaign = make_open_campaign(
        project, people, rows=21, overlap=1, overlap_share=20, overlap_more=3, distribution="manual", seed=3
    )
    more = items_with_larger_overlap(21, 20)
    assert Counter(campaign.items.values_list("overlap", flat=True)) == {1: 21 - more, 3: more}
    assignments = Counter(campaign.assignments.values_list("item", flat=True))
    assert assignments == dict(campaign.items.values_list("pk", "overlap"))
    assert campaign.reviews_total == 2 * (21 + 2 * more) == cost_of_draft(campaign).reviews
    loads = Counter(campaign.assignments.values_list("assigned_to", flat=True))
    assert None not in loads and max(loads.values()) - min(loads.values()) <= 1
    pairs = list(campaign.assignments.values_list("item", "assigned_to"))
    assert len(set(pairs)) == len(pairs)


def test_a_seed_assigns_the_same_people_by_their_campaign_reviewer() -> None:
    def assigned(name: str) -> list[tuple[int, int, int]]:
        project, people = make_team(3, name)
        campaign = make_open_campaign(project, people, rows=12, overlap=2, distribution="manual", seed=5)
        campaign_reviewers = {person.pk: number for number, person in enumerate(people)}
        return [
            (row, number, campaign_reviewers[person])
            for row, number, person in campaign.assignments.order_by("rank").values_list(
                "item__example__row_number", "number", "assigned_to"
            )
        ]

    assert assigned("one") == assigned("two")


@pytest.mark.parametrize(
    ("options", "field", "words"),
    [
        ({"examples_wanted": 41}, "examples_wanted", "41 examples are wanted, but 40 have an answer"),
        ({"examples_wanted": 2}, "examples_wanted", "has 3 different values, and each gives at least one"),
        ({"stratify_by": "colour"}, "stratify_by", "No example has a field “colour”. Its fields: topic."),
        ({"item_choice": "all", "stratify_by": ""}, "examples_wanted", "or leave this empty"),
        ({"examples_wanted": None}, "examples_wanted", "Give the number of examples"),
        ({"item_choice": "some"}, "item_choice", "Choose one of all, random, stratified."),
        ({"item_choice": "random"}, "stratify_by", "Leave it empty, or choose that."),
        ({"overlap_share": 20}, "overlap_more", "Give the number of reviewers"),
        ({"overlap_more": 2}, "overlap_share", "Give the percentage"),
        ({"overlap_share": 20, "overlap_more": 3}, "overlap_more", "need at least 3 people; 2 chosen"),
        ({"overlap_share": 20, "overlap_more": 1}, "overlap_more", "more than the 1 of every item"),
        ({"quota": 3}, "quota", "2 people with at most 3 items each do 6 assignments; the design needs 8."),
        ({"distribution": "lottery"}, "distribution", "Choose one of shared, manual."),
    ],
)
def test_a_choice_that_cannot_be_is_refused_with_its_field(
    options: dict[str, Any], field: str, words: str
) -> None:
    project, people = make_team(2)
    with pytest.raises(InvalidError) as refused:
        draft_by_topic(project, people, **options)
    assert words in " ".join(refused.value.fields[field])


def test_quotas_that_were_set_since_stop_a_launch_that_they_cannot_carry() -> None:
    project, people = make_team(2)
    draft = draft_by_topic(project, people, distribution="manual")
    draft.reviewers.update(quota=3)
    with pytest.raises(InvalidError, match="The 2 reviewers can take 6 assignments; the design needs 8"):
        open_campaign(campaign=draft, by=None)
    draft.reviewers.update(quota=4)
    opened = open_campaign(campaign=draft, by=None)
    assert set(Counter(opened.assignments.values_list("assigned_to", flat=True)).values()) == {4}
