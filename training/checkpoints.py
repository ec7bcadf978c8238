"""Checkpoints, the loss history in them, and the best weights so far."""

import math
import random
import shutil
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from run_directory.disk_space import folder_bytes, no_room
from run_directory.files import sync_folder, sync_tree, write_whole
from run_directory.model_files import read_object
from run_directory.protocol import BEST_FOLDER, CHECKPOINT_PREFIX, CHECKPOINTS_FOLDER, COMPLETE_FILE
from training.spec import StepLoss, TrainingSpec

_CHANGING_SECONDS = 20.0
"""How long a stop waits for an optimiser step, or for a checkpoint being written."""


def mark_complete(checkpoint: Path) -> None:
    """Mark a checkpoint as complete, once all its files are on disk."""
    sync_tree(checkpoint)
    write_whole(checkpoint / COMPLETE_FILE, b"")


def latest_checkpoint(run: Path) -> Path | None:
    """The newest complete checkpoint; incomplete ones left by a kill are deleted."""
    found: list[tuple[int, Path]] = []
    for path in (run / CHECKPOINTS_FOLDER).glob(f"{CHECKPOINT_PREFIX}*"):
        step = path.name.removeprefix(CHECKPOINT_PREFIX)
        if step.isdigit() and (path / COMPLETE_FILE).is_file():
            found.append((int(step), path))
        else:
            shutil.rmtree(path)
    return max(found)[1] if found else None


def no_room_for_checkpoint(run: Path) -> str:
    """Return the error message for a disk too full for a checkpoint, and delete the incomplete checkpoint."""
    checkpoints = run / CHECKPOINTS_FOLDER
    latest = latest_checkpoint(run)
    shutil.rmtree((checkpoints / BEST_FOLDER).with_suffix(".new"), ignore_errors=True)
    kept = (
        f"it continues from the complete checkpoint of step {step_of(latest)}"
        if latest
        else "there is no checkpoint yet, so it starts from the beginning"
    )
    return no_room(
        run, what="a checkpoint or a result", needed=folder_bytes(latest) if latest else None, kept=kept
    )


def step_of(checkpoint: Path) -> int:
    return int(checkpoint.name.removeprefix(CHECKPOINT_PREFIX))


@dataclass(frozen=True)
class History:
    """Trainer's log of every step; checkpoints carry it from one attempt to the next."""

    entries: Sequence[dict[str, Any]]

    @property
    def losses(self) -> tuple[StepLoss, ...]:
        return self._of("loss")

    @property
    def validation_losses(self) -> tuple[StepLoss, ...]:
        return self._of("eval_loss")

    @property
    def tokens(self) -> int:
        """Training tokens seen so far, without padding."""
        return int(max((entry.get("num_tokens", 0) for entry in self.entries), default=0))

    @property
    def best(self) -> StepLoss | None:
        """The lowest validation loss; on a tie, the earliest."""
        return min(self.validation_losses, key=lambda found: found.loss, default=None)

    def exhausted(self, patience: int | None) -> bool:
        """Whether the last `patience` evaluations did not improve the validation loss."""
        best = self.best
        if best is None or patience is None:
            return False
        return sum(found.step > best.step for found in self.validation_losses) >= patience

    def lacks_evaluation(self, step: int, total: int, every: int | None) -> bool:
        """Whether the step's evaluation is due but missing: a stop saves before it evaluates."""
        return is_evaluation_due(step, total, every) and all(
            found.step != step for found in self.validation_losses
        )

    def _of(self, name: str) -> tuple[StepLoss, ...]:
        return tuple(
            StepLoss(step=int(entry["step"]), loss=float(entry[name]))
            for entry in self.entries
            if name in entry
        )


def evaluation_interval(spec: TrainingSpec, total: int) -> int:
    """Number of optimiser steps between evaluations."""
    return math.ceil(total / spec.evaluations)


def is_evaluation_due(step: int, total: int, every: int | None) -> bool:
    """Whether an evaluation follows this step; ``every`` is None without validation rows."""
    return every is not None and step > 0 and (step >= total or step % every == 0)


def history_in(checkpoint: Path) -> History:
    """The log stored in a checkpoint."""
    # The file grows with the number of steps and is written by this program, so the limit is high.
    entries = read_object(checkpoint / "trainer_state.json", most=2**30)["log_history"]
    assert isinstance(entries, list)
    return History(entries)


class LastStep:
    """The state after the last complete step, for a stop that arrives while the next step is running.

    Weights do not change until the optimiser steps, so only the random draws of an unfinished step must be
    undone. ``begin`` and ``end`` enclose whatever changes the state: the optimiser's step until it is logged,
    and the writing of a checkpoint.
    """

    def __init__(self, trainer: Any) -> None:
        self._trainer = trainer
        self._random: dict[str, Any] | None = None
        self._changing = threading.Lock()
        self._is_held = False

    def begin(self) -> None:
        self._changing.acquire()
        self._is_held = True

    def end(self) -> None:
        """End the change of state. Without `begin` it does nothing, so a lock taken by `save` stays taken."""
        if self._is_held:
            self._is_held = False
            self._changing.release()

    def keep_random_state(self) -> None:
        """Store the state of the random generators after a step."""
        import numpy as np
        import torch

        self._random = {
            "python": random.getstate(),
            "numpy": np.random.get_state(),  # noqa: NPY002  # Trainer saves this generator
            "cpu": torch.random.get_rng_state(),
        }
        if torch.cuda.is_available():
            self._random["cuda"] = torch.cuda.random.get_rng_state()

    def restore_random_state(self) -> None:
        """Restore the random generators to their state after the step."""
        import numpy as np
        import torch

        if self._random is None:
            return
        random.setstate(self._random["python"])
        np.random.set_state(self._random["numpy"])  # noqa: NPY002  # Trainer saves this generator
        torch.random.set_rng_state(self._random["cpu"])
        if "cuda" in self._random:
            torch.cuda.random.set_rng_state(self._random["cuda"])

    def save(self) -> None:
        """Write the checkpoint of the last complete step, unless it exists. The process must exit afterwards.

        Raises TimeoutError when a running step or checkpoint does not end.
        """
        import torch

        # The lock is never released: nothing may change the state after this.
        if not self._changing.acquire(timeout=_CHANGING_SECONDS):
            raise TimeoutError("a step or a checkpoint does not end")
        step = self._trainer.state.global_step
        checkpoint = Path(self._trainer.args.output_dir) / f"{CHECKPOINT_PREFIX}{step}"
        if step == 0 or self._random is None or (checkpoint / COMPLETE_FILE).is_file():
            return
        self._trainer._save_checkpoint(self._trainer.model, trial=None)
        torch.save(self._random, checkpoint / "rng_state.pth")
        mark_complete(checkpoint)


def save_best(model: Any, run: Path) -> None:
    """Save the trained adapter or full model as the best so far, replacing the whole folder."""
    best = run / CHECKPOINTS_FOLDER / BEST_FOLDER
    fresh = best.with_suffix(".new")
    shutil.rmtree(fresh, ignore_errors=True)
    if hasattr(model, "peft_config"):
        model.save_pretrained(fresh, save_embedding_layers=False)
    else:
        model.save_pretrained(fresh)
    sync_tree(fresh)
    # A kill between these two lines leaves no best folder. Nothing is lost: every evaluation follows the
    # checkpoint that the next attempt resumes from, so it is repeated.
    shutil.rmtree(best, ignore_errors=True)
    fresh.rename(best)
    sync_folder(best.parent)
