"""Campaigns that rate and check their reviewers, for tests."""

from typing import Any

from evalapp.accounts.models import User
from evalapp.campaigns.allocation import NextReview
from evalapp.campaigns.gold import GoldRow, set_gold
from evalapp.campaigns.models import Campaign
from evalapp.campaigns.services import open_campaign
from tests.campaigns.making import make_campaign, make_team
from tests.campaigns.test_allocation import next_for
from tests.factories import answers
from tests.reviews.conftest import assignment_of, submit

JSON = {"Accept": "application/json"}


def gold_of(*rows: int, criterion: str = "tone", value: str = "4", **options: Any) -> list[GoldRow]:
    return [GoldRow(f"line {row}", str(row), criterion, value, **options) for row in rows]


def make_checked(
    people: int = 2, *, rows: int = 60, gold: int = 5, **options: Any
) -> tuple[Campaign, list[User]]:
    project, team = make_team(people, options.pop("team", "Checked"))
    design = {"overlap": 1, "gold_share": 10, "repeat_share": 20, "seed": 11, "candidates": 1} | options
    draft = make_campaign(project, team, rows=rows, **design)
    if draft.gold_share:
        set_gold(campaign=draft, rows=gold_of(*range(1, gold + 1)), by=None)
    return open_campaign(campaign=draft, by=None), team


def review_on(campaign: Campaign, person: User, said: Any = None, most: int = 1_000) -> list[tuple[str, int]]:
    """Review until nothing comes; (purpose, item) of each in order."""
    seen = []
    while len(seen) < most and isinstance(upcoming := next_for(campaign, person), NextReview):
        assignment = assignment_of(upcoming)
        submit(campaign, person, upcoming, answers=said(assignment) if said else answers())
        seen.append((assignment.purpose, assignment.item_id))
    return seen
