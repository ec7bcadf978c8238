import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from evalapp.accounts.models import Project, User
from evalapp.accounts.tokens import create_api_token
from evalapp.registry.services import register_base
from tests.api.conftest import Program, problem_in
from tests.registry.handmade import make_adapter_folder, make_base_folder


def test_a_folder_whose_name_is_no_utf_8_hides_no_other(
    project: Project, engineer: User, tmp_path: Path, settings, program_for: Callable[[User], Program]
) -> None:
    settings.MODEL_FOLDERS = (tmp_path,)
    settings.BUNDLED_MODEL_FOLDER = tmp_path / "bundled"
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9")
    make_base_folder(Path(odd))
    make_adapter_folder(Path(odd) / "adapter")
    make_base_folder(tmp_path / "small")

    answer = program_for(engineer).get(f"projects/{project.slug}/models/folders/")

    assert answer.status_code == 200
    assert answer.json() == {
        "bases": [{"path": str(tmp_path / "small"), "label": "small"}],
        "adapters": [],
    }


def test_weights_that_the_base_has_no_use_for_are_a_problem_of_the_archive(
    project: Project, engineer: User, tmp_path: Path, settings
) -> None:
    settings.MODEL_FOLDERS = (tmp_path,)
    settings.ARTIFACTS_FOLDER = tmp_path / "artifacts"
    base = register_base(
        project=project, name="Small", folder=make_base_folder(tmp_path / "small"), by=engineer
    )
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(make_adapter_folder(tmp_path / "a") / "adapter_config.json", "adapter_config.json")
        archive.writestr("adapter_model.safetensors", bytes(2**24))
    secret = create_api_token(user=engineer, name="Test", by=engineer).secret

    answer = Client().post(
        f"/api/v1/projects/{project.slug}/models/adapter/upload/",
        {"base": base.pk, "label": "v1", "archive": SimpleUploadedFile("a.zip", packed.getvalue())},
        headers={"Authorization": f"Bearer {secret}"},
    )

    problem = problem_in(answer, 400)
    assert "not a safetensors file" in problem["fields"]["archive"][0]
