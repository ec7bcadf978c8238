"""A reviewed campaign whose examples have fields, for tests of filters and strata."""

from collections.abc import Callable, Sequence
from typing import Any

from evalapp.accounts.models import Project, User
from evalapp.campaigns.design import CampaignDesign
from evalapp.campaigns.models import Campaign
from evalapp.campaigns.services import create_campaign, open_campaign
from evalapp.datasets.services import create_dataset, create_version
from tests.factories import (
    GOOD,
    PLAIN,
    answers,
    example_row,
    make_candidates,
    make_outputs,
    make_rubric,
    review_all,
)

RETAIL, INSTITUTIONAL = "retail & private", "institutional"


def segment_of(row: int) -> str:
    """Of every three rows, two are retail."""
    return INSTITUTIONAL if row % 3 == 0 else RETAIL


def fields_of(row: int) -> dict[str, Any]:
    """A segment, a number and, but of the first, a region."""
    region = {"region": "north" if row % 2 else "south"} if row > 1 else {}
    return {"segment": segment_of(row), "client": row, **region}


def make_segmented(
    project: Project,
    reviewers: Sequence[User],
    *,
    rows: int = 6,
    name: str = "Segments",
    fields: Callable[[int], dict[str, Any]] = fields_of,
) -> Campaign:
    """An open campaign of two candidates; ``fields`` is the metadata of an example by its row's number."""
    examples = [example_row(row, metadata=fields(row)) for row in range(1, rows + 1)]
    dataset = create_dataset(project=project, name=f"Clients of {name}", by=None)
    version = create_version(dataset=dataset, rows=iter(examples), by=None)
    formal, plain = make_candidates(project, ["formal", "plain"])
    make_outputs(version, {formal: GOOD, plain: PLAIN})
    campaign = create_campaign(
        project=project,
        design=CampaignDesign(
            name=name,
            rubric_version=make_rubric(project, f"Rubric of {name}"),
            dataset_version=version,
            split="feedback",
            candidates=[formal, plain],
            overlap=len(reviewers),
            reviewers=reviewers,
        ),
        by=project.created_by,
    )
    return open_campaign(campaign=campaign, by=project.created_by)


def review_with_paradox(campaign: Campaign, reviewers: Sequence[User], *, rows: int) -> None:
    """Retail clients are served better by "plain", institutional ones clearly by "formal"."""
    for turn, reviewer in enumerate(reviewers):
        said = {}
        for row in range(1, rows + 1):
            wobble = (row + turn) % 2
            low, high = (2 + wobble, 4 + wobble)
            prefers_plain = segment_of(row) == RETAIL
            said["plain", row] = answers(tone=high if prefers_plain else low)
            said["formal", row] = answers(tone=low if prefers_plain else high)
        review_all(campaign, reviewer, said)
