"""A large body is refused before anything reads it, unless somebody who has signed in sends it where imports
go.
"""

from io import BytesIO
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.test import Client
from django.urls import URLPattern, get_resolver, reverse

from evalapp.accounts.models import Project, User
from evalapp.datasets.services import create_dataset
from evalapp.web_protocol import BODY_ANNOUNCED, BODY_WANTED, UNASKED_BODY_BYTES
from tests.api.conftest import problem_in, program_of
from tests.cast import client_of

pytestmark = pytest.mark.django_db

IN_MEMORY = 3 * UNASKED_BODY_BYTES
FORM = "multipart/form-data; boundary=edge"


class Unread(BytesIO):
    """A body that nobody may read."""

    def read(self, size: int | None = -1) -> bytes:
        raise AssertionError("read")

    readline = read


@pytest.fixture(autouse=True)
def _small_memory(settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = IN_MEMORY


def announce(path: str, length: int, kind: str = FORM, *, by: User | None = None, token: str = "") -> Any:
    """The answer to a body that has not come; `is_wanted` says whether it may."""
    named = {"HTTP_AUTHORIZATION": f"Bearer {token}"} if token else {}
    named |= {"CONTENT_LENGTH": str(length), "CONTENT_TYPE": kind}
    environ = {"wsgi.input": Unread(), BODY_ANNOUNCED: True, **named}
    answer = client_of(by).generic("POST", path, b"", kind, **environ)
    answer.is_wanted = answer.wsgi_request.META.get(BODY_WANTED, False)
    return answer


@pytest.mark.parametrize("kind", [FORM, "application/x-www-form-urlencoded", "application/json", ""])
@pytest.mark.parametrize(
    "path", ["/accounts/login/", "/", "/healthz", "/nowhere/", "/projects/x/datasets/1/upload/"]
)
def test_nobody_signed_in_sends_more_than_a_form(path: str, kind: str) -> None:
    answer = announce(path, UNASKED_BODY_BYTES + 1, kind)
    assert (answer.status_code, answer.is_wanted) == (413, False)
    assert "Sign in first" in answer.text and "<html" in answer.text
    # The same from a server that does not ask first.
    answer = Client().generic("POST", path, b"x" * (UNASKED_BODY_BYTES + 1), kind)
    assert answer.status_code == 413


def test_a_session_that_has_ended_is_nobody(owner: User) -> None:
    client = client_of(owner)
    client.session.flush()
    answer = client.generic("POST", "/", b"x" * (UNASKED_BODY_BYTES + 1), FORM)
    assert answer.status_code == 413


@pytest.mark.parametrize("token", ["", "eva_wrong"])
def test_a_program_without_a_valid_token_is_refused_unread(project: Project, token: str) -> None:
    answer = announce(f"/api/v1/projects/{project.slug}/datasets/", 10**10, token=token)
    assert not answer.is_wanted
    problem_in(answer, 401)


@pytest.mark.parametrize(("length", "is_wanted"), [(IN_MEMORY, True), (IN_MEMORY + 1, False)])
def test_who_has_signed_in_sends_what_fits_into_memory(
    owner: User, project: Project, length: int, is_wanted: bool
) -> None:
    expected = (204, True) if is_wanted else (413, False)
    answer = announce(f"/projects/{project.slug}/campaigns/rubrics/new/", length, by=owner)
    assert (answer.status_code, answer.is_wanted) == expected
    token = program_of(owner).secret
    answer = announce(f"/api/v1/projects/{project.slug}/datasets/", length, "application/json", token=token)
    assert (answer.status_code, answer.is_wanted) == expected
    assert is_wanted or problem_in(answer, 413)


def test_imports_may_be_large(owner: User, project: Project) -> None:
    dataset = create_dataset(project=project, name="Rows", by=owner)
    most = django_settings.IMPORT_MAX_BYTES
    page = reverse("dataset_upload", args=[project.slug, dataset.pk])
    assert announce(page, most, by=owner).is_wanted
    assert announce(page, most + 1, by=owner).status_code == 413
    # Only files: what is no form would have to fit into memory.
    assert announce(page, most, "application/json", by=owner).status_code == 413
    api = reverse("api_imports", args=[project.slug, dataset.pk])
    token = program_of(owner).secret
    assert announce(api, most, token=token).is_wanted
    problem_in(announce(api, most + 1, token=token), 413)


def test_a_large_import_is_received_only_from_who_may_import_there(
    owner: User, reviewer: User, project: Project, other_project: Project
) -> None:
    for project_asked, person, status in ((project, reviewer, 403), (other_project, owner, 404)):
        dataset = create_dataset(project=project_asked, name="Rows", by=None)
        page = reverse("dataset_upload", args=[project_asked.slug, dataset.pk])
        answer = announce(page, 10**9, by=person)
        assert (answer.status_code, answer.is_wanted) == (status, False)
        api = reverse("api_imports", args=[project_asked.slug, dataset.pk])
        answer = announce(api, 10**9, token=program_of(person).secret)
        problem_in(answer, status)
        assert not answer.is_wanted


def test_a_program_over_the_limit_is_told_in_json(owner: User, project: Project) -> None:
    content = b"x" * (IN_MEMORY + 1)
    answer = program_of(owner).ask("POST", f"projects/{project.slug}/datasets/", content)
    assert problem_in(answer, 413)["code"] == "too_large"


def _patterns(resolver: Any) -> list[URLPattern]:
    found: list[URLPattern] = []
    for each in resolver.url_patterns:
        found += [each] if isinstance(each, URLPattern) else _patterns(each)
    return found


def test_the_addresses_that_take_imports_are_these() -> None:
    """One more is a decision: what it takes is written to the disk before its view has looked at anything."""
    named = {
        str(pattern.name)
        for pattern in _patterns(get_resolver())
        if hasattr(pattern.callback, "takes_imports")
    }
    assert named == {
        *("dataset_upload", "ratings_upload", "run_new", "stream_import", "model_new"),
        *("external_metric", "campaign_checks"),
        *("api_imports", "api_ratings_imports", "api_run_upload", "api_model_adapter_upload"),
        "api_external_score_file",
    }
