"""A model folder without a chat template is given one; architectures that no program knows are refused."""

import json
import sys
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from evalapp.accounts.models import Project, User
from evalapp.core.errors import InvalidError
from evalapp.registry.architectures import why_unknown
from evalapp.registry.chat_templates import checked_template
from evalapp.registry.models import ModelVersion
from evalapp.registry.services import register_base
from run_directory.bases import check_base
from tests.form_addresses import model_form
from tests.registry.handmade import make_adapter_folder, make_base_folder
from tests.registry.test_views import ClientFor

TEMPLATE = "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}\n{% endfor %}"


def test_a_folder_without_a_template_says_how_to_give_one_and_takes_it_with_the_registration(
    project: Project, engineer: User, model_folders: Path, client_for: ClientFor
) -> None:
    folder = make_base_folder(model_folders / "bare")
    (folder / "chat_template.jinja").unlink()
    address = model_form(project, "base")
    browser = client_for(engineer)
    refused = browser.post(address, {"folder": str(folder), "name": "Bare"})
    assert refused.status_code == 400
    assert "has no chat template" in refused.text
    assert "add the template that the model was tuned with, as a file chat_template.jinja" in refused.text
    assert 'name="template_file"' in refused.text

    upload = SimpleUploadedFile("chat_template.jinja", TEMPLATE.encode())
    answer = browser.post(
        address, {"folder": str(folder), "name": "Bare", "template_file": upload}, follow=True
    )
    assert "Registered “Base”." in answer.text
    version = ModelVersion.objects.get()
    assert check_base(version.path).chat_template == TEMPLATE
    assert version.config["gave_template"] is True
    # The model's own folder stays as it is, and its files where they are.
    assert sorted(path.name for path in folder.iterdir()) == [
        "config.json",
        "model.safetensors",
        "tokenizer.json",
    ]
    assert (Path(version.path) / "model.safetensors").resolve() == (folder / "model.safetensors").resolve()


def test_a_given_template_takes_the_place_of_the_models_own(
    project: Project, engineer: User, model_folders: Path
) -> None:
    folder = make_base_folder(model_folders / "small")
    version = register_base(project=project, name="A", folder=folder, chat_template=TEMPLATE, by=engineer)
    plain = register_base(project=project, name="B", folder=folder, by=engineer)
    assert version.config["chat_template_sha256"] != plain.config["chat_template_sha256"]
    assert version.content_hash == plain.content_hash
    again = register_base(project=project, name="C", folder=folder, chat_template=TEMPLATE, by=engineer)
    assert again.path == version.path


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{% for message in messages %}", "line 1"),
        ("Hello!", "does not use “messages”"),
        ("{{ messages }}\x00", "has a NUL"),
        ("{{ messages }}" + "x" * 200_000, "more than 200,000 characters"),
    ],
)
def test_what_is_no_template_is_refused_with_its_place(text: str, said: str) -> None:
    with pytest.raises(InvalidError, match=said) as caught:
        checked_template(text)
    assert list(caught.value.fields) == ["chat_template"]


def test_templates_as_models_ship_them_are_read_and_never_carried_out() -> None:
    marked = (
        "{%- for m in messages %}{% generation %}{{ m.content }}{% endgeneration %}{% break %}{% endfor %}"
    )
    assert checked_template(marked) == marked
    assert checked_template("  ") == ""
    harmful = "{{ messages.__class__.__mro__ }}{{ raise_exception('x') }}"
    assert checked_template(harmful) == harmful


def test_an_architecture_that_the_library_does_not_know_is_refused_at_the_registration(
    project: Project, engineer: User, model_folders: Path, client_for: ClientFor, settings
) -> None:
    settings.MODEL_PYTHON = Path(sys.executable)
    folder = make_base_folder(model_folders / "odd")
    (folder / "config.json").write_text(
        json.dumps({"model_type": "ours_alone", "max_position_embeddings": 512})
    )
    answer = client_for(engineer).post(model_form(project, "base"), {"folder": str(folder), "name": "Odd"})
    assert answer.status_code == 400
    assert "model_type is “ours_alone”, for which the installed transformers library" in answer.text
    assert not ModelVersion.objects.exists()


def test_known_architectures_and_unknown_interpreters_are_let_pass(settings, tmp_path: Path) -> None:
    settings.MODEL_PYTHON = Path(sys.executable)
    assert [why_unknown(name) for name in ("llama", "qwen3", "gpt2", "mistral")] == [""] * 4
    assert why_unknown("clip") != ""
    settings.MODEL_PYTHON = tmp_path / "none"
    assert why_unknown("ours_alone") == ""


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (
            lambda folder: (folder / "tokenizer.json").unlink(),
            "has no tokenizer (tokenizer.json, tokenizer.model",
        ),
        (
            lambda folder: (folder / "model.safetensors").rename(folder / "pytorch_model.bin"),
            "has its weights as a pickle",
        ),
    ],
)
def test_other_folders_that_cannot_be_used_say_why_on_the_page(
    project: Project, engineer: User, model_folders: Path, client_for: ClientFor, make, said: str
) -> None:
    folder = make_base_folder(model_folders / "bad")
    make(folder)
    answer = client_for(engineer).post(model_form(project, "base"), {"folder": str(folder), "name": "Bad"})
    assert answer.status_code == 400
    assert said in answer.text.replace("&#x27;", "'")
    assert not ModelVersion.objects.exists()


def test_an_adapter_of_another_base_is_refused_on_the_page(
    project: Project, engineer: User, base: ModelVersion, model_folders: Path, client_for: ClientFor
) -> None:
    folder = make_adapter_folder(model_folders / "adapter", width=16)
    form = {"base": base.pk, "label": "v1", "folder": str(folder)}
    answer = client_for(engineer).post(model_form(project, "adapter"), form)
    assert answer.status_code == 400
    assert "it was trained on another base" in answer.text
    assert ModelVersion.objects.count() == 1
