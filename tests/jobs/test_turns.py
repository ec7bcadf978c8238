"""Whose turn it is, as plain data."""

from datetime import UTC, datetime, timedelta

import pytest

from evalapp.jobs.turns import ProjectLoad, WaitingJob, in_turn, next_of

MONDAY = datetime(2026, 1, 5, 9, tzinfo=UTC)
ONE, TWO, THREE = 1, 2, 3
NOTHING = ProjectLoad()


def waiting(
    job: int, project: int, *, minutes: int = 0, priority: int = 2, keeps_turn: bool = False
) -> WaitingJob:
    return WaitingJob(job, project, priority, MONDAY + timedelta(minutes=minutes), keeps_turn)


def order(jobs: list[WaitingJob], standing: ProjectLoad = NOTHING, ending: tuple[int, ...] = ()) -> list[int]:
    return [job.job_id for job in in_turn(jobs, standing, ending=ending, most=100)]


def test_a_project_with_twenty_waiting_runs_does_not_starve_another() -> None:
    many = [waiting(number, ONE, minutes=number) for number in range(20)]
    late = [waiting(100, TWO, minutes=500), waiting(101, TWO, minutes=501)]

    assert order([*many, *late], ProjectLoad({ONE: 1}, {ONE: 5.0}), (ONE,))[:5] == [100, 0, 101, 1, 2]


def test_the_project_with_fewer_runs_running_comes_first() -> None:
    standing = ProjectLoad(running={ONE: 2, TWO: 1}, served_at={ONE: 1.0, TWO: 9.0})
    chosen = next_of([waiting(1, ONE), waiting(2, TWO)], standing)
    assert chosen is not None and chosen.job_id == 2


def test_among_equals_the_project_served_longest_ago_comes_first() -> None:
    standing = ProjectLoad(served_at={ONE: 9.0, TWO: 1.0})
    assert order([waiting(1, ONE), waiting(2, TWO), waiting(3, THREE)], standing) == [3, 2, 1]


def test_a_priority_orders_the_runs_of_one_project_and_takes_no_turn_from_another() -> None:
    jobs = [
        waiting(1, ONE, priority=1),
        waiting(2, ONE, minutes=1),
        waiting(3, ONE, minutes=2, priority=3),
        waiting(4, ONE, minutes=3, priority=3),
        waiting(5, TWO, minutes=4, priority=1),
    ]
    assert order(jobs, ProjectLoad(served_at={ONE: 2.0, TWO: 1.0})) == [5, 3, 4, 2, 1]


def test_what_was_interrupted_goes_on_before_all_others() -> None:
    jobs = [waiting(1, TWO, priority=3), waiting(2, ONE, priority=1, keeps_turn=True)]
    chosen = next_of(jobs, ProjectLoad({ONE: 3}, {ONE: 9.0}))
    assert chosen is not None and chosen.job_id == 2


@pytest.mark.parametrize("most", [0, 2])
def test_only_so_many_places_are_told(most: int) -> None:
    jobs = [waiting(number, ONE, minutes=number) for number in range(5)]
    assert len(in_turn(jobs, NOTHING, ending=(), most=most)) == most
    assert next_of([], NOTHING) is None
