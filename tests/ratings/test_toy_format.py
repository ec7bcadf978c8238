"""A format of ratings is one module and one line: what a new one is found in without another."""

from collections.abc import Callable

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from drf_spectacular.generators import SchemaGenerator

from evalapp.accounts.models import Project, User
from evalapp.ratings import formats
from tests.api.conftest import Program, program_for
from tests.api.test_ratings import sent
from tests.ratings.files import json_lines
from tests.ratings.test_views import post_form, work_off
from tests.ratings.toy_format import WITH_IT

__all__ = ["program_for"]
ClientFor = Callable[[User | None], Client]
PEOPLE = {"Mara": 1, "Ole": 0}


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "FORMATS", WITH_IT)


def stars(items: int = 4) -> bytes:
    """Mara gives 3 or 4 stars to "base" and one more to "tuned", Ole one less."""
    return json_lines(
        *(
            {
                "ask": f"Question {item}?",
                "said": {"base": f"Base {item}.", "tuned": f"Tuned {item}."},
                "stars": {
                    person: {"base": 2 + item % 2 + more, "tuned": 3 + item % 2 + more}
                    for person, more in PEOPLE.items()
                },
            }
            for item in range(items)
        )
    )


def test_it_is_on_the_form_previewed_imported_and_in_the_results(
    project: Project, manager: User, client_for: ClientFor
) -> None:
    office = client_for(manager)
    upload = reverse("ratings_upload", args=[project.slug])
    form = office.get(upload).content.decode()
    assert "Stars, a question a line" in form
    assert "&quot;ask&quot;: &quot;What is due?&quot;" in form and "Press Export in the star counter." in form

    page = office.post(upload, {"file": SimpleUploadedFile("stars.jsonl", stars())})["Location"]
    preview = office.get(page).content.decode()
    assert "Stars, a question a line" in preview
    assert "<td>tuned</td><td>Mara</td>" in preview and "Stars 4" in preview

    assert post_form(office, page, "check").status_code == 302
    work_off(project)
    assert post_form(office, page, "start", name="Counted").status_code == 302
    work_off(project)
    assert "16 of 16 records were imported as" in office.get(page).content.decode()

    campaign = project.campaigns.get()
    results = office.get(reverse("who_is_better", args=[project.slug, campaign.pk])).content.decode()
    assert "Stars" in results
    assert "3.00" in results and "4.00" in results


def test_what_it_refuses_is_told_with_its_place(
    project: Project, manager: User, client_for: ClientFor
) -> None:
    office = client_for(manager)
    silent = {"ask": "Why?", "said": {"base": "So."}, "stars": {"Mara": {"tuned": 3}}}
    content = stars(2) + json_lines(silent, {"ask": "", "said": {}, "stars": {}})
    upload = reverse("ratings_upload", args=[project.slug])
    page = office.post(upload, {"file": SimpleUploadedFile("stars.jsonl", content)})["Location"]
    post_form(office, page, "check")
    work_off(project)
    told = office.get(page).content.decode()
    assert "“tuned” said nothing." in told and "<code>stars.Mara</code>" in told
    assert "<code>prompt</code>" in told


def test_the_api_names_it_and_its_schema_offers_it(
    project: Project, manager: User, program_for: Callable[[User | None], Program]
) -> None:
    schema = SchemaGenerator().get_schema(request=None, public=True)
    field = schema["components"]["schemas"]["RatingsImportBody"]["properties"]["file_format"]
    (reference,) = field["allOf"]
    named = schema["components"]["schemas"][reference["$ref"].rsplit("/", 1)[1]]["enum"]
    assert named == ["stars", "csv", "label_studio", "argilla", "nested", "flat"]

    answer = sent(program_for(manager), project, stars(), "stars.jsonl")
    assert (answer.status_code, answer.json()["file_format"]) == (201, "stars")
