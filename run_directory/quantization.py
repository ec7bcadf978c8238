"""Bases with quantised weights and what they can be used for. Standard library only."""

import re
from collections.abc import Mapping

from run_directory.model_files import shown
from run_directory.weights import Tensor

VLLM_READS = ("gptq", "awq", "fp8", "compressed-tensors")
"""Quantisation methods that vLLM loads on a GPU without further packages."""
UNNAMED = "unnamed"
"""Method of quantised weights whose config does not name one."""
_UNPACKED = frozenset({"gguf"})
"""Methods whose packed weights transformers never saves, so such settings are a leftover of an unpacked
copy.
"""
_METHOD = re.compile(r"[a-z0-9_-]{1,40}")
_PACKED = re.compile(r"\.(qweight|qzeros|weight_packed)$")


def quantization_of(config: Mapping[str, object], tensors: Mapping[str, Tensor]) -> str:
    """The quantisation method in lower case ("gptq", "awq", "fp8", …), or "" for plain weights.

    ``config`` is the parsed config.json. Packed weights for which it names no method are `UNNAMED`.
    """
    text = config.get("text_config")
    for settings in (config, text if isinstance(text, dict) else {}):
        found = settings.get("quantization_config") or settings.get("compression_config")
        if not isinstance(found, dict):
            continue
        method = str(found.get("quant_method") or UNNAMED).lower()
        if method not in _UNPACKED:
            return method if _METHOD.fullmatch(method) else UNNAMED
    packed = any(_PACKED.search(name) or tensor.dtype.startswith("F8") for name, tensor in tensors.items())
    return UNNAMED if packed else ""


def in_words(method: str) -> str:
    """The method as shown to people."""
    return "by an unnamed method" if method == UNNAMED else shown(method.upper())[1:-1]


def why_not_trainable(method: str) -> str:
    """Why such a base cannot be trained: a clause to follow its name, without a full stop; empty for plain
    weights.
    """
    if not method:
        return ""
    return (
        f"has quantised weights ({in_words(method)}), which can be neither trained nor merged with an"
        " adapter; use the unquantised model (the method qlora quantises it to 4 bits for training)"
    )


def why_not_registrable(method: str) -> str:
    """Like `why_not_trainable`, for a base that no engine here can load; empty for plain weights and methods
    that vLLM loads.
    """
    if not method or method in VLLM_READS:
        return ""
    return (
        f"has quantised weights ({in_words(method)}), which cannot be loaded here; use the unquantised"
        f" model, or a copy in {', '.join(each.upper() for each in VLLM_READS)}, or serve"
        " it elsewhere and register it as an endpoint"
    )


def why_not_answering(method: str) -> str:
    """Like `why_not_trainable`, for a run without vLLM on a GPU; empty for plain weights."""
    if not method:
        return ""
    return (
        f"has quantised weights ({in_words(method)}), which only vLLM on a GPU supports; use a machine with"
        " a GPU, or serve the model elsewhere and register its endpoint"
    )
