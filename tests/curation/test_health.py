"""The health check: a job whose findings stand on a page and in the API."""

from collections.abc import Callable, Iterable

import pytest

from evalapp.accounts.models import Project, User
from evalapp.core.errors import ConflictError
from evalapp.curation.drafts import open_draft
from evalapp.curation.models import Finding, HealthCheck
from evalapp.curation.services import keep_rows, start_check
from evalapp.curation.tasks import check_health
from evalapp.datasets.models import DatasetVersion
from evalapp.datasets.rows import ExampleRow
from evalapp.datasets.services import create_version
from evalapp.jobs.lease import LeaseLost
from evalapp.jobs.services import request_cancel
from evalapp.jobs.work import Work
from tests.api.conftest import problem_in, program_of
from tests.at_once import at_once
from tests.cast import client_of
from tests.curation.conftest import MESSY, checked, row, rows_of

pytestmark = pytest.mark.django_db
Make = Callable[[Iterable[ExampleRow]], DatasetVersion]


def test_each_kind_is_found_with_its_rows(version_of: Make, engineer: User) -> None:
    check = checked(version_of(MESSY), engineer)
    assert rows_of(check, "exact_duplicate") == [3]
    assert rows_of(check, "near_duplicate") == [4]
    assert rows_of(check, "conflict") == [5]
    assert rows_of(check, "personal_data") == [6]
    assert rows_of(check, "broken_answer") == [7, 8]
    assert rows_of(check, "leakage") == [10]
    assert check.counts == {
        "exact_duplicate": 1, "near_duplicate": 1, "conflict": 1, "personal_data": 1, "broken_answer": 2,
        "leakage": 1,
    }  # fmt: skip
    assert "fewer than 50 rows" in check.unchecked["label_issue"]
    leak = check.findings.get(kind="leakage")
    assert leak.evidence == "Row 10 has nearly the same prompt as evaluation row 9."
    assert leak.other_rows == [9]
    personal = check.findings.get(kind="personal_data")
    assert {span["type"] for span in personal.spans} == {"NAME", "EMAIL"}
    assert "Schmidt" not in personal.evidence


def test_a_leak_of_parts_is_told_in_one_sentence(version_of: Make, engineer: User) -> None:
    asked = "which papers does the clinic need before a planned stay of more than three days in the summer"
    rows = [row(f"{asked} and who signs them for a child under the age of six?", "The parents."),
            row(f"Please tell me {asked}", "All of them.", split="test")]  # fmt: skip
    check = checked(version := version_of(rows), engineer)
    said = "Row 1 repeats evaluation row 2 (half or more of its 8-word sequences)."
    assert check.findings.get(kind="leakage").evidence == said
    draft = open_draft(base=version_of([rows[0]]), by=engineer)
    address = f"/projects/{version.dataset.project.slug}/data/{draft.base.dataset_id}/drafts/{draft.pk}/"
    assert "1 row = 1 unchanged" in client_of(engineer).get(address).text


def test_rows_in_two_languages_are_told_that_the_language_was_not_checked(
    version_of: Make, engineer: User
) -> None:
    english = (
        "Your appointment with the doctor was moved to the afternoon of the following Tuesday, number {}."
    )
    german = "Ihr Termin beim Arzt wurde auf den Nachmittag des folgenden Dienstags verschoben, Nummer {}."
    rows = [row(f"Question {number}?", (german if number % 3 == 0 else english).format(number))
            for number in range(30)]  # fmt: skip
    check = checked(version := version_of(rows), engineer)
    assert not rows_of(check, "broken_answer")
    said = (
        "the language of answers was not checked, because no language has 80% of them"
        " (67% in en and 33% in de)."
    )
    assert check.unchecked["broken_answer"] == said
    address = f"/projects/{version.dataset.project.slug}/data/{version.dataset_id}/v1/"
    assert said in client_of(engineer).get(f"{address}health/").text
    assert said[1:] in client_of(engineer).get(f"{address}card/").text
    mixed = checked(version_of([*rows[1:3] * 10, rows[0]]), engineer)
    assert "broken_answer" not in mixed.unchecked and rows_of(mixed, "broken_answer") == [21]


def test_a_check_that_is_repeated_takes_the_place_of_the_one_before(version_of: Make, engineer: User) -> None:
    version = version_of(MESSY)
    first = set(checked(version, engineer).findings.values_list("kind", "example"))
    again = checked(version, engineer)
    assert set(again.findings.values_list("kind", "example")) == first
    assert HealthCheck.objects.filter(version=version).count() == 1


def test_two_checks_at_once_are_refused(version_of: Make, engineer: User) -> None:
    version = version_of(MESSY)
    start_check(version=version, by=engineer)
    with pytest.raises(ConflictError, match="is being checked"):
        start_check(version=version, by=engineer)


@pytest.mark.django_db(transaction=True)
def test_of_many_starts_at_once_one_is_carried_out(version_of: Make, engineer: User) -> None:
    version = version_of(MESSY)
    outcomes = at_once(8, lambda _: start_check(version=version, by=engineer))
    assert sum(isinstance(each, HealthCheck) for each in outcomes) == 1
    assert sum(isinstance(each, ConflictError) for each in outcomes) == 7
    drafts = at_once(8, lambda _: open_draft(base=version, by=engineer))
    assert len({each.pk for each in drafts}) == 1


def test_a_cancelled_check_leaves_what_was_found_before(version_of: Make, engineer: User) -> None:
    version = version_of(MESSY)
    found = checked(version, engineer).findings.count()
    check = start_check(version=version, by=engineer)
    assert check.job is not None
    request_cancel(job=check.job, by=engineer)
    check_health(check.job.pk)
    assert Finding.objects.filter(health_check=check).count() == found
    assert checked(version, engineer).findings.count() == found


def test_a_check_that_another_attempt_took_over_writes_nothing(
    version_of: Make, engineer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a kill: the first attempt comes to its end when the second has begun."""
    version = version_of(MESSY)
    start_check(version=version, by=engineer)
    with monkeypatch.context() as lost:
        lost.setattr("evalapp.jobs.work.Work.fence", _lost)
        check = HealthCheck.objects.get(version=version)
        assert check.job is not None
        check_health(check.job.pk)
    assert not Finding.objects.exists()
    check.refresh_from_db()
    assert check.checked_at is None
    HealthCheck.objects.update(job=None)
    assert checked(version, engineer).findings.count() == 7


def _lost(work: Work) -> None:
    raise LeaseLost


def test_a_kept_row_stays_kept_in_the_next_version_while_its_content_is_the_same(
    version_of: Make, engineer: User
) -> None:
    version = version_of(MESSY)
    check = checked(version, engineer)
    chosen = list(check.findings.filter(kind__in=["conflict", "personal_data"]).values_list("pk", flat=True))
    assert keep_rows(check=check, findings=chosen, is_kept=True, by=engineer) == 2
    changed = [
        *MESSY[:5],
        row("My name is Anna Schmidt. Who pays now?", "Dear Anna Schmidt, we do."),
        *MESSY[6:],
    ]
    later = create_version(dataset=version.dataset, rows=changed, by=engineer, parent=version)
    kept = checked(later, engineer).findings.filter(is_kept=True)
    assert [(each.kind, each.kept_by) for each in kept] == [("conflict", engineer)]


def test_the_page_starts_a_check_and_shows_what_it_found(version_of: Make, engineer: User) -> None:
    version = version_of(MESSY)
    address = f"/projects/{version.dataset.project.slug}/data/{version.dataset_id}/v1/health/"
    browser = client_of(engineer)
    assert "have not been checked yet" in browser.get(address).text
    assert browser.get(f"{address}conflict/").status_code == 404
    browser.post(address)
    check = HealthCheck.objects.get(version=version)
    assert check.job is not None
    check_health(check.job.pk)
    page = browser.get(address).text
    assert "Conflicting answers" in page and "Nothing found: scored low by reviewers, thin coverage." in page
    found = browser.get(f"{address}personal_data/").text
    assert '<mark title="name">Anna Schmidt</mark>' in found
    assert browser.get(f"{address}odd/").status_code == 404


def test_the_chosen_are_kept_and_the_open_are_applied(version_of: Make, engineer: User) -> None:
    version = version_of(MESSY)
    check = checked(version, engineer)
    browser = client_of(engineer)
    address = f"/projects/{version.dataset.project.slug}/data/{version.dataset_id}/v1/health/"
    nothing = browser.post(f"{address}broken_answer/", {"action": "keep"}, follow=True).text
    assert "Choose at least one row first." in nothing
    chosen = check.findings.get(kind="broken_answer", example__row_number=7).pk
    assert (
        "1 row kept."
        in browser.post(f"{address}broken_answer/", {"action": "keep", "finding": chosen}, follow=True).text
    )
    told = browser.post(f"{address}broken_answer/", {"action": "apply-all"}, follow=True).text
    assert "1 row put into the draft." in told
    draft = version.drafts.get()
    assert [(edit.example.row_number, edit.operation) for edit in draft.edits.all()] == [(8, "drop")]
    decide = browser.post(f"{address}conflict/", {"action": "apply-all"}, follow=True).text
    assert "1 row needs your decision" in decide


def test_programs_check_and_read_findings(version_of: Make, engineer: User, reviewer: User) -> None:
    version = version_of(MESSY)
    path = f"projects/{version.dataset.project.slug}/datasets/{version.dataset_id}/versions/1/health/"
    program = program_of(engineer)
    assert program.get(path).json()["state"] == "unchecked"
    assert "not been checked" in problem_in(program.get(f"{path}findings/"), 404)["message"]
    started = program.post(path)
    assert started.status_code == 202 and started.json()["state"] == "queued"
    problem_in(program.post(path), 409)
    check_health(started.json()["job"]["id"])
    told = program.get(path).json()
    assert told["state"] == "succeeded"
    assert {each["kind"]: each["count"] for each in told["findings"]}["broken_answer"] == 2
    assert next(each["kind"] for each in told["findings"]) == "leakage"
    near = program.get(f"{path}findings/?kind=near_duplicate").json()["results"]
    assert [(each["row_number"], each["other_row_numbers"], each["proposal"]) for each in near] == [
        (4, [2], "merge")
    ]
    ids = [each["id"] for each in near]
    assert program.patch(f"{path}findings/", {"findings": ids}).json() == {"changed": 1}
    assert program.get(f"{path}findings/?kind=near_duplicate&show=open").json()["results"] == []
    problem_in(program_of(reviewer).post(path), 403)
    problem_in(program.get(f"{path}findings/?kind=odd"), 400)


def test_a_foreign_version_is_not_there(version_of: Make, engineer: User, other_project: Project) -> None:
    version = version_of(MESSY)
    path = f"projects/{other_project.slug}/datasets/{version.dataset_id}/versions/1/health/"
    problem_in(program_of(engineer).get(path), 404)
