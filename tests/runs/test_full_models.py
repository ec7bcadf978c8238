"""Trainings that end in a full model: a candidate like any other, and a base for others."""

from pathlib import Path

import pytest

from evalapp.accounts.models import Project, User
from evalapp.core.errors import InvalidError
from evalapp.datasets.models import DatasetVersion
from evalapp.datasets.services import create_dataset, create_version
from evalapp.decisions.left_files import files_of
from evalapp.gates.lineage import training_data_of
from evalapp.jobs.models import JobState
from evalapp.registry.folders import folder_of
from evalapp.registry.models import ModelVersion
from evalapp.registry.queries import bases_of
from evalapp.registry.services import register_adapter, register_prompt
from evalapp.runs.models import Run
from evalapp.runs.programs.directory import candidate_specs, folder_for, prepare_generation
from evalapp.runs.services import start_generation, start_training
from evalapp.runs.tasks import carry_out_training
from tests.registry.handmade import make_adapter_folder
from tests.runs.conftest import Behave, rows_of


def trained(project: Project, engineer: User, version: DatasetVersion, base: ModelVersion, **given) -> Run:
    settings = {"method": "full", **given.pop("hyperparameters", {})}
    run = start_training(
        project=project, dataset_version=version, base=base, by=engineer,
        **{"name": "whole", "hyperparameters": settings, **given},
    )  # fmt: skip
    carry_out_training(run.job_id)
    return Run.objects.select_related("job", "produced__base").get(pk=run.pk)


@pytest.mark.parametrize("method", ["full", "dora"])
def test_the_full_model_is_kept_with_its_content_its_size_and_where_it_comes_from(
    project: Project, engineer: User, version: DatasetVersion, base: ModelVersion, behave: Behave, method: str
) -> None:
    run = trained(project, engineer, version, base, hyperparameters={"method": method})
    assert (run.job.error, run.job.state) == ("", JobState.SUCCEEDED)
    made = run.produced
    assert made is not None
    assert (made.kind, made.base, made.model, made.parent) == ("full", base, base.model, None)
    assert made.content_hash == run.result["model_fingerprint"] != base.content_hash
    assert made.config["context"] == 512
    kept = folder_of(made)
    assert sorted(path.name for path in kept.iterdir()) == [
        "chat_template.jinja", "config.json", "manifest.json", "model.safetensors", "tokenizer.json",
    ]  # fmt: skip
    assert made.size_bytes == sum(path.stat().st_size for path in kept.iterdir())
    assert (run.result["method"], run.result["trainable_share"]) == (method, 0.33)


def test_it_outlives_the_run_directory_and_goes_with_its_project(
    project: Project, engineer: User, version: DatasetVersion, base: ModelVersion, behave: Behave
) -> None:
    run = trained(project, engineer, version, base)
    assert run.produced is not None
    for path in (folder_for(run) / "model").iterdir():
        path.unlink()
    assert (folder_of(run.produced) / "model.safetensors").stat().st_size > 0
    assert run.produced.path in files_of(project)["artifacts"]


def test_it_answers_as_its_own_base_and_prompts_and_adapters_stand_on_it(
    project: Project, engineer: User, version: DatasetVersion, base: ModelVersion, behave: Behave,
    tmp_path: Path
) -> None:  # fmt: skip
    made = trained(project, engineer, version, base).produced
    assert made is not None
    assert list(bases_of(project)) == [base, made]
    prompt = register_prompt(
        project=project, base=made, label="Prompted", system_prompt="Be brief.", prompt_template="",
        by=engineer
    )  # fmt: skip
    adapter = register_adapter(
        project=project, base=made, label="v2", folder=make_adapter_folder(tmp_path / "a"), by=engineer
    )
    common = {
        "project": project,
        "dataset_version": version,
        "splits": ["test"],
        "sampling": {},
        "by": engineer,
    }
    run = start_generation(**common, candidates=[made, prompt, adapter], name="Answers")
    prepare_generation(run)
    assert (folder_for(run) / run.spec["base_folder"]).resolve() == folder_of(made).resolve()
    assert [candidate.kind for candidate in candidate_specs(run)] == ["base", "prompt", "lora"]
    with pytest.raises(InvalidError, match=r"different bases \(“Small: Base”, “Small: whole”\)"):
        start_generation(**common, candidates=[base, made], name="Both")


def test_what_trained_a_full_model_is_known_of_all_that_stands_on_it(
    project: Project, engineer: User, version: DatasetVersion, base: ModelVersion, behave: Behave
) -> None:
    made = trained(project, engineer, version, base).produced
    assert made is not None
    dataset = create_dataset(project=project, name="More", by=engineer)
    more = create_version(dataset=dataset, rows=rows_of("train", 4, start=50), by=engineer)
    adapter = trained(project, engineer, more, made, name="v2", hyperparameters={"method": "lora"}).produced
    assert adapter is not None
    assert training_data_of(adapter).versions == [more, version]
    prompt = register_prompt(
        project=project, base=made, label="P", system_prompt="Be brief.", prompt_template="", by=engineer
    )
    assert training_data_of(prompt).versions == [version]
    assert training_data_of(base) == ([], "", [])


@pytest.mark.parametrize(
    ("method", "config", "said"),
    [
        ("full", {}, "produces a full model and cannot start from the adapter “v0”"),
        ("dora", {}, "produces a full model"),
        ("rslora", {}, "Choose LoRA or QLoRA, or start without it"),
        ("lora", {"use_rslora": True}, "Choose rsLoRA, or start without it"),
        ("qlora", {"use_rslora": True}, "Choose rsLoRA, or start without it"),
        ("qlora", {}, ""),
        ("rslora", {"use_rslora": True}, ""),
    ],
)
def test_an_adapter_is_trained_further_by_the_methods_that_can(
    project: Project, engineer: User, version: DatasetVersion, base: ModelVersion, behave: Behave,
    tmp_path: Path,
    method: str, config: dict[str, bool], said: str,
) -> None:  # fmt: skip
    folder = make_adapter_folder(tmp_path / "a", **config)
    adapter = register_adapter(project=project, base=base, label="v0", folder=folder, by=engineer)
    given = {
        "project": project, "dataset_version": version, "base": base, "name": "v1", "by": engineer,
        "continued_from": adapter, "hyperparameters": {"method": method},
    }  # fmt: skip
    if not said:
        assert start_training(**given).continued_from == adapter
        return
    with pytest.raises(InvalidError, match=said) as caught:
        start_training(**given)
    assert list(caught.value.fields) == ["continued_from"]
