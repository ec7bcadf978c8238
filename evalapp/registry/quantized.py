"""Sentences about the uses of a base with quantised weights."""

from evalapp.registry.models import ModelVersion
from run_directory import quantization


def quantization_of(base: ModelVersion) -> str:
    """The base's quantisation method ("gptq", …) as registered; "" for plain weights."""
    return str(base.config.get("quantization", ""))


def why_not_trainable(base: ModelVersion) -> str:
    """Why nothing can be trained on or merged into the base, as a sentence; "" if possible."""
    return _sentence(base, quantization.why_not_trainable(quantization_of(base)))


def why_not_answering(base: ModelVersion) -> str:
    """Why a run without vLLM on a GPU cannot use the base, as a sentence; "" if it can."""
    return _sentence(base, quantization.why_not_answering(quantization_of(base)))


def _sentence(base: ModelVersion, reason: str) -> str:
    return f"“{base.model.name}” {reason}." if reason else ""
