"""A scale of 0 to 100 in the tables: drawn in ten bins, its agreement still a measure."""

import numpy as np
import pytest

from evalapp.accounts.models import Project, User
from evalapp.analysis.agreement.measures import agreement_rows
from evalapp.analysis.comparison.candidates import compare
from evalapp.analysis.scores.campaign_scores import load_scores
from evalapp.campaigns.models import Campaign
from evalapp.reviews.answers import ReviewAnswers
from evalapp.rubrics.drafts import CriterionDraft
from evalapp.rubrics.services import create_rubric, save_version
from tests.cast import client_of
from tests.factories import make_campaign, review_all

pytestmark = pytest.mark.django_db


@pytest.fixture
def campaign(project: Project, manager: User, reviewer: User, other_reviewer: User) -> Campaign:
    version = save_version(
        rubric=create_rubric(project=project, name="Percent", by=manager),
        criteria=[CriterionDraft(name="Quality", minimum=0, maximum=100, low_threshold=20)],
        by=manager,
    )
    people = [reviewer, other_reviewer]
    campaign = make_campaign(project, people, rows=6, rubric_version=version, texts={"formal": "Dear you."})
    for person, shift in zip(people, (0, 3), strict=True):
        given = {
            ("formal", row): ReviewAnswers({"quality": value + shift})
            for row, value in enumerate((0, 10, 33, 50, 77, 97), start=1)
        }
        review_all(campaign, person, given)
    return campaign


def test_levels_are_drawn_in_ten_bins_and_counted_one_by_one(campaign: Campaign) -> None:
    (cell,) = compare(load_scores(campaign)).rows[0].human
    assert (len(cell.counts), sum(cell.counts.values())) == (101, 12)
    assert list(cell.binned) == [
        *("0–10", "11–20", "21–30", "31–40", "41–50", "51–60", "61–70", "71–80", "81–90", "91–100")
    ]
    assert list(cell.binned.values()) == [3, 1, 0, 2, 1, 1, 0, 2, 0, 2]
    assert cell.mean.value == pytest.approx(46)
    assert cell.low_share.value == pytest.approx(4 / 12)


def test_agreement_is_a_measure_and_one_level_is_no_step(campaign: Campaign) -> None:
    (row,) = agreement_rows(load_scores(campaign))
    assert 0.9 < row.alpha.value <= 1
    assert row.exact.value == 0
    assert row.within_one is None
    assert np.isfinite([row.alpha.low, row.alpha.high]).all()


def test_the_page_shows_the_bins(campaign: Campaign, manager: User) -> None:
    page = client_of(manager).get(f"/projects/{campaign.project.slug}/results/{campaign.pk}/")
    assert "91–100: 2" in page.content.decode()
