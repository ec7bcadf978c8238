"""The model that each method trains, and the full model that some methods produce."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from run_directory.adapters import Adapter
from run_directory.bases import Base
from run_directory.loading import load_four_bit_model, load_model
from run_directory.model_files import shown
from run_directory.program import Refusal
from run_directory.protocol import Device
from training.dry_run_report import Memory
from training.spec import TrainingSpec


def check_continuation(spec: TrainingSpec, adapter: Adapter) -> None:
    """Raises Refusal when the adapter's scaling differs from the method's: its strength would change."""
    found = "rslora" if adapter.lora.use_rslora else "lora"
    wanted = "rslora" if spec.method == "rslora" else "lora"
    if found != wanted:
        raise Refusal(
            f"continue_from: the adapter in {adapter.folder} is scaled as {found}, but the method"
            f" {spec.method} scales differently; choose the method {found}, or start a new adapter"
        )


def check_targets(spec: TrainingSpec, base: Base) -> None:
    """Raises Refusal when the base lacks a layer to be adapted, which would leave it, or everything,
    untrained.
    """
    modules = spec.lora.target_modules
    if isinstance(modules, str) or spec.method == "full" or spec.continue_from:
        return
    layers = {name.removesuffix(".weight") for name, tensor in base.tensors.items() if len(tensor.shape) == 2}
    for module in modules:
        if not any(layer == module or layer.endswith(f".{module}") for layer in layers):
            there = sorted({layer.rpartition(".")[2] for layer in layers} - {"lm_head", "embed_tokens"})
            raise Refusal(
                f"lora: target_modules names {shown(module)}, which is not a layer of the base"
                f" {base.folder.name}; its layers are {', '.join(there[:20])}"
            )


def load_trainable(base: Base, device: Device, spec: TrainingSpec) -> Any:
    """Load the base's model with only those weights trainable that the method trains."""
    if spec.method == "full":
        # Steps are smaller than bf16 resolves, so the weights stay in fp32 whatever format computes.
        return load_model(base, replace(device, dtype="fp32"))
    from peft import LoraConfig, PeftModel, get_peft_model

    model = load_four_bit_model(base, device) if spec.method == "qlora" else load_model(base, device)
    if spec.continue_from:
        return PeftModel.from_pretrained(model, spec.continue_from, is_trainable=True, local_files_only=True)
    modules = spec.lora.target_modules
    return get_peft_model(
        model,
        LoraConfig(
            r=spec.lora.rank,
            lora_alpha=spec.lora.alpha,
            lora_dropout=spec.lora.dropout,
            target_modules=modules if isinstance(modules, str) else list(modules),
            use_rslora=spec.method == "rslora",
            use_dora=spec.method == "dora",
            task_type="CAUSAL_LM",
        ),
    )


def parameter_counts(model: Any) -> tuple[int, int]:
    """Number of trainable weights and of all weights."""
    if hasattr(model, "get_nb_trainable_parameters"):
        trainable, total = model.get_nb_trainable_parameters()
        return int(trainable), int(total)
    total = sum(weight.numel() for weight in model.parameters())
    return total, total


def held_memory(model: Any, device_bytes: int) -> Memory:
    """Memory of training the loaded model, without what a batch needs."""
    weights = list(model.parameters())
    trained = sum(weight.numel() * weight.element_size() for weight in weights if weight.requires_grad)
    return Memory(
        weights=sum(weight.numel() * weight.element_size() for weight in weights),
        gradients=trained,
        optimiser=2 * trained,
        device=device_bytes,
    )


def load_full_model(base: Base, device: Device, spec: TrainingSpec, trained: Path) -> Any:
    """Build the full model from a method's saved weights, in the number format that the run computed in.

    It is built on the CPU in fp32: rounding in between would lose small differences.
    """
    import torch

    exact = replace(device, kind="cpu", dtype="fp32")
    if spec.method == "full":
        model = load_model(replace(base, folder=trained), exact)
    else:
        from peft import PeftModel

        adapted = PeftModel.from_pretrained(load_model(base, exact), str(trained), local_files_only=True)
        model = adapted.merge_and_unload()
    return model.to(torch.bfloat16 if device.dtype == "bf16" else torch.float32)
