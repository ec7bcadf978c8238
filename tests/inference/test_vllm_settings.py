"""What a vLLM engine is started with and asked for each row; the engine itself is started by the tests marked
vllm.
"""

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from inference.engines import EngineInputs
from inference.prompts import Prompt, row_seed
from inference.spec import GenerationRow, SamplingParameters
from inference.vllm_engine import VllmGenerator, engine_arguments
from run_directory.protocol import Device, Message


def load(sampling: SamplingParameters, *, prefix_caching: bool = True) -> EngineInputs:
    return EngineInputs(
        base=SimpleNamespace(folder="/base"),  # type: ignore[arg-type]  # all that is read of it
        device=Device(kind="cpu", name="CPU", dtype="fp32", threads=1, reason=""),
        adapters=(),
        sampling=sampling,
        end_tokens=[2],
        longest=64,
        batch_size=4,
        prefix_caching=prefix_caching,
        interruption=SimpleNamespace(),  # type: ignore[arg-type]  # likewise
    )


def asked(sampling: SamplingParameters, sample: int, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The parameters of one sample of a row."""
    package, parameters = ModuleType("vllm"), ModuleType("vllm.sampling_params")
    vars(package)["SamplingParams"] = SimpleNamespace
    vars(parameters)["StructuredOutputsParams"] = SimpleNamespace
    vars(parameters)["RequestOutputKind"] = SimpleNamespace(FINAL_ONLY="final only")
    for module in (package, parameters):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    generator = VllmGenerator.__new__(VllmGenerator)
    generator.load = load(sampling)
    row = GenerationRow(example="row-1", messages=(Message(role="user", content="Why?"),), sample=sample)
    return generator._parameters(Prompt(row, [1, 2]))


def test_every_sample_has_a_seed_of_its_own_and_every_setting_is_passed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sampling = SamplingParameters(
        max_tokens=30, temperature=0.7, top_p=0.9, top_k=5, repetition_penalty=1.1, stop=("END", "\n\n"),
        seed=9,
        json_schema='{"type": "object"}',
    )  # fmt: skip
    first, second = (asked(sampling, sample, monkeypatch) for sample in (0, 1))
    assert (first.seed, second.seed) == (row_seed(9, "row-1", 0), row_seed(9, "row-1", 1))
    assert first.seed != second.seed
    told = (first.max_tokens, first.temperature, first.top_p, first.top_k, first.repetition_penalty)
    assert told == (30, 0.7, 0.9, 5, 1.1)
    assert (first.stop, first.stop_token_ids) == (["END", "\n\n"], [2])
    assert first.structured_outputs.json == '{"type": "object"}'


@pytest.mark.parametrize("prefix_caching", [True, False])
def test_prefix_caching_is_as_the_spec_says(prefix_caching: bool) -> None:
    made = engine_arguments(load(SamplingParameters(), prefix_caching=prefix_caching))
    assert made["enable_prefix_caching"] is prefix_caching
