"""What a blind reviewer may not know leaks by no path, and the tests that say so can fail."""

import itertools
import uuid
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone
from scipy.stats import binomtest, mannwhitneyu

from evalapp.accounts.models import Project, User
from evalapp.campaigns import opening
from evalapp.campaigns.models import Assignment, Purpose
from evalapp.reviews import queries, views
from evalapp.reviews.desks import payload
from evalapp.reviews.kinds import rating
from evalapp.reviews.models import Review
from evalapp.runs.models import Output
from tests.access_objects import world_again
from tests.blindness.spy import Spy, ask_every_address, judge_everything, review_everything
from tests.blindness.world import (
    far_ids,
    fields_in,
    leaks_in,
    make_blind_world,
    make_comparing_world,
    otherwise,
    own_ids_of,
    slots_of_first_candidate,
)
from tests.cached_values import forget_cached_values
from tests.campaigns.making import make_open_campaign
from tests.cast import make_project
from tests.kept_cast import FIXTURES, Cast
from tests.test_access import ROUTES

pytestmark = pytest.mark.django_db
cast, owner, manager, engineer, reviewer, other_reviewer, project, empty_project = FIXTURES


@pytest.fixture(scope="module")
def far(cast: Cast) -> Iterator[None]:
    """All rows of this file but the people and their project."""
    with far_ids():
        yield


@pytest.fixture(scope="module")
def made(cast: Cast, far: None) -> SimpleNamespace:
    return make_blind_world(cast.project, cast.reviewer)


@pytest.fixture
def world(made: SimpleNamespace) -> SimpleNamespace:
    return world_again(made)


def what_leaks(spy: Spy, world: SimpleNamespace) -> list[str]:
    own = own_ids_of(world)
    found = []
    for heard in spy.heard:
        assert heard.status < 500, heard
        # Elsewhere a reviewer reads of themselves and of their projects, and when those were made.
        is_of_work = "/reviews/" in heard.asked
        fields = fields_in(heard.text) if is_of_work else []
        leaks = leaks_in(heard.text, own_ids=own) + [f"field {name}" for name in fields]
        found += [f"{heard.asked} ({heard.status}): {leak}" for leak in leaks]
    return found


def journey(world: SimpleNamespace, *, in_other_circumstances: bool = False, at_most: int = 20) -> Spy:
    """A reviewer's whole way through the campaign, or its beginning; the campaign is as before afterwards."""
    with transaction.atomic():
        spy = Spy(world.user)
        if in_other_circumstances:
            otherwise(world)
        review_everything(spy, world, at_most=at_most)
        transaction.set_rollback(True)
    forget_cached_values()
    world.campaign.refresh_from_db()
    return spy


def test_no_answer_of_a_reviewers_whole_way_holds_a_secret(world: SimpleNamespace) -> None:
    spy = journey(world)
    # They met every kind of answer, so that silence means something.
    assert {heard.status for heard in spy.heard} >= {200, 201, 204, 302, 400, 404, 409, 412}
    assert len(spy.heard) > 120
    assert what_leaks(spy, world) == []


def test_no_address_of_the_product_tells_a_reviewer_a_secret(world: SimpleNamespace) -> None:
    spy = Spy(world.user)
    ask_every_address(spy, ROUTES, world)
    assert len(spy.heard) > 3 * len(ROUTES)
    assert what_leaks(spy, world) == []


def test_the_same_secrets_are_there_for_who_may_see_them(world: SimpleNamespace) -> None:
    """What the marks are worth: who runs the campaign meets each of them on three pages."""
    spy = Spy(world.project.created_by)
    told = ("label_studio_tasks", "case_detail", "comparison_csv")
    ask_every_address(spy, [route for route in ROUTES if route.name in told], world, methods=("GET",))
    found = " ".join(leak for heard in spy.heard for leak in leaks_in(heard.text, own_ids=set()))
    for mark in ("label", "comment", "correction", "peer", "prompt", "id 19", "tokens"):
        assert mark in found, mark


def test_a_reviewer_is_told_the_same_whoever_wrote_the_answers_and_whatever_peers_said(
    world: SimpleNamespace,
) -> None:
    """Scores, tags and who wrote what bear no mark: so all of it is changed, and nothing may differ."""
    first, second = journey(world), journey(world, in_other_circumstances=True)
    assert len(first.heard) == len(second.heard)
    for one, other in zip(first.heard, second.heard, strict=True):
        assert (one.status, one.evened()) == (other.status, other.evened()), one.asked


@pytest.mark.parametrize("method", ["pairwise", pytest.param("ranking", marks=pytest.mark.verification)])
def test_checks_of_comparisons_are_found_in_no_answer(
    empty_project: Project, far: None, reviewer: User, other_reviewer: User, method: str
) -> None:
    world = make_comparing_world(empty_project, reviewer, other_reviewer, method=method)
    spy = Spy(reviewer)
    judge_everything(spy, world.campaign, at_most=5)
    world.campaign.reviewers.update(admitted_at=timezone.now())
    judge_everything(spy, world.campaign, at_most=32)
    mine = world.campaign.reviews.filter(reviewer=reviewer)
    # Of each kind, so that silence means something.
    assert set(mine.values_list("purpose", flat=True)) == {*Purpose.values}
    assert what_leaks(spy, world) == []


# That these tests can fail


def _names_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = queries.task_for

    def task_for(**given: Any) -> Any:
        label = Output.objects.values_list("candidate__label", flat=True).get(
            item_outputs=given["item_output_id"]
        )
        return whole(**given)._replace(candidate_label=label)

    monkeypatch.setattr(rating, "task_for", task_for)


def _sends_the_output_s_id(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = payload.page_config

    def page_config(**given: Any) -> dict[str, Any]:
        key = given["task"]["url"].split("/")[2]
        return {**whole(**given), "at": Assignment.objects.get(key=key).outputs_order[0]}

    monkeypatch.setattr(views, "page_config", page_config)


def _shows_a_peer_s_comment(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = payload.render_to_string

    def source_html(*given: Any) -> str:
        return whole(*given) + Review.objects.exclude(comment="").earliest("id").comment

    monkeypatch.setattr(payload, "render_to_string", source_html)


def _says_when_an_answer_was_made(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = views.task_payload
    monkeypatch.setattr(views, "task_payload", lambda **given: {**whole(**given), "created_at": ""})


@pytest.mark.parametrize(
    "breakage",
    [
        _names_the_model,
        _sends_the_output_s_id,
        _shows_a_peer_s_comment,
        _says_when_an_answer_was_made,
    ],
)
def test_a_broken_blinding_is_found(
    breakage: Callable[[pytest.MonkeyPatch], None], world: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    breakage(monkeypatch)
    assert what_leaks(journey(world, at_most=1), world) != []


def test_a_secret_without_a_mark_is_found(world: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer's score as nothing but the width of a space."""
    whole = payload.render_to_string

    def source_html(*given: Any) -> str:
        low = Review.objects.filter(scores__criterion__key="accuracy", scores__value__lte=2).exists()
        return whole(*given) + (" " if low else "  ")

    monkeypatch.setattr(payload, "render_to_string", source_html)
    first = journey(world, at_most=1)
    second = journey(world, in_other_circumstances=True, at_most=1)
    assert what_leaks(first, world) == []
    assert [heard.evened() for heard in first.heard] != [heard.evened() for heard in second.heard]


# Order and keys

SEEDS = range(1, 7)
# Chance goes past it once in ten thousand; the seeds are fixed, so that it does always or never.
LEAST_LIKELY = 1e-4


def make_assignments(project: Project, people: list[User]) -> Any:
    """Assignments of six campaigns of two candidates, each by a seed of its own."""
    for seed in SEEDS:
        name = f"Round {seed}"
        make_open_campaign(project, people, rows=40, seed=seed, name=name, dataset=name, rubric=name)
    return Assignment.objects.filter(campaign__project=project)


def suspicion_of(slots: list[int]) -> float:
    """How unlikely it is that chance alone put the first candidate there, or in that sequence."""
    changes = [one != next_one for one, next_one in itertools.pairwise(slots)]
    return float(min(binomtest(sum(slots), len(slots)).pvalue, binomtest(sum(changes), len(changes)).pvalue))


@pytest.fixture(scope="module")
def six_campaigns(cast: Cast) -> Project:
    """In a project of their own."""
    project = make_project("Six", reviewer=cast.reviewer, reviewer2=cast.other_reviewer)
    make_assignments(project, [cast.reviewer, cast.other_reviewer])
    return project


@pytest.fixture
def assignments(six_campaigns: Project) -> Any:
    return Assignment.objects.filter(campaign__project=six_campaigns)


def test_the_position_of_an_answer_says_nothing_about_who_wrote_it(assignments: Any) -> None:
    slots = slots_of_first_candidate(assignments)
    assert len(slots) == 6 * 40 * 2
    assert suspicion_of(slots) > LEAST_LIKELY
    # Nor does the number of the assignment, nor who has another assignment of the same item.
    for number in (1, 2):
        own = assignments.filter(number=number)
        assert suspicion_of(slots_of_first_candidate(own)) > LEAST_LIKELY
    of_item: dict[int, list[int]] = {}
    for assignment, slot in zip(assignments.order_by("campaign_id", "rank"), slots, strict=True):
        of_item.setdefault(assignment.item_id, []).append(slot)
    assert suspicion_of([int(one == other) for one, other in of_item.values()]) > LEAST_LIKELY


def test_a_key_is_drawn_and_says_nothing_about_who_wrote_what(assignments: Any) -> None:
    keys = list(assignments.order_by("campaign_id", "rank").values_list("key", flat=True))
    assert {key.version for key in keys} == {4} and {key.variant for key in keys} == {uuid.RFC_4122}
    slots = slots_of_first_candidate(assignments)
    by_first = [[key.int for key, slot in zip(keys, slots, strict=True) if slot == at] for at in (0, 1)]
    # These are drawn anew each time, so that chance must be allowed much.
    assert mannwhitneyu(*[[float(key) for key in group] for group in by_first]).pvalue > 1e-7
    in_turn = [int(one < other) for one, other in itertools.pairwise(keys)]
    assert binomtest(sum(in_turn), len(in_turn)).pvalue > 1e-7


def test_an_order_that_gives_the_candidate_away_is_found(
    empty_project: Project, reviewer: User, other_reviewer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = """md5(
            %(seed)s || ':output:' || item.name || ':' || number || ':' || c.position)"""
    assert drawn in opening._ASSIGNMENTS
    monkeypatch.setattr(opening, "_ASSIGNMENTS", opening._ASSIGNMENTS.replace(drawn, "c.position"))
    assignments = make_assignments(empty_project, [reviewer, other_reviewer])
    assert suspicion_of(slots_of_first_candidate(assignments)) < 1e-9
