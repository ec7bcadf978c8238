"""Generation with transformers alone, the engine that runs everywhere."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from typing import Any

from inference.engines import EngineInputs, GeneratedText, PromptBatch
from inference.prompts import Prompt, row_seed
from run_directory.adapters import Adapter
from run_directory.loading import load_model, load_tokenizer
from run_directory.program import Stopped


class TransformersGenerator:
    """Batched `generate` with prompts padded on the left, on one base with switched adapters."""

    def __init__(self, load: EngineInputs) -> None:
        from transformers import GenerationConfig

        self.load = load
        self.tokenizer = load_tokenizer(load.base)
        if self.tokenizer.pad_token_id is None:
            self.tokenizer.pad_token_id = load.end_tokens[0]
        self.model = load_model(load.base, load.device).eval()
        # The model's own generation settings must not apply: all parameters come from the spec.
        self.model.generation_config = GenerationConfig()
        self._add_adapters()

    def answers(self, batches: Iterable[PromptBatch]) -> Iterator[list[list[GeneratedText]]]:
        """See Generator. Yields one batch at a time."""
        for asked in batches:
            yield [self._answers_to(asked) if asked.prompts else []]

    def _answers_to(self, asked: PromptBatch) -> list[GeneratedText]:
        """Answer one batch. With a temperature, its rows share one seeded random generator."""
        import torch
        from transformers import StoppingCriteriaList

        prompts, sampling = asked.prompts, self.load.sampling
        padded = self.tokenizer.pad(
            {"input_ids": [prompt.tokens for prompt in prompts]}, padding_side="left", return_tensors="pt"
        ).to(self.load.device.kind)
        torch.manual_seed(row_seed(sampling.seed, f"batch {asked.number}", 0))
        with torch.inference_mode(), self._with(asked.adapter):
            produced = self.model.generate(
                **padded,
                generation_config=self._settings(prompts),
                stopping_criteria=StoppingCriteriaList([self._asked_to_stop]),
                tokenizer=self.tokenizer,
            )
        self.load.interruption.check()
        width = padded["input_ids"].shape[1]
        return [self._read(row.tolist()) for row in produced[:, width:]]

    def _settings(self, prompts: Sequence[Prompt]) -> Any:
        from transformers import GenerationConfig

        sampling = self.load.sampling
        longest = max(len(prompt.tokens) for prompt in prompts)
        drawn = {"temperature": sampling.temperature, "top_p": sampling.top_p, "top_k": sampling.top_k}
        return GenerationConfig(
            max_new_tokens=min(sampling.max_tokens, self.load.longest - longest),
            do_sample=sampling.temperature > 0,
            **(drawn if sampling.temperature > 0 else {}),
            repetition_penalty=sampling.repetition_penalty,
            stop_strings=list(sampling.stop) or None,
            eos_token_id=self.load.end_tokens,
            pad_token_id=self.tokenizer.pad_token_id,
        )

    def _read(self, tokens: list[int]) -> GeneratedText:
        ends = [place for place, token in enumerate(tokens) if token in self.load.end_tokens]
        if ends:
            # Everything after the end token is padding. The end token itself counts as generated.
            tokens = tokens[: ends[0] + 1]
        text = self.tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        places = [place for stop in self.load.sampling.stop if (place := text.find(stop)) >= 0]
        if places:
            # Finished rows are padded while the rest of their batch continues.
            tokens = self._without_padding(tokens)
        return GeneratedText(
            text=text[: min(places)] if places else text,
            finish_reason="stop" if ends or places else "length",
            completion_tokens=len(tokens),
        )

    def _without_padding(self, tokens: list[int]) -> list[int]:
        while tokens and tokens[-1] == self.tokenizer.pad_token_id:
            tokens = tokens[:-1]
        return tokens

    def _asked_to_stop(self, input_ids: Any, scores: Any, **_: Any) -> Any:
        import torch

        if self.load.interruption.outcome is not None:
            raise Stopped
        return torch.zeros(input_ids.shape[0], dtype=torch.bool, device=input_ids.device)

    def _add_adapters(self) -> None:
        if not self.load.adapters:
            return
        from peft import PeftModel

        for adapter in self.load.adapters:
            if isinstance(self.model, PeftModel):
                self.model.load_adapter(str(adapter.folder), adapter_name=adapter.sha256)
            else:
                self.model = PeftModel.from_pretrained(
                    self.model, str(adapter.folder), adapter_name=adapter.sha256, local_files_only=True
                ).eval()

    def _with(self, adapter: Adapter | None) -> Any:
        if adapter is not None:
            self.model.set_adapter(adapter.sha256)
            return nullcontext()
        return self.model.disable_adapter() if self.load.adapters else nullcontext()
