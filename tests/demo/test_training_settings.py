import pytest

from evalapp.demo import training_settings
from inference.spec import SamplingParameters
from training.spec import TrainingSpec


@pytest.mark.parametrize("recipe", [training_settings.FIRST_TRAINING, training_settings.SECOND_TRAINING])
def test_the_training_program_takes_the_recipes_and_they_are_small_enough_for_two_cores(recipe):
    spec = TrainingSpec.from_dict({**recipe, "base_folder": "/models/base", "rows": 600}, where="recipe")

    assert spec.max_steps * spec.accumulation_steps <= 40
    assert spec.batch_size == 8
    assert spec.max_length <= 240


def test_every_candidate_is_sampled_greedily_with_every_parameter_named():
    sampling = SamplingParameters.from_dict(training_settings.SAMPLING, where="recipe")

    assert sampling.temperature == 0
    assert set(training_settings.SAMPLING) == set(SamplingParameters.__dataclass_fields__)


def test_the_prompt_candidate_asks_for_the_three_style_rules():
    words = training_settings.PROMPT_SYSTEM.lower()

    assert all(rule in words for rule in ("plain words", "goal", "exactly one next step"))


def test_the_base_is_there_once_its_folder_holds_a_model(settings, tmp_path):
    settings.BUNDLED_MODEL_FOLDER = tmp_path
    assert not training_settings.base_is_there()

    (tmp_path / "config.json").write_text("{}")

    assert training_settings.base_is_there()
    assert training_settings.base_folder() == tmp_path
