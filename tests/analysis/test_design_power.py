"""New campaign says what its design finds, and what would help most."""

import re

import pytest
from django.test import Client
from django.utils.html import strip_tags

from evalapp.accounts.models import Project, User
from evalapp.analysis.planning.design_power import expected_variances, power_of_design
from evalapp.stats.planning import Design
from evalapp.stats.populations import Population
from tests.cast import client_of
from tests.factories import (
    answers,
    make_campaign,
    make_candidates,
    make_outputs,
    make_rubric,
    make_version,
    review_all,
)

pytestmark = pytest.mark.django_db


def design(items: int, reviewers: int = 3, overlap: int = 2, population: str = "panel") -> Design:
    return Design(items=items, reviewers=reviewers, overlap=overlap, population=Population(population))


def test_a_small_design_decides_little_and_more_items_help(project: Project) -> None:
    rubric = make_rubric(project)
    small, large = (power_of_design(rubric, design(items)) for items in (12, 200))
    assert small is not None and large is not None
    assert small.is_weak and not large.is_weak
    assert re.fullmatch(r"24 items would find 0\.[4-6] points", small.helps)
    assert small.weakest.difference.value > 2 * large.weakest.difference.value


def test_of_reviewers_like_these_three_show_less_and_more_reviewers_help(project: Project) -> None:
    rubric = make_rubric(project)
    panel, others = (power_of_design(rubric, design(300, population=each)) for each in ("panel", "reviewers"))
    assert panel is not None and others is not None
    assert others.weakest.difference.value > 2 * panel.weakest.difference.value
    assert others.helps.startswith("5 reviewers would find")
    assert power_of_design(rubric, design(300, reviewers=1, overlap=1, population="reviewers")) is None


def test_variances_come_from_the_newest_reviewed_campaign_of_the_rubric(
    project: Project, reviewer: User, other_reviewer: User
) -> None:
    campaign = make_campaign(project, [reviewer, other_reviewer], rows=8)
    assumed = expected_variances(campaign.rubric_version)
    assert assumed.source is None and all(each.scores.spread for each in assumed.variances)
    for person in (reviewer, other_reviewer):
        said = {
            (name, row): answers(tone=1 + 4 * (row % 2 == (name == "plain")))
            for name in ("formal", "plain")
            for row in range(1, 9)
        }
        review_all(campaign, person, said)
    found = expected_variances(campaign.rubric_version)
    assert found.source == campaign
    tone = next(each for each in found.variances if each.criterion.key == "tone")
    assert tone.differences.spread is not None and tone.differences.spread.item > 3
    assert expected_variances(campaign.rubric_version, excluding=campaign).source is None


def test_the_form_says_it_while_the_campaign_is_designed(
    project: Project, manager: User, reviewer: User, other_reviewer: User
) -> None:
    version, rubric = make_version(project, rows=10), make_rubric(project)
    candidates = make_candidates(project, ["formal", "plain"])
    make_outputs(version, dict.fromkeys(candidates, "An answer."))
    sent = {
        "name": "Round 1",
        "rubric_version": rubric.pk,
        "dataset_version": version.pk,
        "split": "feedback",
        "candidates": [each.pk for each in candidates],
        "method": "pointwise",
        "overlap": 2,
        "reviewers": [reviewer.pk, other_reviewer.pk],
        "item_choice": "all",
        "distribution": "shared",
    }
    browser: Client = client_of(manager)
    shown = browser.post(f"/projects/{project.slug}/campaigns/new/cost/", sent)
    text = re.sub(r"\s+", " ", strip_tags(shown.text))
    found = (
        r"finds a difference of 0\.[78] points on each of 4 criteria: it misses smaller ones\. 20 items would"
    )
    assert re.search(rf"{found} find 0\.[56] points", text)
    assert "For these reviewers; variances assumed" in text
    assert re.search(r"If scores vary 1\.5 times as much, it finds 1\.[012] points", text)
