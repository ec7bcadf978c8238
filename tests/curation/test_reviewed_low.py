"""What reviewers said of a row's reference, as findings."""

import pytest

from evalapp.accounts.models import Project, User
from evalapp.campaigns.models import Campaign
from evalapp.campaigns.services import close_campaign
from evalapp.curation.health.reviewed_low import reviewed_low
from evalapp.curation.health.rows import Found
from tests.factories import answers, make_campaign, review_all

pytestmark = pytest.mark.django_db

# The candidate "formal" answers with each row's reference.
BAD = answers(accuracy=2, clarity=2, tone=2, personalization=2)
BEST = answers(accuracy=5, clarity=5, tone=5, personalization=5)


@pytest.fixture
def campaign(project: Project, reviewer: User, other_reviewer: User) -> Campaign:
    return make_campaign(project, [reviewer, other_reviewer], rows=3)


def found(
    campaign: Campaign, people: list[User], said: dict[object, object], by: User
) -> dict[int | None, Found]:
    for person in people:
        review_all(campaign, person, said)  # type: ignore[arg-type]  # labels with rows
    close_campaign(campaign=campaign, by=by)
    return {each.row: each for each in reviewed_low(campaign.dataset_version)}


def test_a_reference_that_a_candidate_surpasses_is_found(
    campaign: Campaign, reviewer: User, other_reviewer: User, manager: User
) -> None:
    said: dict[object, object] = {
        ("plain", 1): BEST,
        ("formal", 1): answers(accuracy=3, clarity=3, tone=3, personalization=3),
    }
    rows = found(campaign, [reviewer, other_reviewer], said, manager)
    assert list(rows) == [1]
    assert rows[1].evidence == "The output of plain was rated higher than the reference by 2 reviewers."


def test_a_little_better_is_not_enough(campaign: Campaign, reviewer: User, manager: User) -> None:
    assert found(campaign, [reviewer], {("plain", 1): answers(accuracy=5)}, manager) == {}


def test_a_reference_that_is_scored_low_is_found_with_its_criteria(
    campaign: Campaign, reviewer: User, manager: User
) -> None:
    rows = found(campaign, [reviewer], {("formal", 2): BAD, ("plain", 2): BAD}, manager)
    assert list(rows) == [2]
    assert rows[2].evidence.startswith("The reference was scored low by a reviewer: ")
    assert "Accuracy" in rows[2].evidence


def test_what_is_still_reviewed_says_nothing(campaign: Campaign, reviewer: User) -> None:
    review_all(campaign, reviewer, {("formal", 2): BAD, ("plain", 2): BEST})
    assert list(reviewed_low(campaign.dataset_version)) == []
