"""Distributed training: each process takes its share of every step's rows.

A step has the same rows as with one process, and the loss is the mean over all their tokens. So the result
equals that of one process, except for the order of additions and dropout's random draws.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from run_directory.program import Refusal
from run_directory.protocol import SPEC_FILE, Device
from run_directory.ranks import own_rank
from training import objectives
from training.spec import TrainingSpec, is_shareable

_PATIENCE_SECONDS = 1800
"""How long a process waits for another: the first one alone writes checkpoints and sample answers."""


class Share(NamedTuple):
    """What each process does in a step."""

    batch_size: int
    accumulation_steps: int


def share_of(spec: TrainingSpec, processes: int) -> Share:
    """Rows per forward pass and forward passes per step, in each of ``processes`` processes.

    A pass never has more rows than the spec allows. Raises Refusal when the work cannot be shared.
    """
    if processes == 1:
        return Share(spec.batch_size, spec.accumulation_steps)
    if not is_shareable(spec.method, spec.objective):
        raise Refusal(
            f"{SPEC_FILE}: the method {spec.method} with the objective {spec.objective} is trained by one"
            f" process, and {processes} were started; start one, or use"
            f" {objectives.labels_of(each for each in objectives.OBJECTIVES if each.is_shareable)} with a"
            " method other than qlora"
        )
    rows = spec.batch_size * spec.accumulation_steps
    if rows % processes:
        raise Refusal(
            f"{SPEC_FILE}: a step has {rows} rows (batch_size {spec.batch_size} × accumulation_steps "
            f"{spec.accumulation_steps}), which {processes} processes cannot share evenly; make it "
            f"{math.ceil(rows / processes) * processes}, or start another number of processes"
        )
    each = rows // processes
    size = max(size for size in range(1, min(spec.batch_size, each) + 1) if each % size == 0)
    return Share(size, each // size)


def meet(device: Device) -> None:
    """Join the process group; does nothing for a single process."""
    import torch

    if own_rank().count > 1 and not torch.distributed.is_initialized():
        torch.distributed.init_process_group(
            backend="nccl" if device.kind == "cuda" else "gloo",
            timeout=timedelta(seconds=_PATIENCE_SECONDS),
        )


def broadcast_from_first(value: Any) -> Any:
    """Send the first process's value to all processes."""
    import torch

    if own_rank().count == 1:
        return value
    told = [value]
    torch.distributed.broadcast_object_list(told, src=0)
    return told[0]


def is_any(answer: bool, device: Device) -> bool:
    """Whether ``answer`` is true in any process; all processes get the same result."""
    import torch

    if own_rank().count == 1:
        return answer
    told = torch.tensor([float(answer)], device=device.kind)
    torch.distributed.all_reduce(told, op=torch.distributed.ReduceOp.MAX)
    return bool(told.item())


def draw_for_step(seed: int, step: int) -> None:
    """Seed a step's random draws (dropout) from seed, step and process, so that a restart draws the same."""
    import torch

    rank = own_rank()
    torch.manual_seed(((seed * 1_000_003 + step) * rank.count + rank.number) % 2**63)


class PaddedOrder:
    """The row order of one process's sampler, each pass padded with rows that have no effect.

    Padding makes the shares equal without repeating a row. ``current_pass`` is called at the beginning of
    each pass, because a distributed sampler is not told the pass after a restart in the middle of one.
    """

    def __init__(self, order: Any, *, rows: int, padded: int, current_pass: Callable[[], int]) -> None:
        self._order = order
        self._rows = rows
        self._padded = padded
        self._current_pass = current_pass

    def __iter__(self) -> Iterator[int]:
        self._order.set_epoch(self._current_pass())
        yield from self._order
        yield from range(self._rows, self._padded)

    def __len__(self) -> int:
        return self._padded


def distributed_trainer(trainer: type) -> type:
    """Subclass of a trainer class for use by several processes together."""

    class InSeveral(_DistributedTrainer, trainer):
        pass

    return InSeveral


class _DistributedTrainer:
    """Mixin for Trainer: rows in the order of one process, evaluation in the batches of one process, one
    writer.
    """

    def get_train_dataloader(self: Any) -> Any:
        from datasets import Dataset, concatenate_datasets

        rows, together = len(self.train_dataset), self.args.train_batch_size * self.args.world_size
        self._nothings = -rows % together
        dataset = self.train_dataset
        if self._nothings:
            # Padding rows; the loss counts none of their tokens.
            nothing = {"input_ids": [self.processing_class.eos_token_id or 0], "labels": [-100]}
            filling = Dataset.from_list([nothing] * self._nothings, features=dataset.features)
            dataset = concatenate_datasets([dataset, filling])
        return self._get_dataloader(
            dataset=dataset,
            description="Training",
            batch_size=self._train_batch_size,
            sampler_fn=self._padded_order,
            is_training=True,
        )

    def _padded_order(self: Any, dataset: Any) -> Any:
        from accelerate.data_loader import SeedableRandomSampler

        rows, padded = len(self.train_dataset), len(dataset)
        in_a_step = self.args.train_batch_size * self.args.world_size * self.args.gradient_accumulation_steps
        return PaddedOrder(
            SeedableRandomSampler(range(rows), data_seed=self.args.data_seed),
            rows=rows,
            padded=padded,
            current_pass=lambda: self.state.global_step // math.ceil(padded / in_a_step),
        )

    def training_step(self: Any, *arguments: Any, **named: Any) -> Any:
        loss = super().training_step(*arguments, **named)  # type: ignore[misc]  # defined by Trainer
        state = self.accelerator.gradient_state
        if state.sync_gradients and state.end_of_dataloader:
            self._total_train_tokens -= self._nothings
            self._metrics["train"]["num_tokens"] = [self._total_train_tokens]
        return loss

    def evaluate(self: Any, *_: Any, **__: Any) -> dict[str, float]:
        """Compute the loss over the batches of a single process, distributed over the processes."""
        import torch

        rows, size, rank = self.eval_dataset, self.args.eval_batch_size, own_rank()
        batches: Sequence[range] = [
            range(start, min(start + size, len(rows))) for start in range(0, len(rows), size)
        ]
        self.model.eval()
        total = torch.zeros(1, dtype=torch.float64, device="cpu")
        for first in range(0, len(batches), rank.count):
            # Every process evaluates equally many batches, because the processes communicate in each.
            place = first + rank.number
            batch = batches[place] if place < len(batches) else batches[0]
            inputs = self.data_collator([rows[position] for position in batch])
            loss, _logits, _labels = self.prediction_step(self.model, inputs, prediction_loss_only=True)
            if place < len(batches):
                total += float(loss) * len(batch)
        told = total.to(torch.float32).to(self.args.device) / len(rows)
        torch.distributed.all_reduce(told)
        metrics = {"eval_loss": float(told)}
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def _save_checkpoint(self: Any, model: Any, trial: Any) -> None:
        if self.args.process_index == 0:
            super()._save_checkpoint(model, trial)  # type: ignore[misc]  # defined by Trainer

    def store_flos(self) -> None:
        """Do nothing: the number is unused, and collecting it needs all processes, but only one of them
        saves.
        """

    def _load_rng_state(self: Any, checkpoint: Any) -> None:
        """Do nothing: every step seeds its own draws (`draw_for_step`)."""
