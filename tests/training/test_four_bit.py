"""Beside a base of 4 bits the gradients stay right, whatever happened between the steps."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from run_directory.bases import check_base
from run_directory.protocol import Device
from training.methods import load_trainable
from training.spec import LoraParameters, TrainingSpec

pytestmark = pytest.mark.skipif(find_spec("bitsandbytes") is None, reason="bitsandbytes is not installed")


def gradients(model: Any, tokens: Any) -> Any:
    import torch

    model.train()
    model.zero_grad()
    model(input_ids=tokens, labels=tokens).loss.backward()
    return torch.cat([weight.grad.flatten().float() for weight in model.parameters() if weight.requires_grad])


def test_an_evaluation_in_between_changes_no_gradient(base: Path) -> None:
    import torch

    checked = check_base(base)
    spec = TrainingSpec(
        base_folder=str(base), rows=1, method="qlora", lora=LoraParameters(rank=4, dropout=0.0)
    )
    device = Device(kind="cpu", name="CPU", dtype="bf16", threads=1, reason="a test")
    model = load_trainable(checked, device, spec)
    torch.manual_seed(1)
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.02)
    tokens = torch.arange(20).reshape(2, 10)

    before = gradients(model, tokens)
    model.eval()
    with torch.no_grad():
        model(input_ids=tokens)
    after = gradients(model, tokens)

    assert torch.nn.functional.cosine_similarity(before, after, dim=0) > 0.999
    assert torch.allclose(before.norm(), after.norm(), rtol=0.01)
