"""A blind campaign with a tuned candidate and another one, for tests of the closing question."""

from collections.abc import Sequence
from typing import Any

from evalapp.accounts.models import Project, User
from evalapp.campaigns.design import CampaignDesign
from evalapp.campaigns.models import Campaign
from evalapp.campaigns.services import create_campaign, open_campaign
from tests.factories import (
    GOOD,
    PLAIN,
    make_adapter,
    make_candidates,
    make_outputs,
    make_rubric,
    make_version,
)

TUNED = "secret-adapter-label"
OTHER = "secret-prompt-label"


def make_tuned_campaign(
    project: Project, reviewers: Sequence[User], *, rows: int = 4, name: str = "Blind round", **options: Any
) -> Campaign:
    """An open campaign with an adapter and imported outputs; everybody reviews everything."""
    version = make_version(project, rows=rows, name=f"Clients of {name}")
    adapter = make_adapter(project, TUNED, dataset_version=version)
    (other,) = make_candidates(project, [OTHER])
    make_outputs(version, {adapter: PLAIN, other: GOOD})
    campaign = create_campaign(
        project=project,
        design=CampaignDesign(
            name=name,
            rubric_version=make_rubric(project, f"Rubric of {name}"),
            dataset_version=version,
            split="feedback",
            candidates=[adapter, other],
            overlap=len(reviewers),
            reviewers=reviewers,
            **options,
        ),
        by=project.created_by,
    )
    return open_campaign(campaign=campaign, by=project.created_by)
