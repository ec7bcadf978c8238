"""Settings that can only fail are refused when a run is asked for, and those that another machine may meet
are not.
"""

import json
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings

from evalapp.accounts.models import Project, User
from evalapp.core.errors import InvalidError
from evalapp.datasets.models import DatasetVersion
from evalapp.registry.models import ModelVersion
from evalapp.runs.api.generation import SAMPLING_SHAPE
from evalapp.runs.models import Run
from evalapp.runs.services import start_generation, start_training
from inference.spec import GenerationSpec, SamplingParameters
from tests.api.conftest import Program, problem_in, program_for
from tests.form_addresses import run_form
from tests.runs.conftest import Behave
from tests.runs.test_views import ClientFor, generation_form, training_form

__all__ = ["program_for"]

Start = Callable[..., Run]


@pytest.fixture(autouse=True)
def _programs(behave: Behave) -> None:
    """A model program is there."""


@pytest.fixture
def alone(settings, tmp_path: Path) -> Callable[..., None]:
    """Make this the installation's only machine; call with its GPUs and its kinds of vLLM."""

    def tell(*, gpus: tuple[str, ...] = (), engines: tuple[str, ...] = ()) -> None:
        python = tmp_path / "python-here"
        python.write_text(f'#!/bin/sh\n[ "$3" = vllm ] && echo \'{json.dumps(engines)}\' || echo "[]"\n')
        python.chmod(0o755)
        settings.MODEL_PYTHON = python
        settings.ENVIRONMENT = replace(django_settings.ENVIRONMENT, embedded_postgres=True, gpus=gpus)

    return tell


@pytest.fixture
def generate(project: Project, engineer: User, version: DatasetVersion, base: ModelVersion) -> Start:
    def start(**sampling: Any) -> Run:
        return start_generation(
            project=project, dataset_version=version, splits=["test"], candidates=[base], sampling=sampling,
            name="Answers", by=engineer,
        )  # fmt: skip

    return start


@pytest.fixture
def train(project: Project, engineer: User, version: DatasetVersion, base: ModelVersion) -> Start:
    def start(**hyperparameters: Any) -> Run:
        return start_training(
            project=project, dataset_version=version, base=base, name="v1", hyperparameters=hyperparameters,
            by=engineer,
        )  # fmt: skip

    return start


def refused(start: Start, **asked: Any) -> dict[str, list[str]]:
    with pytest.raises(InvalidError) as refusal:
        start(**asked)
    assert not Run.objects.exists()
    return refusal.value.fields


def test_vllm_without_a_gpu_is_refused_with_the_engine_that_is_there(
    alone: Callable[..., None], generate: Start
) -> None:
    alone(engines=("vllm-cpu",))
    assert refused(generate, engine="vllm") == {
        "engine": [
            "There is no GPU for runs here, and the engine “vllm” does not run on the CPU. Choose “vllm-cpu”."
        ]
    }
    alone()
    assert "Choose “auto”." in refused(generate, engine="vllm")["engine"][0]
    assert "is not installed here" in refused(generate, engine="vllm-cpu")["engine"][0]
    alone(gpus=("0",), engines=("vllm-cpu",))
    assert "does not run on the GPU" in refused(generate, engine="vllm-cpu")["engine"][0]
    assert generate(engine="vllm-cpu", device="cpu").spec["engine"] == "vllm-cpu"


def test_a_gpu_that_is_not_here_is_refused(alone: Callable[..., None], generate: Start, train: Start) -> None:
    alone()
    words = {"device": ["There is no GPU for runs here. Choose “auto” or “cpu”."]}
    assert refused(generate, device="cuda") == words
    assert refused(train, device="cuda") == words
    alone(gpus=("0",))
    assert train(device="cuda").spec["device"] == "cuda"


def test_what_another_machine_may_have_is_not_refused(
    generate: Start, train: Start, settings, tmp_path: Path
) -> None:
    settings.ENVIRONMENT = replace(
        django_settings.ENVIRONMENT, embedded_postgres=False, embedded_valkey=False, gpus=()
    )
    assert generate(engine="vllm").spec["engine"] == "vllm"
    assert train(device="cuda").spec["device"] == "cuda"
    assert generate(json_schema='{"type": "object"}').spec["sampling"]["json_schema"]


def test_an_engine_that_fits_no_such_device_is_refused_wherever_it_is(generate: Start) -> None:
    assert "Choose “vllm-cpu”" in refused(generate, engine="vllm", device="cpu")["engine"][0]
    assert "Choose “vllm”" in refused(generate, engine="vllm-cpu", device="cuda")["engine"][0]


def test_a_longer_row_than_the_base_reads_is_refused_with_its_context(
    train: Start, base: ModelVersion
) -> None:
    context = base.config["context"]
    (sentence,) = refused(train, max_length=context + 1)["max_length"]
    assert f"reads at most {context:,} tokens at once" in sentence
    assert train(max_length=context).spec["max_length"] == context


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ('{"type": "objekt"}', "not a valid JSON schema, at ['type']: 'objekt' is not valid"),
        ('{"properties": {"a": {"minLength": -1}}}', "at ['properties']['a']['minLength']"),
        ("{", "json_schema"),
        ("[]", "one JSON object"),
    ],
)
def test_a_schema_that_is_none_is_refused_with_the_place(generate: Start, schema: str, words: str) -> None:
    assert words in refused(generate, json_schema=schema)["json_schema"][0]


def test_a_schema_that_no_engine_here_can_hold_is_refused(
    alone: Callable[..., None], generate: Start
) -> None:
    schema = '{"type": "object"}'
    assert (
        "transformers does not support"
        in refused(generate, json_schema=schema, engine="transformers")["json_schema"][0]
    )
    alone()
    assert "“vllm-cpu” is not installed here" in refused(generate, json_schema=schema)["json_schema"][0]
    alone(engines=("vllm-cpu",))
    assert generate(json_schema=schema).spec["sampling"]["json_schema"] == schema


def test_the_pages_say_it_beside_the_field(
    alone: Callable[..., None], project: Project, engineer: User, version: DatasetVersion, base: ModelVersion,
    client_for: ClientFor,
) -> None:  # fmt: skip
    alone(engines=("vllm-cpu",))
    client = client_for(engineer)

    answer = client.post(
        run_form(project, "generation"),
        generation_form(version, base, engine="vllm"),
    )
    assert answer.status_code == 400
    assert list(answer.context["form"].errors) == ["engine"]
    answer = client.post(
        run_form(project, "training"),
        training_form(version, base, max_length=10**6),
    )
    assert list(answer.context["form"].errors) == ["max_length"]
    assert "reads at most" in answer.content.decode()


def test_a_program_gets_the_field_and_may_give_the_schema_as_an_object(
    project: Project, engineer: User, version: DatasetVersion, base: ModelVersion,
    program_for: Callable[[User], Program],
) -> None:  # fmt: skip
    program = program_for(engineer)
    asked = {"name": "a", "dataset_version": version.pk, "splits": ["test"], "candidates": [base.pk]}
    address = f"projects/{project.slug}/runs/generation/"
    bad = program.post(address, {**asked, "sampling": {"json_schema": {"type": "objekt"}}})
    assert list(problem_in(bad, 400)["fields"]) == ["json_schema"]

    schema = {"type": "object", "properties": {"größe": {"type": "number"}}, "required": ["größe"]}
    stored = [
        program.post(address, {**asked, "sampling": {"json_schema": given}}).json()["settings"]["sampling"]
        for given in (schema, json.dumps(schema, ensure_ascii=False))
    ]
    assert [json.loads(each["json_schema"]) for each in stored] == [schema, schema]
    assert stored[0] == stored[1]


def test_the_interface_names_every_setting_of_a_generation() -> None:
    own = {each.name for each in fields(SamplingParameters)}
    around = {each.name for each in fields(GenerationSpec)}
    around -= {"format", "base_folder", "candidates", "rows", "data_sha256", "sampling"}
    shown = SAMPLING_SHAPE["properties"]
    assert set(shown) == own | around | {"shards"}
    for name, shape in shown.items():
        if "default" in shape and name != "shards":
            of = SamplingParameters if name in own else GenerationSpec
            assert shape["default"] == getattr(of, name), name


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"max_steps": 10**12}, "max_steps"),
        ({"weight_decay": 1e308}, "weight_decay"),
        ({"threads": 10**9}, "threads"),
        ({"lora": {"alpha": 10**12}}, "alpha"),
        ({"lora": {"target_modules": []}}, "target_modules"),
    ],
)
def test_a_number_beyond_what_the_program_takes_is_refused_beside_its_field(
    train: Start, asked: dict[str, Any], field: str
) -> None:
    [(named, [sentence])] = refused(train, **asked).items()
    assert named == field and f" {field}" in sentence


def test_the_forms_limits_are_the_programs(
    project: Project, engineer: User, version: DatasetVersion, base: ModelVersion, client_for: ClientFor
) -> None:
    form = training_form(version, base) | {"max_steps": str(10**12), "alpha": str(10**12)}
    page = client_for(engineer).post(run_form(project, "training"), form)
    assert page.status_code == 400
    assert list(page.context["form"].errors) == ["alpha", "max_steps"]
    assert "less than or equal to 10000000." in page.text and "less than or equal to 1000000." in page.text
