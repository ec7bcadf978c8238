"""Generation with vLLM: base and adapters in one engine."""

from collections.abc import Sequence

from inference.engines import LORA_RANKS, Generated, Load
from inference.prompts import Prompt, row_seed
from run_directory.adapters import Adapter


class VllmGenerator:
    """One engine; an adapter is asked for by a request named with its hash, since vLLM compares names."""

    def __init__(self, load: Load) -> None:
        from vllm import LLM

        self.load = load
        adapters = load.adapters
        lora = {
            "enable_lora": True,
            "max_lora_rank": min(rank for rank in LORA_RANKS if rank >= max(one.rank for one in adapters)),
            # A batch is one candidate's, so one adapter is active at a time.
            "max_loras": 1,
            "max_cpu_loras": len(adapters),
        }
        self.engine = LLM(
            model=str(load.base.folder),
            dtype={"bf16": "bfloat16", "fp32": "float32"}[load.device.dtype],
            max_model_len=load.longest,
            max_num_seqs=load.batch_size,
            load_format="safetensors",
            trust_remote_code=False,
            # Whatever the model was published with must not rule: all parameters come from the spec.
            generation_config="vllm",
            seed=load.sampling.seed,
            # On the CPU compiling takes two minutes and brings little.
            enforce_eager=load.device.kind == "cpu",
            disable_log_stats=True,
            **(lora if adapters else {}),
        )

    def generate(self, prompts: Sequence[Prompt], adapter: Adapter | None, batch: int) -> list[Generated]:
        """See Generator. Every row has a random generator of its own."""
        from vllm import TokensPrompt
        from vllm.lora.request import LoRARequest

        request = None
        if adapter is not None:
            number = 1 + [one.sha256 for one in self.load.adapters].index(adapter.sha256)
            request = LoRARequest(adapter.sha256, number, str(adapter.folder))
        produced = self.engine.generate(
            [TokensPrompt(prompt_token_ids=prompt.tokens) for prompt in prompts],
            [self._parameters(prompt) for prompt in prompts],
            lora_request=request,
            use_tqdm=False,
        )
        self.load.interruption.check()
        return [
            Generated(
                text=answer.outputs[0].text,
                finish_reason="length" if answer.outputs[0].finish_reason == "length" else "stop",
                completion_tokens=len(answer.outputs[0].token_ids),
            )
            for answer in produced
        ]

    def _parameters(self, prompt: Prompt) -> object:
        from vllm import SamplingParams
        from vllm.sampling_params import StructuredOutputsParams

        sampling = self.load.sampling
        return SamplingParams(
            n=1,
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
