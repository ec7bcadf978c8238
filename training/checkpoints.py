"""What a restart continues from, and the best weights so far."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from run_directory.files import sync_folder, sync_tree, write_whole
from run_directory.model_files import read_object
from run_directory.protocol import CHECKPOINTS_FOLDER
from training.spec import StepLoss

BEST_FOLDER = "best"
"""The trained weights at the best validation loss so far."""

_COMPLETE = "complete"
"""A file that is written last: a checkpoint without it was cut off by a kill."""

_PREFIX = "checkpoint-"


def mark_complete(checkpoint: Path) -> None:
    """Declare a checkpoint whole, once all its files are on the disk."""
    sync_tree(checkpoint)
    write_whole(checkpoint / _COMPLETE, b"")


def latest_checkpoint(run: Path) -> Path | None:
    """The newest whole checkpoint; those that a kill cut off are deleted."""
    found: list[tuple[int, Path]] = []
    for path in (run / CHECKPOINTS_FOLDER).glob(f"{_PREFIX}*"):
        step = path.name.removeprefix(_PREFIX)
        if step.isdigit() and (path / _COMPLETE).is_file():
            found.append((int(step), path))
        else:
            shutil.rmtree(path)
    return max(found)[1] if found else None


def step_of(checkpoint: Path) -> int:
    return int(checkpoint.name.removeprefix(_PREFIX))


@dataclass(frozen=True)
class History:
    """Trainer's log of every step, which each checkpoint carries over the attempts."""

    entries: Sequence[dict[str, Any]]

    @property
    def losses(self) -> tuple[StepLoss, ...]:
        return self._of("loss")

    @property
    def validation_losses(self) -> tuple[StepLoss, ...]:
        return self._of("eval_loss")

    @property
    def tokens(self) -> int:
        """Training tokens seen, padding left out."""
        return int(max((entry.get("num_tokens", 0) for entry in self.entries), default=0))

    @property
    def best(self) -> StepLoss | None:
        """The first of the lowest validation losses."""
        return min(self.validation_losses, key=lambda found: found.loss, default=None)

    def exhausted(self, patience: int | None) -> bool:
        """Whether the last `patience` evaluations brought no better validation loss."""
        best = self.best
        if best is None or patience is None:
            return False
        return sum(found.step > best.step for found in self.validation_losses) >= patience

    def _of(self, name: str) -> tuple[StepLoss, ...]:
        return tuple(
            StepLoss(step=int(entry["step"]), loss=float(entry[name]))
            for entry in self.entries
            if name in entry
        )


def history_in(checkpoint: Path) -> History:
    """The log that a checkpoint carries."""
    # It grows with the steps, and is our own.
    entries = read_object(checkpoint / "trainer_state.json", most=2**30)["log_history"]
    assert isinstance(entries, list)  # noqa: S101  # Trainer's own file, marked complete
    return History(entries)


def save_best(model: Any, run: Path) -> None:
    """Keep what was trained, the adapter or the whole model, as the best so far; the folder is replaced whole."""
    best = run / CHECKPOINTS_FOLDER / BEST_FOLDER
    fresh = best.with_suffix(".new")
    shutil.rmtree(fresh, ignore_errors=True)
    if hasattr(model, "peft_config"):
        model.save_pretrained(fresh, save_embedding_layers=False)
    else:
        model.save_pretrained(fresh)
    sync_tree(fresh)
    # Between these two lines there is no best folder: a kill there loses only what the checkpoint before
    # it makes again, since every evaluation lies after the checkpoint it started from.
    shutil.rmtree(best, ignore_errors=True)
    fresh.rename(best)
    sync_folder(best.parent)
