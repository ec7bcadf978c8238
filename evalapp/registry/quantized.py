"""The uses of a base with quantised weights, in sentences."""

from evalapp.registry.models import ModelVersion
from run_directory import quantization


def quantization_of(base: ModelVersion) -> str:
    """The method of its weights ("gptq", …), as it was registered; "" for plain weights."""
    return str(base.config.get("quantization", ""))


def why_not_trainable(base: ModelVersion) -> str:
    """A sentence for a base that nothing is trained on or merged into; "" for others."""
    return _sentence(base, quantization.why_not_trainable(quantization_of(base)))


def why_not_answering(base: ModelVersion) -> str:
    """The same of a run that would not use vLLM on a GPU."""
    return _sentence(base, quantization.why_not_answering(quantization_of(base)))


def _sentence(base: ModelVersion, reason: str) -> str:
    return f"“{base.model.name}” {reason}." if reason else ""
