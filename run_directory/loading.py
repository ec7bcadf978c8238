"""Loads a checked base with transformers. The only module here that needs a model library, imported when
called.
"""

from typing import Any

from run_directory.bases import Base
from run_directory.program import Refusal
from run_directory.protocol import Device


def load_tokenizer(base: Base) -> Any:
    """Load the base's tokenizer. Raises Refusal when transformers cannot read it."""
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(str(base.folder), trust_remote_code=False, local_files_only=True)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _refusal(base, f"the tokenizer in {base.folder} cannot be loaded", error) from error


def load_model(base: Base, device: Device) -> Any:
    """Load the base's model onto the device, with every weight from its files.

    Raises Refusal when transformers does not support the model or weights are missing, which transformers
    would fill with random numbers.
    """
    return _loaded(base, device).to(device.kind)


def load_four_bit_model(base: Base, device: Device) -> Any:
    """Like `load_model`, with the weights of linear layers rounded to 4 bits (NF4, Dettmers et al. 2023).

    Also raises Refusal when bitsandbytes is not installed.
    """
    from importlib.util import find_spec

    import torch
    from transformers import BitsAndBytesConfig

    if find_spec("bitsandbytes") is None:
        raise Refusal(
            "the method qlora needs the library bitsandbytes, which is not installed here; install it (pip"
            " install bitsandbytes), or use the method lora"
        )
    four_bit = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16 if device.dtype == "bf16" else torch.float32,
    )
    model = _loaded(base, device, quantization_config=four_bit, device_map={"": device.kind})
    for module in model.modules():
        # On a CPU with bf16 instructions, bitsandbytes repacks the weights at the first pass without
        # gradients (an evaluation, a reference). The repacked product propagates no gradient, so training
        # after it would be wrong.
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False
    return model


def _loaded(base: Base, device: Device, **settings: Any) -> Any:
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
            **settings,
        )
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        if type(error).__name__ == "OutOfMemoryError":
            raise
        raise _refusal(base, f"the base in {base.folder} cannot be loaded", error) from error
    if missing := sorted(info["missing_keys"]):
        raise Refusal(f"the base in {base.folder} lacks {len(missing)} weights; the first is {missing[0]}")
    return model


def _refusal(base: Base, what: str, error: Exception) -> Refusal:
    # For a missing folder, transformers reports only that its path is not the name of a model on a hub.
    if not (base.folder / "config.json").exists():
        return Refusal(f"{base.folder} was removed after the check; put it back, then start again")
    return Refusal(f"{what}: {_first_line(error)}")


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
