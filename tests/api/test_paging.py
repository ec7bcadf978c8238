"""Pages that begin after a row: whole, in order, without a row twice, whatever is added meanwhile."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from evalapp.accounts.models import Project, User
from evalapp.campaigns.models import Campaign
from evalapp.datasets.services import create_dataset
from evalapp.jobs.models import Job
from tests.api.conftest import Program, problem_in
from tests.factories import answers, make_campaign, make_version, review_all

ProgramFor = Callable[[User | None], Program]


def make_jobs(project: Project, count: int, *, start: int = 0) -> None:
    Job.objects.bulk_create(
        Job(project=project, task="tests.none", title=f"Job {number}")
        for number in range(start, start + count)
    )


def titles(rows: list[dict[str, Any]]) -> list[str]:
    return [row["title"] for row in rows]


def walk(program: Program, path: str) -> list[list[dict[str, Any]]]:
    """All pages, by following ``next``."""
    pages = []
    address: str | None = path
    while address:
        answer = program.get(address.removeprefix("http://testserver"))
        assert answer.status_code == 200, answer.content
        body = answer.json()
        assert set(body) == {"results", "next"}
        pages.append(body["results"])
        address = body["next"]
    return pages


@pytest.mark.parametrize(("count", "sizes"), [(0, [0]), (3, [3]), (4, [3, 1]), (6, [3, 3]), (7, [3, 3, 1])])
def test_pages_hold_every_row_once(
    count: int, sizes: list[int], project: Project, engineer: User, program_for: ProgramFor
) -> None:
    make_jobs(project, count)
    pages = walk(program_for(engineer), f"projects/{project.slug}/jobs/?limit=3")
    assert [len(page) for page in pages] == sizes
    assert [title for page in pages for title in titles(page)] == [f"Job {n}" for n in reversed(range(count))]


def test_rows_that_come_and_go_between_pages_shift_nothing(
    project: Project, engineer: User, program_for: ProgramFor
) -> None:
    program = program_for(engineer)
    make_jobs(project, 6)
    first = program.get(f"projects/{project.slug}/jobs/?limit=2").json()
    assert titles(first["results"]) == ["Job 5", "Job 4"]
    make_jobs(project, 3, start=6)
    Job.objects.filter(title="Job 4").delete()
    second = program.get(first["next"].removeprefix("http://testserver")).json()
    assert titles(second["results"]) == ["Job 3", "Job 2"]
    newest = program.get(f"projects/{project.slug}/jobs/?limit=1").json()
    assert titles(newest["results"]) == ["Job 8"]


def test_a_list_by_name_keeps_its_place_among_new_names(
    project: Project, engineer: User, program_for: ProgramFor
) -> None:
    for name in ("Apples", "Damsons", "Figs"):
        create_dataset(project=project, name=name, by=engineer)
    program = program_for(engineer)
    first = program.get(f"projects/{project.slug}/datasets/?limit=1").json()
    for name in ("Aardvarks", "Cherries"):
        create_dataset(project=project, name=name, by=engineer)
    rest = walk(program, first["next"])
    assert [row["name"] for page in rest for row in page] == ["Cherries", "Damsons", "Figs"]


def test_next_keeps_the_filter(project: Project, engineer: User, program_for: ProgramFor) -> None:
    version = make_version(project, rows=3, train=3)
    address = (
        f"projects/{project.slug}/datasets/{version.dataset_id}/versions/1/examples/?split=feedback&limit=2"
    )
    pages = walk(program_for(engineer), address)
    assert [[row["split"] for row in page] for page in pages] == [["feedback"] * 2, ["feedback"]]


@pytest.mark.parametrize(
    "after", ["x", "WzFd", "W1siLWlkIl0sWzFdXQ:1abcde:forged", ":::", "%F0%9F%98%80", "x" * 1999, "%FF"]
)
def test_a_key_that_was_not_given_out_is_refused(
    after: str, project: Project, engineer: User, program_for: ProgramFor
) -> None:
    make_jobs(project, 3)
    answer = program_for(engineer).get(f"projects/{project.slug}/jobs/?after={after}")
    assert "start" in problem_in(answer, 400)["message"]


def test_a_key_of_another_list_is_refused(project: Project, engineer: User, program_for: ProgramFor) -> None:
    program = program_for(engineer)
    for name in ("Apples", "Figs"):
        create_dataset(project=project, name=name, by=engineer)
    make_jobs(project, 3)
    following = program.get(f"projects/{project.slug}/datasets/?limit=1").json()["next"]
    after = following.partition("after=")[2].partition("&")[0]
    answer = program.get(f"projects/{project.slug}/jobs/?after={after}")
    assert "another order" in problem_in(answer, 400)["message"]


def test_a_key_that_is_too_long_is_refused(project: Project, engineer: User, program_for: ProgramFor) -> None:
    answer = program_for(engineer).get(f"projects/{project.slug}/jobs/?after={'x' * 2001}")
    assert list(problem_in(answer, 400)["fields"]) == ["after"]


@pytest.fixture
def campaign(project: Project, reviewer: User) -> Campaign:
    made = make_campaign(project, [reviewer], rows=3)
    review_all(made, reviewer, {"plain": answers(tone=2)})
    return made


def test_computed_lists_are_paged_as_well(
    campaign: Campaign, project: Project, engineer: User, program_for: ProgramFor
) -> None:
    program = program_for(engineer)
    address = f"projects/{project.slug}/campaigns/{campaign.pk}"
    cases = [(row["item"], row["candidate"]) for row in walk(program, f"{address}/cases/")[0]]
    pages = walk(program, f"{address}/cases/?limit=4")
    assert [len(page) for page in pages] == [4, 2]
    assert [(row["item"], row["candidate"]) for page in pages for row in page] == cases
    answer = program.get(f"{address}/cases/?after=nothing")
    assert "from its start" in problem_in(answer, 400)["message"]
    differences = walk(program, f"{address}/differences/?limit=2")
    assert [len(page) for page in differences] == [2, 2, 2]


def test_a_page_costs_the_same_for_any_number_of_rows(
    project: Project, engineer: User, program_for: ProgramFor
) -> None:
    program = program_for(engineer)

    def cost() -> int:
        with CaptureQueriesContext(connection) as asked:
            assert program.get(f"projects/{project.slug}/jobs/").status_code == 200
        return len(asked)

    make_jobs(project, 1)
    cost()
    one = cost()
    make_jobs(project, 20, start=1)
    assert cost() == one
