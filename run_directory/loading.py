"""Opens a checked base with transformers. The only module here that needs a model library, when called."""

from typing import Any

from run_directory.bases import Base
from run_directory.program import Refusal
from run_directory.protocol import Device


def load_tokenizer(base: Base) -> Any:
    """The base's tokenizer. Raises Refusal when transformers cannot read it."""
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(str(base.folder), trust_remote_code=False, local_files_only=True)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Refusal(f"the tokenizer in {base.folder} cannot be loaded: {_first_line(error)}") from error


def load_model(base: Base, device: Device) -> Any:
    """The base's model on the device, every weight from its files.

    Raises Refusal when transformers does not know the model, or when weights are missing: transformers
    would fill those with random numbers.
    """
    import torch
    from transformers import AutoModelForCausalLM

    try:
        model, info = AutoModelForCausalLM.from_pretrained(
            str(base.folder),
            dtype={"bf16": torch.bfloat16, "fp32": torch.float32}[device.dtype],
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            output_loading_info=True,
        )
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        if type(error).__name__ == "OutOfMemoryError":
            raise
        raise Refusal(f"the base in {base.folder} cannot be loaded: {_first_line(error)}") from error
    if missing := sorted(info["missing_keys"]):
        raise Refusal(f"the base in {base.folder} lacks {len(missing)} weights, the first is {missing[0]}")
    return model.to(device.kind)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
