import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from evalapp.accounts.models import Project, User
from evalapp.registry.models import ModelKind, ModelVersion
from evalapp.registry.services import register_imported
from tests.form_addresses import model_form
from tests.registry.handmade import make_adapter_folder, make_base_folder

ClientFor = Callable[[User | None], Client]
SOURCES = ["base", "hub", "adapter", "prompt", "endpoint", "imported"]


@pytest.mark.parametrize("source", SOURCES)
def test_who_may_register(
    source: str, project: Project, engineer: User, reviewer: User, stranger: User, client_for: ClientFor
) -> None:
    people = {engineer: 200, reviewer: 403, stranger: 404, None: 302}
    address = model_form(project, source)
    assert {person: client_for(person).get(address).status_code for person in people} == people
    refused = {reviewer: 403, stranger: 404, None: 302}
    assert {person: client_for(person).post(address).status_code for person in refused} == refused


def test_who_may_see_models_and_set_an_alias(
    base: ModelVersion,
    project: Project,
    engineer: User,
    reviewer: User,
    stranger: User,
    client_for: ClientFor,
) -> None:
    people = {engineer: 200, reviewer: 403, stranger: 404, None: 302}
    for address in (
        reverse("model_list", args=[project.slug]),
        reverse("model_version", args=[project.slug, base.pk]),
    ):
        assert {person: client_for(person).get(address).status_code for person in people} == people
    alias = reverse("model_alias", args=[project.slug, base.pk])
    people = {engineer: 302, reviewer: 403, stranger: 404, None: 302}
    assert {person: client_for(person).post(alias).status_code for person in people} == people


def test_a_version_of_another_project_is_not_there(
    base: ModelVersion, other_project: Project, stranger: User, client_for: ClientFor
) -> None:
    client = client_for(stranger)
    assert client.get(reverse("model_version", args=[other_project.slug, base.pk])).status_code == 404
    assert client.post(reverse("model_alias", args=[other_project.slug, base.pk])).status_code == 404
    form = {"base": base.pk, "label": "Stolen", "system_prompt": "Hello"}
    answer = client.post(model_form(other_project, "prompt"), form)
    assert answer.status_code == 400
    assert not ModelVersion.objects.filter(kind=ModelKind.PROMPT).exists()


def test_a_base_is_chosen_from_what_lies_in_the_allowed_folders(
    project: Project, engineer: User, model_folders: Path, tmp_path: Path, client_for: ClientFor
) -> None:
    folder = make_base_folder(model_folders / "family" / "small")
    client = client_for(engineer)
    address = model_form(project, "base")
    assert "family/small" in client.get(address).content.decode()

    answer = client.post(address, {"folder": str(folder), "name": "Small"}, follow=True)
    assert "Registered “Base”." in answer.content.decode()

    outside = make_base_folder(tmp_path / "elsewhere")
    answer = client.post(address, {"folder": str(outside), "name": "Other"})
    assert answer.status_code == 400
    assert ModelVersion.objects.count() == 1


def test_a_prompt_is_previewed_without_being_stored(
    base: ModelVersion, project: Project, engineer: User, client_for: ClientFor
) -> None:
    form = {
        "base": base.pk,
        "label": "Plain",
        "system_prompt": "Use <b>plain</b> words.",
        "prompt_template": "Task: {prompt}!",
        "sample": "Summarise this.",
        "preview": "1",
    }
    page = client_for(engineer).post(model_form(project, "prompt"), form).content.decode()
    assert "Task: Summarise this.!" in page
    assert "Use &lt;b&gt;plain&lt;/b&gt; words." in page
    assert not ModelVersion.objects.filter(kind=ModelKind.PROMPT).exists()

    del form["preview"]
    client_for(engineer).post(model_form(project, "prompt"), form)
    assert ModelVersion.objects.get(kind=ModelKind.PROMPT).prompt_template == "Task: {prompt}!"


def test_a_template_without_its_place_is_told_beside_the_field(
    base: ModelVersion, project: Project, engineer: User, client_for: ClientFor
) -> None:
    form = {"base": base.pk, "label": "Plain", "prompt_template": "No place"}
    page = client_for(engineer).post(model_form(project, "prompt"), form)
    assert page.status_code == 400
    assert "exactly once" in page.content.decode()


def test_an_adapter_comes_as_a_zip(
    base: ModelVersion, project: Project, engineer: User, tmp_path: Path, client_for: ClientFor
) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path in make_adapter_folder(tmp_path / "adapter").iterdir():
            archive.write(path, path.name)
    client = client_for(engineer)
    address = model_form(project, "adapter")
    upload = SimpleUploadedFile("adapter.zip", packed.getvalue())
    answer = client.post(address, {"base": base.pk, "label": "v1", "archive": upload}, follow=True)
    assert "Registered “v1”." in answer.content.decode()

    bad = client.post(
        address, {"base": base.pk, "label": "v2", "archive": SimpleUploadedFile("x.zip", b"nothing")}
    )
    assert bad.status_code == 400
    assert "not a whole zip" in bad.content.decode()
    neither = client.post(address, {"base": base.pk, "label": "v2"})
    assert "not both" in neither.content.decode()


@pytest.mark.parametrize("models", [1, 3])
def test_the_list_costs_the_same_for_any_number(
    models: int,
    base: ModelVersion,
    project: Project,
    engineer: User,
    client_for: ClientFor,
    django_assert_max_num_queries,
) -> None:
    for number in range(models):
        register_imported(project=project, label=f"Answers {number}", by=engineer)
    client = client_for(engineer)
    with django_assert_max_num_queries(8):
        page = client.get(reverse("model_list", args=[project.slug])).content.decode()
    assert [f"Answers {number}" in page for number in range(models)] == [True] * models


def test_an_empty_list_leads_to_the_first_base(
    project: Project, engineer: User, client_for: ClientFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whether the machine that runs the tests has the model libraries or not.
    monkeypatch.setattr("evalapp.runs.programs.model_programs.why_not_runnable", lambda: "")
    page = client_for(engineer).get(reverse("model_list", args=[project.slug])).content.decode()
    assert "Register a base model first" in page
    assert model_form(project, "base") in page


def test_an_alias_is_set_from_the_version_page(
    base: ModelVersion, project: Project, manager: User, client_for: ClientFor
) -> None:
    address = reverse("model_alias", args=[project.slug, base.pk])
    client_for(manager).post(address, {"alias": "champion"})
    assert ModelVersion.objects.get(pk=base.pk).alias == "champion"
    assert client_for(manager).post(address, {"alias": "emperor"}).status_code == 400


def test_without_the_model_programs_the_way_in_is_answers_made_elsewhere(
    project: Project, engineer: User, client_for: ClientFor, settings: object, tmp_path: Path
) -> None:
    settings.MODEL_PYTHON = str(tmp_path / "none")  # type: ignore[attr-defined]
    browser = client_for(engineer)
    first = browser.get(reverse("project_home", args=[project.slug])).text
    models = browser.get(reverse("model_list", args=[project.slug])).text
    assert "their answers to the dataset, generated here or imported" in first
    assert "Start with imported outputs" in models and "Register a base model first" not in models
    assert "EVALAPP_MODEL_PYTHON" in models
