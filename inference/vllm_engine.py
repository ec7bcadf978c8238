"""Generation with vLLM: base and adapters in one engine."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from inference.engines import LORA_RANKS, EngineInputs, GeneratedText, PromptBatch
from inference.prompts import Prompt, row_seed
from run_directory.adapters import Adapter


def engine_arguments(load: EngineInputs) -> dict[str, Any]:
    """Arguments of vLLM's `LLM`."""
    adapters = load.adapters
    lora = (
        {
            "enable_lora": True,
            "max_lora_rank": min(rank for rank in LORA_RANKS if rank >= max(one.rank for one in adapters)),
            # Rows are ordered by candidate, so one adapter at a time is enough.
            "max_loras": 1,
            "max_cpu_loras": len(adapters),
        }
        if adapters
        else {}
    )
    return {
        "model": str(load.base.folder),
        "dtype": {"bf16": "bfloat16", "fp32": "float32"}[load.device.dtype],
        "max_model_len": load.longest,
        "max_num_seqs": load.batch_size,
        "enable_prefix_caching": load.prefix_caching,
        "load_format": "safetensors",
        "trust_remote_code": False,
        # The model's own generation settings must not apply: all parameters come from the spec.
        "generation_config": "vllm",
        "seed": load.sampling.seed,
        # On the CPU, compilation takes two minutes and gains little.
        "enforce_eager": load.device.kind == "cpu",
        "disable_log_stats": True,
        **lora,
    }


@dataclass
class _RunningBatch:
    """A batch in the engine; `found` has its answers so far by request."""

    requests: list[str]
    found: dict[str, GeneratedText] = field(default_factory=dict)

    @property
    def is_whole(self) -> bool:
        return len(self.found) == len(self.requests)


class VllmGenerator:
    """One vLLM engine. A request names its adapter by hash, since vLLM compares names."""

    def __init__(self, load: EngineInputs) -> None:
        from vllm import LLM

        self.load = load
        self.engine = LLM(**engine_arguments(load)).llm_engine

    def answers(self, batches: Iterable[PromptBatch]) -> Iterator[list[list[GeneratedText]]]:
        """See Generator. Every row has its own random generator.

        The next batches start while the last rows of a batch are still running, since waiting for the end of
        each batch would leave the engine half idle. Rows with different adapters, or with and without one,
        never run together: vLLM 0.32 on the CPU was seen to answer the base's rows with the adapter of rows
        beside them.
        """
        coming = iter(batches)
        following = next(coming, None)
        under_way: deque[_RunningBatch] = deque()
        by_request: dict[str, _RunningBatch] = {}
        adapter: Adapter | None = None
        while True:
            # Queue up to one batch more than is answered at once.
            while (
                following is not None
                and len(by_request) < 2 * self.load.batch_size
                and (not by_request or following.adapter == adapter)
            ):
                adapter = following.adapter
                batch = self._begun(following)
                under_way.append(batch)
                by_request |= dict.fromkeys(batch.requests, batch)
                following = next(coming, None)
            whole = []
            while under_way and under_way[0].is_whole:
                batch = under_way.popleft()
                whole.append([batch.found[request] for request in batch.requests])
            if whole:
                yield whole
            elif not by_request:
                return
            for answer in self._step() if by_request else ():
                by_request.pop(answer.request_id).found[answer.request_id] = _read(answer)

    def _begun(self, asked: PromptBatch) -> _RunningBatch:
        request = None
        if asked.adapter is not None:
            from vllm.lora.request import LoRARequest

            number = 1 + [one.sha256 for one in self.load.adapters].index(asked.adapter.sha256)
            request = LoRARequest(asked.adapter.sha256, number, str(asked.adapter.folder))
        names = [f"{asked.number}-{place}" for place in range(len(asked.prompts))]
        for name, prompt in zip(names, asked.prompts, strict=True):
            self.engine.add_request(
                name,
                # The form in which vLLM's own renderer passes token ids.
                {"type": "token", "prompt_token_ids": prompt.tokens},
                self._parameters(prompt),
                lora_request=request,
            )
        return _RunningBatch(names)

    def _step(self) -> list[Any]:
        """Run one step of the engine; returns the requests that it finished."""
        self.load.interruption.check()
        return [answer for answer in self.engine.step() if answer.finished]

    def _parameters(self, prompt: Prompt) -> object:
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind, StructuredOutputsParams

        sampling = self.load.sampling
        return SamplingParams(
            n=1,
            output_kind=RequestOutputKind.FINAL_ONLY,
            max_tokens=min(sampling.max_tokens, self.load.longest - len(prompt.tokens)),
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            top_k=sampling.top_k,
            min_p=0.0,
            presence_penalty=0.0,
            frequency_penalty=0.0,
            repetition_penalty=sampling.repetition_penalty,
            stop=list(sampling.stop) or None,
            stop_token_ids=self.load.end_tokens,
            structured_outputs=StructuredOutputsParams(json=sampling.json_schema)
            if sampling.json_schema is not None
            else None,
            seed=row_seed(sampling.seed, prompt.row.example, prompt.row.sample),
        )


def _read(answer: Any) -> GeneratedText:
    [output] = answer.outputs
    return GeneratedText(
        text=output.text,
        finish_reason="length" if output.finish_reason == "length" else "stop",
        completion_tokens=len(output.token_ids),
    )
