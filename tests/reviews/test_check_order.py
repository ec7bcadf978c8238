"""What checks a reviewer comes in the order of ordinary work: its position among what is claimed tells
nothing.
"""

import pytest

from evalapp.accounts.models import Project, User
from evalapp.campaigns.allocation import SPACING, NextReview, claimed_assignments
from evalapp.campaigns.gold import set_gold
from evalapp.campaigns.models import Purpose
from evalapp.campaigns.services import open_campaign
from evalapp.core.errors import InvalidError
from evalapp.reviews.models import Review
from tests.campaigns.making import make_campaign
from tests.campaigns.test_allocation import campaign_reviewer_of, next_for
from tests.reviews.checking import gold_of, make_checked
from tests.reviews.conftest import submit

pytestmark = pytest.mark.django_db


def test_a_campaign_of_checks_alone_is_not_opened(project: Project, reviewer: User) -> None:
    draft = make_campaign(project, [reviewer], rows=3, candidates=1, overlap=1, gold_share=50)
    set_gold(campaign=draft, rows=gold_of(1, 2, 3), by=None)
    with pytest.raises(InvalidError, match="No item is left to review"):
        open_campaign(campaign=draft, by=None)
    draft.refresh_from_db()
    assert (draft.state, draft.items.count()) == ("draft", 0)


def test_a_check_waits_for_its_turn_in_the_hand() -> None:
    """One that overtook what the reviewer had in progress before would be told by that alone."""
    campaign, (person, _) = make_checked(rows=40, gold=8, gold_share=25, repeat_share=20, candidates=2)
    given: list[int] = []
    while isinstance(found := next_for(campaign, person), NextReview):
        for assignment in claimed_assignments(campaign_reviewer_of(campaign, person)):
            if assignment.id not in given:
                given.append(assignment.id)
        # Nothing that was claimed earlier and is not of the last two items waits behind it.
        last = campaign_reviewer_of(campaign, person).recent_items[:SPACING]
        claimed = [
            each
            for each in claimed_assignments(campaign_reviewer_of(campaign, person))
            if each.item_id not in last
        ]
        if claimed:
            assert found.assignment.id == min((each.id for each in claimed), key=given.index)
        submit(campaign, person, found)
    assert Review.objects.exclude(purpose=Purpose.REVIEW).count() > 8
