"""What the import linter is blind to."""

import ast
import importlib
import pkgutil
import re
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest
from django.apps import apps
from django.db import models

import evalapp
from evalapp.celery import PACKAGES_WITH_TASKS, app
from evalapp.env import REPOSITORY

SOURCE = Path(evalapp.__file__).parent


def layers() -> list[set[str]]:
    """The packages as `.importlinter` orders them, lowest first; those of one layer may not point at each
    other.
    """
    contracts = ConfigParser()
    contracts.read(REPOSITORY / ".importlinter", encoding="utf-8")
    named = contracts["importlinter:contract:layers"]["layers"].split("\n")
    return [{name.strip() for name in line.split("|")} for line in reversed(named) if line.strip()]


ORDER = layers()
MODEL_LIBRARIES = ["torch", "transformers", "peft", "trl", "vllm", "accelerate", "datasets"]


def package_of(model: type[models.Model]) -> str:
    return model.__module__.split(".")[1]


def rank(package: str) -> int:
    return next(position for position, names in enumerate(ORDER) if package in names)


def own_models() -> list[type[models.Model]]:
    return list(apps.get_app_config("evalapp").get_models())


def test_foreign_keys_point_down_the_same_order_as_imports() -> None:
    upward = [
        f"{model.__name__}.{field.name} → {field.related_model.__name__}"
        for model in own_models()
        for field in model._meta.get_fields()
        if isinstance(field, models.ForeignKey)
        and field.related_model in own_models()
        and package_of(model) != package_of(field.related_model)
        and rank(package_of(field.related_model)) >= rank(package_of(model))
    ]
    assert upward == []


def test_every_package_has_a_layer() -> None:
    packages = {path.parent.name for path in SOURCE.glob("*/__init__.py")} - {"migrations", "templatetags"}
    assert packages - set.union(*ORDER) == set()


def test_the_architecture_page_has_every_package_in_the_order_of_imports() -> None:
    rows = re.findall(
        r"^\| (`.+?) \|", (REPOSITORY / "docs/architecture.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    told = [set(re.findall(r"`(\w+)`", row)) for row in rows]
    flat = [name for names in told for name in names]
    assert sorted(flat) == sorted(name for names in ORDER for name in names)
    ranks = [max(rank(name) for name in names) for names in told]
    assert ranks == sorted(ranks)


def test_every_model_is_in_the_index() -> None:
    for module in SOURCE.glob("*/models.py"):
        importlib.import_module(f"evalapp.{module.parent.name}.models")
    index = importlib.import_module("evalapp.models")
    missing = [model.__name__ for model in own_models() if getattr(index, model.__name__, None) is not model]
    assert missing == []


def test_packages_with_tasks_are_those_that_have_them() -> None:
    found = {f"evalapp.{path.parent.name}" for path in SOURCE.glob("*/tasks.py")}
    assert found == set(PACKAGES_WITH_TASKS)


def test_every_queued_task_name_is_a_registered_task() -> None:
    app.loader.import_default_modules()
    app.finalize(auto=True)
    named = set()
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                parts = node.value.split(".")
                if (
                    parts[0] == "evalapp"
                    and len(parts) == 4
                    and parts[2] == "tasks"
                    and parts[3].isidentifier()
                ):
                    named.add(node.value)
    assert named
    assert named - set(app.tasks) == set()


def test_the_web_runs_without_any_model_library() -> None:
    modules = [
        module.name
        for module in pkgutil.walk_packages([str(SOURCE)], "evalapp.")
        if ".management." not in module.name and ".migrations" not in module.name
    ]
    program = f"""
import sys
for name in {MODEL_LIBRARIES!r}:
    sys.modules[name] = None
import django
django.setup()
import importlib
for name in {modules!r}:
    importlib.import_module(name)
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        cwd=SOURCE.parent,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]


def test_source_files_stay_readable() -> None:
    long = {
        str(path.relative_to(SOURCE.parent)): lines
        for path in SOURCE.rglob("*.py")
        if "migrations" not in path.parts and (lines := path.read_text(encoding="utf-8").count("\n")) > 500
    }
    assert long == {}


@pytest.mark.parametrize("name", ["training", "inference", "hub", "run_directory"])
def test_a_program_package_starts_empty(name: str) -> None:
    assert (SOURCE.parent / name / "__init__.py").read_text(encoding="utf-8").strip() == ""
