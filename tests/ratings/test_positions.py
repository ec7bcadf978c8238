"""Ratings whose reviewer names are positions that different people filled."""

from collections.abc import Callable

import numpy as np
import pytest
from django.test import Client
from django.utils.html import strip_tags
from scipy import stats

from evalapp.accounts.models import Project, User
from evalapp.campaigns.models import Campaign
from evalapp.ratings import storing
from tests.api.conftest import program_of
from tests.ratings.files import imported, rating, received, table
from tests.ratings.test_views import post_form, work_off

pytestmark = pytest.mark.django_db
ITEMS, POSITIONS = 12, 3
NAMES = [f"rater_{number}" for number in range(1, POSITIONS + 1)]


def scores() -> np.ndarray:
    """By candidate, item and position; each item has other people, who are severe or not."""
    generator = np.random.default_rng(4)
    people = generator.integers(-1, 2, (ITEMS, POSITIONS))
    base = np.clip(2 + people + generator.integers(0, 2, (ITEMS, POSITIONS)), 1, 5)
    tuned = np.clip(base + generator.integers(0, 3, (ITEMS, POSITIONS)), 1, 5)
    return np.array([base, tuned])


def file() -> bytes:
    return table(
        *(
            rating(item + 1, candidate, NAMES[position], "Tone", int(given[item, position]))
            for candidate, given in zip(("base", "tuned"), scores(), strict=True)
            for item in range(ITEMS)
            for position in range(POSITIONS)
        )
    )


@pytest.fixture
def campaign(project: Project, manager: User) -> Campaign:
    imported(project, manager, file(), names_are_positions=True)
    return project.campaigns.get()


def test_intervals_rest_on_items_and_are_about_raters_like_these(campaign: Campaign, manager: User) -> None:
    program, path = program_of(manager), f"projects/{campaign.project.slug}/campaigns/{campaign.pk}"
    (difference,) = program.get(f"{path}/differences/").json()["results"]
    base, tuned = scores()
    by_item = (tuned - base).mean(axis=1)
    low, high = stats.t.interval(0.95, ITEMS - 1, by_item.mean(), stats.sem(by_item))
    found = difference["difference"]
    assert (found["value"], found["n"]) == (pytest.approx(by_item.mean()), ITEMS)
    assert (found["low"], found["high"]) == (pytest.approx(low), pytest.approx(high))
    assert difference["other_difference"]["low"] is None
    comparison = program.get(f"{path}/comparison/").json()
    assert comparison["design"]["names_are_positions"]
    means = [row["human"][0]["mean"]["value"] for row in comparison["candidates"]]
    assert means == [pytest.approx(base.mean()), pytest.approx(tuned.mean())]


def test_pages_say_so_and_tell_nothing_of_single_reviewers(
    campaign: Campaign, client_for: Callable[[User | None], Client], manager: User
) -> None:
    office, address = client_for(manager), f"/projects/{campaign.project.slug}/results/{campaign.pk}/"

    def words(page: str) -> str:
        return " ".join(strip_tags(office.get(f"{address}{page}").text).split())

    summary = words("")
    assert "For raters like these, on items like these 12." in summary
    assert "other reviewers" not in summary
    assert "with its 95% interval for raters like these" in words("who-is-better/")
    assert "Reviewer names are positions that different people filled" in words("can-i-trust-it/")
    assert "so nobody’s severity is known" in words("severity/")
    assert "two of them are not two people" in words("agreement/")


def test_the_form_asks_whether_names_are_positions(
    project: Project, client_for: Callable[[User | None], Client], manager: User
) -> None:
    office, ratings_import = client_for(manager), received(project, manager, file())
    page = f"/projects/{project.slug}/campaigns/ratings/{ratings_import.pk}/"
    post_form(office, page, "check")
    work_off(project)
    assert "Reviewer names are positions that different people filled" in office.get(page).text
    post_form(office, page, "start", names_are_positions="on")
    work_off(project)
    assert project.campaigns.get().names_are_positions


def test_agreement_is_of_the_items_and_of_no_position(
    campaign: Campaign, manager: User, client_for: Callable[[User | None], Client]
) -> None:
    page = client_for(manager).get(f"/projects/{campaign.project.slug}/results/{campaign.pk}/agreement/").text
    assert "By criterion" in page and "Unclear levels" in page
    assert "Each reviewer against the others" not in page and "Agreement by pair" not in page


def test_more_than_a_thousand_names_are_positions(
    project: Project, manager: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storing, "MOST_SINGLE_REVIEWERS", POSITIONS - 1)
    imported(project, manager, file())
    assert project.campaigns.get().names_are_positions


def test_names_of_people_are_people(project: Project, manager: User) -> None:
    imported(project, manager, file())
    path = f"projects/{project.slug}/campaigns/{project.campaigns.get().pk}/comparison/"
    assert not program_of(manager).get(path).json()["design"]["names_are_positions"]


def test_an_item_with_fewer_raters_than_there_are_names_does_not_round_less(
    project: Project, manager: User
) -> None:
    """Two of six positions each, and differences that are all the same: known but for the rounding."""
    names = [f"rater_{number}" for number in range(6)]
    rows = [
        rating(item, candidate, names[(2 * item + place) % 6], "Tone", score)
        for item in range(1, 13)
        for place in range(2)
        for candidate, score in (("base", 2), ("tuned", 4))
    ]
    imported(project, manager, table(*rows), names_are_positions=True)
    path = f"projects/{project.slug}/campaigns/{project.campaigns.get().pk}/differences/"
    (difference,) = program_of(manager).get(path).json()["results"]
    error = 1 / np.sqrt(6 * ITEMS * 2)
    reach = stats.t.ppf(0.975, ITEMS - 1) * error
    assert difference["difference"]["low"] == pytest.approx(2 - reach)
