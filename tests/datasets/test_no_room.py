"""An upload that the server cannot write: whoever sent it is told why, on the page and by the API."""

import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart

from evalapp.accounts.models import Project, User
from evalapp.datasets.models import Dataset, DatasetImport
from tests.api.conftest import Program, problem_in, program_of
from tests.datasets.files import questions, upload
from tests.form_addresses import model_form, run_form
from tests.registry.conftest import base, model_folders

__all__ = ["base", "model_folders"]

SMALL, LARGE = 3, 40_000
"""Rows: a small file is written at its end, one over a megabyte while it arrives."""


@contextmanager
def no_file_grows() -> Iterator[None]:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@contextmanager
def uploads_is_a_file(uploads: Path) -> Iterator[None]:
    uploads.rename(uploads.with_name("moved"))
    uploads.write_text("")
    yield


def sent(program: Program, path: str, fields: dict[str, Any]) -> Any:
    return program.ask("POST", path, encode_multipart(BOUNDARY, fields), content_type=MULTIPART_CONTENT)


@pytest.fixture
def client(engineer: User, client_for: Callable[[User | None], Client]) -> Client:
    browser = client_for(engineer)
    browser.raise_request_exception = False
    return browser


@pytest.mark.parametrize("rows", [SMALL, LARGE])
def test_no_room_for_a_dataset(
    dataset: Dataset, engineer: User, client: Client, uploads: Path, rows: int
) -> None:
    content = questions(range(rows))
    slug = dataset.project.slug
    program = program_of(engineer)
    with no_file_grows():
        page = client.post(f"/projects/{slug}/data/{dataset.pk}/upload/", {"file": upload(content)})
        answer = sent(program, f"projects/{slug}/datasets/{dataset.pk}/imports/", {"file": upload(content)})

    assert page.status_code == 507
    assert "disk is full, so nothing was stored." in page.text
    problem = problem_in(answer, 507)
    assert (problem["code"], "free space in EVALAPP_HOME" in problem["message"]) == ("no_room", True)
    assert not DatasetImport.objects.exists()
    # While whoever refused them is still at hand, as in a server: what is left would refuse the next one too.
    assert list(uploads.iterdir()) == []


@pytest.mark.parametrize("rows", [SMALL, LARGE])
def test_an_uploads_folder_that_is_none(
    dataset: Dataset, engineer: User, client: Client, uploads: Path, rows: int
) -> None:
    content = questions(range(rows))
    slug = dataset.project.slug
    with uploads_is_a_file(uploads):
        page = client.post(f"/projects/{slug}/data/{dataset.pk}/upload/", {"file": upload(content)})
        imports = f"projects/{slug}/datasets/{dataset.pk}/imports/"
        answer = sent(program_of(engineer), imports, {"file": upload(content)})

    assert page.status_code == 507
    assert f"The server cannot write to its folder {uploads}" in page.text
    problem = problem_in(answer, 507)
    assert (problem["code"], str(uploads) in problem["message"]) == ("folder_unusable", True)


@pytest.mark.parametrize("is_unusable", [False, True])
@pytest.mark.usefixtures("base")
def test_no_room_for_a_model_or_for_answers(
    project: Project, engineer: User, client: Client, uploads: Path, is_unusable: bool
) -> None:
    # A page's form is read before its view is reached, while the form's token is looked for.
    client.handler.enforce_csrf_checks = True
    content = questions(range(LARGE))
    program = program_of(engineer)
    with uploads_is_a_file(uploads) if is_unusable else no_file_grows():
        for path, name in (
            (model_form(project, "adapter"), "archive"),
            (run_form(project, "import"), "file"),
        ):
            client.get(path)
            form = {"csrfmiddlewaretoken": client.cookies["csrftoken"].value, name: upload(content)}
            page = client.post(path, form)
            assert page.status_code == 507, path
            assert "so nothing was stored" in page.text
        for path, name in (("models/adapter/upload", "archive"), ("runs/outputs/upload", "file")):
            answer = sent(program, f"projects/{project.slug}/{path}/", {name: upload(content)})
            problem_in(answer, 507)
