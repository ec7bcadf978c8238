"""Sample answers of the model during training.

Decoding is greedy, so nothing is drawn and the training continues as if it had not been interrupted.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from run_directory.bases import known_end_tokens
from run_directory.program import Interruption
from training.encoding import encode_prompts
from training.loop import LoadedRun
from training.rows import DataRow
from training.spec import SampleAnswer, SampleAnswers


class SamplePrompt(NamedTuple):
    row: str
    tokens: list[int]


class Sampler:
    """Asks the same prompts each time."""

    def __init__(self, run: LoadedRun) -> None:
        self.prompts = chosen_prompts(
            run.data.validation_rows,
            run.tokenizer,
            count=run.spec.sample_prompts,
            longest=run.begun.base.context - run.spec.sample_tokens,
        )
        self._most_tokens = run.spec.sample_tokens
        self._tokenizer = run.tokenizer
        self._ends = known_end_tokens(run.begun.base, run.tokenizer)
        self._interruption = run.directory.interruption

    def answers(self, model: Any) -> SampleAnswers | None:
        """Answer the prompts; None without prompts, or when the program is asked to stop meanwhile."""
        if not self.prompts:
            return None
        padding = next(
            (token for token in (self._tokenizer.pad_token_id, *self._ends) if token is not None), 0
        )
        with _as_for_answering(model) as answering:
            produced = _generated(
                answering,
                [prompt.tokens for prompt in self.prompts],
                most_tokens=self._most_tokens,
                ends=self._ends,
                padding=padding,
                interruption=self._interruption,
            )
        if self._interruption.outcome is not None:
            return None
        return SampleAnswers(
            answers=tuple(
                self._read(prompt.row, tokens) for prompt, tokens in zip(self.prompts, produced, strict=True)
            )
        )

    def _read(self, row: str, tokens: list[int]) -> SampleAnswer:
        end = next((place for place, token in enumerate(tokens) if token in self._ends), None)
        text = self._tokenizer.decode(
            tokens[:end], skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return SampleAnswer(
            row=row, text=text.replace("\x00", "\N{REPLACEMENT CHARACTER}"), is_whole=end is not None
        )


def chosen_prompts(
    rows: Sequence[DataRow], tokenizer: Any, *, count: int, longest: int
) -> list[SamplePrompt]:
    """The first ``count`` rows in an order that depends only on their ids, so that trainings with other seeds
    ask the same prompts. Of rows with equal prompts only the first counts; prompts over ``longest`` tokens
    are skipped.
    """
    if count == 0:
        return []
    by_prompt: dict[tuple[Any, ...], DataRow] = {}
    for row in sorted(rows, key=lambda each: hashlib.sha256(each.id.encode()).digest()):
        by_prompt.setdefault(row.prompt, row)
    found: list[SamplePrompt] = []
    for row in by_prompt.values():
        [tokens] = encode_prompts([row], tokenizer)
        if len(tokens) <= longest:
            found.append(SamplePrompt(row.id, tokens))
        if len(found) == count:
            break
    return found


@contextmanager
def _as_for_answering(model: Any) -> Iterator[Any]:
    """The model set up for generation; everything is restored afterwards."""
    import torch
    from transformers import GenerationConfig

    inner = model.get_base_model() if hasattr(model, "peft_config") else model
    was_training, published = model.training, inner.generation_config
    devices = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    # Generation draws nothing here; if a library begins to, this keeps the training's draws unchanged.
    with torch.random.fork_rng(devices=devices), torch.no_grad():
        model.eval()
        # The published model's own generation settings must not apply.
        inner.generation_config = GenerationConfig()
        try:
            yield model
        finally:
            inner.generation_config = published
            model.train(was_training)


def _generated(
    model: Any,
    prompts: Sequence[list[int]],
    *,
    most_tokens: int,
    ends: list[int],
    padding: int,
    interruption: Interruption,
) -> list[list[int]]:
    """Generate the tokens after each prompt, as one batch padded on the left."""
    import torch
    from transformers import GenerationConfig, StoppingCriteriaList

    def asked_to_stop(input_ids: Any, scores: Any, **_: Any) -> Any:
        is_asked = interruption.outcome is not None
        return torch.full((input_ids.shape[0],), is_asked, dtype=torch.bool, device=input_ids.device)

    width = max(map(len, prompts))
    tokens = [[padding] * (width - len(prompt)) + prompt for prompt in prompts]
    mask = [[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts]
    produced = model.generate(
        input_ids=torch.tensor(tokens, device=model.device),
        attention_mask=torch.tensor(mask, device=model.device),
        generation_config=GenerationConfig(
            max_new_tokens=most_tokens,
            do_sample=False,
            use_cache=True,
            eos_token_id=ends or None,
            pad_token_id=padding,
        ),
        stopping_criteria=StoppingCriteriaList([asked_to_stop]),
    )
    found: list[list[int]] = produced[:, width:].tolist()
    return found
