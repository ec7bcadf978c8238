"""Training and generation settings of the demonstration.

Both trainings are small enough for two CPU cores: at most 40 steps of 8 rows of at most 240 tokens.
"""

from pathlib import Path
from typing import Any

from django.conf import settings

BASE_NAME = "SmolLM2-135M-Instruct"

REVIEW_SEED = 42

PROMPT_SYSTEM = (
    'You write short summaries for bank clients. Speak to the client as "you", in plain words. '
    "Name the client's goal. Use only the numbers you are given. "
    'End with exactly one next step that begins with "Next step:".'
)
PROMPT_TEMPLATE = "{prompt}"

FIRST_TRAINING: dict[str, Any] = {
    "method": "lora",
    "lora": {"rank": 16, "alpha": 32, "dropout": 0.05},
    "learning_rate": 1e-3,
    "schedule": "cosine",
    "warmup_share": 0.03,
    "max_steps": 30,
    "batch_size": 8,
    "accumulation_steps": 1,
    "max_length": 240,
    "validation_share": 0.0,
    "patience": None,
    "checkpoint_steps": 10,
    "seed": 42,
}
"""v1: 240 of the 600 formal texts, each seen once. Fields of `training.spec.TrainingSpec`."""

SECOND_TRAINING: dict[str, Any] = FIRST_TRAINING | {"learning_rate": 1.5e-3, "max_steps": 34}
"""v2: continues v1's adapter on the accepted corrections of the feedback split."""

SAMPLING: dict[str, Any] = {
    "max_tokens": 140,
    "temperature": 0.0,
    "top_p": 1.0,
    "top_k": 0,
    "repetition_penalty": 1.0,
    "stop": [],
    "seed": 42,
    "json_schema": None,
}
"""Greedy decoding for every candidate. Fields of `inference.spec.SamplingParameters`."""


def base_folder() -> Path:
    """Folder of the bundled small model, once it is converted."""
    return Path(settings.BUNDLED_MODEL_FOLDER)


def base_is_there() -> bool:
    """Whether the bundled small model has been converted."""
    return (base_folder() / "config.json").is_file()
