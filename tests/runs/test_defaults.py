"""What a training is when nobody chooses anything: the form, the programs and the design say the same."""

from dataclasses import MISSING, fields
from typing import Any

import pytest

from evalapp.accounts.models import Project
from evalapp.runs.forms.runs import TrainingForm
from training.objectives import OBJECTIVES
from training.spec import LoraParameters, TrainingSpec

DESIGNED: dict[str, Any] = {
    "method": "lora", "objective": "sft", "loss_on": "completion", "beta": 0.1,
    "learning_rate": None, "schedule": "cosine", "warmup_share": 0.03, "epochs": 2.0, "batch_size": 8,
    "accumulation_steps": 2, "max_length": None, "validation_share": 0.05, "patience": 3, "seed": 42,
}  # fmt: skip
LORA = {"rank": 16, "alpha": 32, "dropout": 0.05}


def defaults_of(record: type) -> dict[str, Any]:
    return {each.name: each.default for each in fields(record) if each.default is not MISSING}


def test_the_program_has_the_designed_defaults() -> None:
    found = defaults_of(TrainingSpec)
    assert {name: found[name] for name in DESIGNED} == DESIGNED
    assert defaults_of(LoraParameters) == {**LORA, "target_modules": "all-linear"}
    assert [each.learning_rate("lora") for each in OBJECTIVES] == [2e-4, 5e-6, 5e-6]


@pytest.mark.django_db
def test_the_form_offers_the_same_and_hides_all_but_the_choices_that_matter(project: Project) -> None:
    form = TrainingForm(project=project)
    expected = {**defaults_of(TrainingSpec), **defaults_of(LoraParameters)}
    offered = {
        name: form[name].initial for name in form.fields if name in expected and name != "continue_from"
    }
    # A box that is not ticked has no initial value.
    offered["gradient_checkpointing"] = bool(offered["gradient_checkpointing"])
    assert offered == {name: expected[name] for name in offered}
    assert set(DESIGNED) | set(LORA) <= set(offered)
    assert {field.name for field in form.main} == {
        "name", "objective", "method", "dataset_version", "base", "continued_from", "epochs"
    }  # fmt: skip
