import pytest

from evalapp.accounts.models import Project, User
from evalapp.campaigns.models import Campaign, ItemOutput
from tests.factories import answers, make_campaign, review_all
from tests.kept_cast import FIXTURES, Cast, again

cast, owner, manager, engineer, reviewer, other_reviewer, project, empty_project = FIXTURES


def make_disputed(project: Project, reviewer: User, other_reviewer: User) -> Campaign:
    """Two reviewers agree but for the tone of both candidates in row 1: 1 and 5 of "formal", 3 and 4 of
    "plain"; and one finds an error in "plain" there.
    """
    campaign = make_campaign(project, [reviewer, other_reviewer], rows=2)
    review_all(campaign, reviewer, {("formal", 1): answers(tone=1), ("plain", 1): answers(tone=3)})
    review_all(campaign, other_reviewer, {("formal", 1): answers(tone=5), ("plain", 1): answers(error=1)})
    return campaign


@pytest.fixture(scope="module")
def made(cast: Cast) -> Campaign:
    return make_disputed(cast.project, cast.reviewer, cast.other_reviewer)


@pytest.fixture
def campaign(made: Campaign, db: None) -> Campaign:
    return again(made)


@pytest.fixture
def disputed(campaign: Campaign) -> ItemOutput:
    """The answer of "formal" to row 1."""
    return output_of(campaign, "formal")


def output_of(campaign: Campaign, label: str, row: int = 1) -> ItemOutput:
    return ItemOutput.objects.select_related("item__campaign__project", "output", "candidate").get(
        item__campaign=campaign, item__example__row_number=row, candidate__model_version__label=label
    )


def address(campaign: Campaign, rest: str = "") -> str:
    return f"/projects/{campaign.project.slug}/results/{campaign.pk}/{rest}"


def name_distinctly(*people: User) -> None:
    """Names that occur nowhere else, so that a page with one of them has named that person."""
    for person in people:
        person.name = f"known-as-{person.pk}-{person.email.partition('@')[0]}"
        person.save(update_fields=["name"])
