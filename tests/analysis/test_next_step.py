"""The one primary action of a page of results is the next sensible one."""

import re

import pytest

from evalapp.accounts.models import Project, User
from evalapp.campaigns.models import Campaign
from evalapp.campaigns.services import close_campaign
from evalapp.exports.models import Export
from evalapp.jobs.models import Job
from evalapp.reviews.models import Correction, Review
from evalapp.runs.models import Run, RunKind
from tests.cast import client_of
from tests.closing_campaign import make_tuned_campaign
from tests.factories import make_version, review_all

pytestmark = pytest.mark.django_db


def primary(page: str) -> list[str]:
    actions = page.partition('<div class="page-actions">')[2].partition("</div>")[0]
    return re.findall(r'class="button button-main"[^>]*>([^<]+)<', actions)


def compare_page(campaign: Campaign, person: User) -> str:
    return client_of(person).get(f"/projects/{campaign.project.slug}/results/{campaign.pk}/").text


def test_training_is_proposed_for_corrections_alone_and_not_after_they_are_exported(
    project: Project, reviewer: User, manager: User
) -> None:
    campaign = make_tuned_campaign(project, [reviewer])
    review_all(campaign, reviewer, {})
    # While it is open more reviews may come in.
    assert primary(compare_page(campaign, manager)) == []
    close_campaign(campaign=campaign, by=None)
    # Nobody corrected anything, so there is nothing to train from.
    page = compare_page(campaign, manager)
    assert primary(page) == ["Record decision"] and "Train the next version" not in page
    review = Review.objects.first()
    assert review is not None
    Correction.objects.create(review=review, text="As it should be.")
    page = compare_page(campaign, manager)
    assert primary(page) == ["Train the next version from these corrections"]
    Export.objects.create(project=project, campaign=campaign, name="Feedback", created_by=manager)
    page = compare_page(campaign, manager)
    assert primary(page) == ["Record decision"] and "Train the next version" not in page
    # Its page leads to a training of what it became, until there is one.
    became = make_version(project, name="With feedback")
    Export.objects.update(state="done", dataset_version=became)
    exported = f"/projects/{project.slug}/data/proposed-rows/{Export.objects.get().pk}/"
    assert primary(client_of(manager).get(exported).text) == ["Train the next version"]
    job = Job.objects.create(project=project, task="evalapp.runs.tasks.train", title="v2")
    Run.objects.create(
        project=project,
        kind=RunKind.TRAINING,
        name="v2",
        job=job,
        dataset_version=became,
        splits=["train"],
    )
    assert primary(client_of(manager).get(exported).text) == []
