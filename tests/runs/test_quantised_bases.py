"""A base with quantised weights is decided on when it is registered: what can answer from it, and that
nothing trains on it.
"""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from django.urls import reverse

from evalapp.accounts.models import Project, User
from evalapp.artifacts.merging import start_merge
from evalapp.core.errors import ConflictError, InvalidError
from evalapp.datasets.models import DatasetVersion
from evalapp.jobs.models import Job
from evalapp.registry.models import ModelKind, ModelVersion
from evalapp.registry.services import add_version, register_adapter_folder, register_base
from evalapp.runs.services import start_generation, start_training
from run_directory.bases import check_base, check_settings, require_plain_weights
from run_directory.model_files import UnusableModelError
from tests.api.conftest import program_of
from tests.cast import client_of
from tests.form_addresses import run_form
from tests.registry.handmade import LAYER, make_adapter_folder, make_base_folder, write_safetensors
from tests.runs.conftest import Behave
from tests.runs.test_settings_checks import alone
from tests.runs.test_views import training_form

__all__ = ["alone"]

pytestmark = pytest.mark.django_db


def quantised_folder(folder: Path, method: str | None, *, inside: str = "") -> Path:
    make_base_folder(folder)
    settings = {"quantization_config": {"quant_method": method, "bits": 4}}
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | ({inside: settings} if inside else settings)))
    return folder


@pytest.fixture
def quantised(project: Project, engineer: User, model_folders: Path, behave: Behave) -> ModelVersion:
    folder = quantised_folder(model_folders / "rounded", "gptq")
    return register_base(project=project, name="Rounded", folder=folder, by=engineer)


@pytest.mark.parametrize("method", ["gptq", "AWQ", "fp8", "compressed-tensors"])
def test_what_vllm_reads_is_registered_for_answers_and_its_page_says_so(
    project: Project, engineer: User, model_folders: Path, method: str
) -> None:
    folder = quantised_folder(model_folders / "rounded", method)
    version = register_base(project=project, name="Rounded", folder=folder, by=engineer)
    assert version.config["quantization"] == method.lower()
    page = client_of(engineer).get(reverse("model_version", args=[project.slug, version.pk])).text
    assert f"{method.upper()}: runs with vLLM on a GPU only and cannot be trained or merged" in page


@pytest.mark.parametrize("method", ["bitsandbytes", "hqq", None])
def test_what_no_engine_here_reads_is_refused_when_it_is_registered(
    project: Project, engineer: User, model_folders: Path, method: str | None
) -> None:
    folder = quantised_folder(model_folders / "rounded", method, inside="text_config")
    with pytest.raises(InvalidError) as refused:
        register_base(project=project, name="Rounded", folder=folder, by=engineer)
    assert "which cannot be loaded here" in refused.value.fields["folder"][0]
    # Before the weights of a hub's model are fetched.
    with pytest.raises(UnusableModelError, match="cannot be loaded here"):
        check_settings(folder)


def test_packed_weights_are_told_without_settings_that_name_a_method(tmp_path: Path) -> None:
    folder = make_base_folder(tmp_path / "packed")
    write_safetensors(folder / "model.safetensors", {f"{LAYER}.qweight": (8, 8), f"{LAYER}.scales": (1, 8)})
    assert check_base(folder).quantization == "unnamed"
    # What an unpacked GGUF file leaves behind.
    assert check_base(quantised_folder(tmp_path / "plain", "gguf")).quantization == ""


def test_nothing_is_trained_on_it(
    project: Project, engineer: User, quantised: ModelVersion, version: DatasetVersion
) -> None:
    sentence = (
        "“Rounded” has quantised weights (GPTQ), which can be neither trained nor merged with an adapter"
    )
    with pytest.raises(InvalidError) as refused:
        start_training(
            project=project, dataset_version=version, base=quantised, continued_from=None,
            name="v1", hyperparameters={"method": "qlora"}, by=engineer,
        )  # fmt: skip
    assert refused.value.fields["base"][0].startswith(sentence)

    form = client_of(engineer).post(run_form(project, "training"), training_form(version, quantised))
    assert form.status_code == 400
    assert sentence in form.text

    body = {"dataset_version": version.pk, "base": quantised.pk, "name": "v1", "hyperparameters": {}}
    answer = program_of(engineer).post(f"/api/v1/projects/{project.slug}/runs/training/", body)
    assert answer.status_code == 400
    assert sentence in answer.json()["error"]["fields"]["base"][0]
    assert not Job.objects.exists()


def test_the_program_refuses_one_that_was_registered_before(quantised: ModelVersion) -> None:
    with pytest.raises(UnusableModelError, match="has quantised weights"):
        require_plain_weights(check_base(quantised.path))


def test_no_adapter_is_taken_for_it_or_merged_into_it(
    project: Project, engineer: User, quantised: ModelVersion, model_folders: Path
) -> None:
    adapter = make_adapter_folder(model_folders / "adapter")
    with pytest.raises(InvalidError) as refused:
        register_adapter_folder(project=project, base=quantised, label="v1", folder=adapter, by=engineer)
    assert "can be neither trained nor merged" in refused.value.fields["base"][0]

    earlier = add_version(
        quantised.model, by=engineer, label="v1", kind=ModelKind.LORA, base=quantised, path="adapters/v1"
    )
    with pytest.raises(ConflictError, match="can be neither trained nor merged"):
        start_merge(version=earlier, by=engineer)


def test_it_answers_through_vllm_on_a_gpu_alone(
    project: Project,
    engineer: User,
    quantised: ModelVersion,
    version: DatasetVersion,
    alone: Callable[..., None],
) -> None:
    def refused(**sampling: object) -> dict[str, list[str]]:
        with pytest.raises(InvalidError) as told:
            generate(**sampling)
        return told.value.fields

    def generate(**sampling: object) -> object:
        return start_generation(
            project=project, dataset_version=version, splits=["test"], candidates=[quantised],
            sampling=sampling,
            name="Answers", by=engineer,
        )  # fmt: skip

    assert "only vLLM on a GPU supports" in refused(engine="transformers")["engine"][0]
    assert "only vLLM on a GPU supports" in refused(device="cpu")["engine"][0]
    alone(engines=("vllm-cpu",))
    assert "only vLLM on a GPU supports" in refused()["candidates"][0]
    alone(gpus=("0",), engines=("vllm",))
    assert generate()
