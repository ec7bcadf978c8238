import pytest

from evalapp.registry.models import ModelVersion
from evalapp.runs.models import Run
from evalapp.runs.tasks import carry_out_training
from tests.registry.conftest import base, model_folders
from tests.runs.conftest import behave, training, version

__all__ = ["base", "behave", "model_folders", "training", "version"]


@pytest.fixture
def adapter(training: Run) -> ModelVersion:
    """What a training made, by the fake program."""
    return trained_by(training)


def trained_by(training: Run) -> ModelVersion:
    carry_out_training(training.job_id)
    made = ModelVersion.objects.select_related("project", "model", "base__model", "job").get(
        trained_by=training
    )
    assert made.has_weights_here
    return made
