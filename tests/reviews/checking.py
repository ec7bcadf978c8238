"""Campaigns that rate and check their reviewers, for tests."""

from typing import Any
from uuid import uuid4

from evalapp.accounts.models import User
from evalapp.campaigns.gold import GoldRow, set_gold
from evalapp.campaigns.models import Campaign
from evalapp.campaigns.services import open_campaign
from evalapp.reviews.queries import review_context_at
from evalapp.reviews.services import submit_at
from tests.campaigns.making import make_campaign, make_team
from tests.factories import answers, offered

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
    for upcoming in offered(campaign, person, most):
        review_context = review_context_at(person, upcoming.assignment.key, upcoming.slot)
        assignment = review_context.assignment
        submit_at(
            review_context=review_context,
            client_id=uuid4(),
            answers=said(assignment) if said else answers(),
            seconds_active=12.5,
        )
        seen.append((assignment.purpose, assignment.item_id))
    return seen
