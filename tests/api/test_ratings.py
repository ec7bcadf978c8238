"""Imports of ratings by programs."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart

from evalapp.accounts.models import Project, User
from evalapp.ratings.tasks import import_ratings
from tests.api.conftest import Program, problem_in
from tests.ratings.files import json_lines, rating, ratings, table


@pytest.fixture(autouse=True)
def uploads(settings: object, tmp_path: Path) -> Path:
    settings.FILE_UPLOAD_TEMP_DIR = str(tmp_path)  # type: ignore[attr-defined]
    return tmp_path


def sent(program: Program, project: Project, content: bytes, name: str = "spring.csv") -> Any:
    body = encode_multipart(BOUNDARY, {"file": SimpleUploadedFile(name, content)})
    path = f"projects/{project.slug}/ratings-imports/"
    return program.ask("POST", path, body, content_type=MULTIPART_CONTENT)


def work_off(project: Project) -> None:
    import_ratings(project.ratings_imports.latest("pk").job_id)  # type: ignore[arg-type]


def test_a_program_uploads_checks_and_imports(
    program_for: Callable[[User | None], Program], project: Project, manager: User
) -> None:
    program = program_for(manager)
    answer = sent(program, project, ratings())
    assert answer.status_code == 201, answer.content
    body = answer.json()
    assert body["options"]["file_format"] == "csv"
    path = f"projects/{project.slug}/ratings-imports/{body['id']}/"

    assert program.post(f"{path}check/", {}).status_code == 202
    work_off(project)
    checked = program.get(path).json()
    assert (checked["records_read"], checked["records_refused"], checked["campaign"]) == (16, 0, None)
    assert [c["name"] for c in checked["census"]["criteria"]] == ["Accuracy", "Tone"]

    started = program.post(f"{path}start/", {"name": "By program", "reviewers": {"Mara": manager.pk}})
    assert started.status_code == 202, started.content
    work_off(project)
    done = program.get(path).json()
    assert (done["records_imported"], done["job"]["state"]) == (16, "succeeded")
    campaign = project.campaigns.get(pk=done["campaign"])
    assert campaign.name == "By program"

    assert problem_in(sent(program, project, ratings(), "again.csv"), 409)["code"] == "same_file"
    assert problem_in(program.ask("DELETE", path), 409)
    listed = program.get(f"projects/{project.slug}/ratings-imports/").json()
    assert [each["id"] for each in listed["results"]] == [body["id"]]
    tasks = program.get(f"projects/{project.slug}/campaigns/{campaign.pk}/label-studio/tasks/")
    assert len(json.loads(b"".join(tasks.streaming_content))) == 4
    config = program.get(f"projects/{project.slug}/campaigns/{campaign.pk}/label-studio/config/")
    assert config.content.startswith(b"<View>")


def test_problems_are_listed_and_bad_options_refused(
    program_for: Callable[[User | None], Program], project: Project, manager: User
) -> None:
    program = program_for(manager)
    body = sent(program, project, table(rating(), rating())).json()
    path = f"projects/{project.slug}/ratings-imports/{body['id']}/"

    bad = {"mapping": {"item": "item"}, "name": " "}
    assert set(problem_in(program.post(f"{path}start/", bad), 400)["fields"]) <= {"mapping", "name"}
    unknown = problem_in(program.post(f"{path}start/", {"rubric": 1}), 400)
    assert set(unknown["fields"]) == {"rubric"}
    program.post(f"{path}start/", {"rubric_version": 999_999})
    work_off(project)
    assert "no such rubric version" in program.get(path).json()["job"]["error"]

    program.post(f"{path}start/", {"rubric_version": None})
    work_off(project)
    problems = program.get(f"{path}problems/").json()["results"]
    assert [(each["row"], each["field"], each["is_refusal"]) for each in problems] == [(3, "Accuracy", True)]
    assert program.ask("DELETE", path).status_code == 204


def test_a_program_says_on_which_scales_lower_is_better(
    program_for: Callable[[User | None], Program], project: Project, manager: User
) -> None:
    program = program_for(manager)
    line = {
        "id": "a",
        "question": "Why?",
        "outputs": {"base": "Because.", "tuned": "So."},
        "reviews": [
            {"system": system, "reviewer": "Mara", "errors": errors, "ranks": {"style": rank}}
            for system, errors, rank in (("base", 4, 1), ("tuned", 2, 2))
        ],
    }
    body = sent(program, project, json_lines(line), "nested.jsonl").json()
    path = f"projects/{project.slug}/ratings-imports/{body['id']}/"
    for wrong in ("yes", 1, None):
        bad = problem_in(
            program.post(f"{path}start/", {"criteria": {"errors": {"lower_is_better": wrong}}}), 400
        )
        assert "true or false" in bad["fields"]["criteria"][0]
    program.post(f"{path}start/", {"criteria": {"errors": {"kind": "text", "lower_is_better": True}}})
    work_off(project)
    assert "“Lower is better” is for scales only" in program.get(path).json()["job"]["error"]

    criteria = {"errors": {"lower_is_better": True}, "ranks: style": {"lower_is_better": False}}
    assert program.post(f"{path}start/", {"criteria": criteria}).status_code == 202
    work_off(project)
    campaign = project.campaigns.get(pk=program.get(path).json()["campaign"])
    found = campaign.rubric_version.criteria.values_list("name", "lower_is_better", "weight")
    assert sorted(found) == [("errors", True, 0), ("ranks: style", False, 1)]


def test_what_is_no_file_of_ratings_is_refused(
    program_for: Callable[[User | None], Program], project: Project, manager: User
) -> None:
    answer = sent(program_for(manager), project, b"PK\x03\x04", "ratings.xlsx")
    assert set(problem_in(answer, 400)["fields"]) == {"file"}
