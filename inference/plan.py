"""The batches of a run, and the outputs already in outputs.jsonl."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from inference.prompts import Prompt
from inference.spec import Candidate, Output
from run_directory.disk_space import is_disk_full, no_room
from run_directory.files import append_whole, drop_torn_line
from run_directory.program import Refusal
from run_directory.protocol import OUTPUTS_FILE
from run_directory.records import RecordError


@dataclass(frozen=True)
class Batch:
    """Rows that one candidate answers together. Number and rows are the same in every attempt."""

    number: int
    candidate: Candidate
    prompts: tuple[Prompt, ...]


def planned(prompts: Sequence[tuple[Candidate, Sequence[Prompt]]], batch_size: int) -> list[Batch]:
    """Batches candidate by candidate, longest prompts first.

    Rows of similar length waste the least padding, and a lack of memory shows in the first batch. Fixed
    batches make sampling repeatable: rows that share a random generator always share it with the same rows.
    """
    batches: list[Batch] = []
    for candidate, own in prompts:
        ordered = sorted(own, key=lambda prompt: (-len(prompt.tokens), prompt.row.example, prompt.row.sample))
        for start in range(0, len(ordered), batch_size):
            batches.append(Batch(len(batches), candidate, tuple(ordered[start : start + batch_size])))
    return batches


class Outputs:
    """outputs.jsonl: grows by whole batches; opening it removes a batch that a kill left incomplete."""

    def __init__(self, folder: Path, plan: Sequence[Batch]) -> None:
        self.path = folder / OUTPUTS_FILE
        drop_torn_line(self.path)
        self.written = self._whole_batches(plan)
        self._file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def append(self, outputs: Sequence[Output]) -> None:
        """Append a batch; it is on disk when this returns."""
        lines = "".join(output.to_json() + "\n" for output in outputs).encode()
        try:
            append_whole(self._file, lines)
            os.fsync(self._file)
        except OSError as error:
            folder = self.path.parent
            if not is_disk_full(error, folder):
                raise
            done = len(self.written)
            kept = (
                f"it continues after the {done:,} answers that are there"
                if done
                else "there are no answers yet, so it starts from the beginning"
            )
            raise Refusal(no_room(folder, what="a batch of answers", needed=len(lines), kept=kept)) from error
        self.written += outputs

    def _whole_batches(self, plan: Sequence[Batch]) -> list[Output]:
        if not self.path.exists():
            return []
        try:
            with self.path.open("rb") as file:
                sized = [
                    (Output.from_json(line, where=f"{OUTPUTS_FILE} line {number}"), len(line))
                    for number, line in enumerate(file, start=1)
                ]
        except RecordError as error:
            raise Refusal(f"{error}. The run directory is damaged; start a new one.") from error
        kept: list[Output] = []
        size = 0
        for batch in plan[: len({output.batch for output, _ in sized})]:
            own = sized[len(kept) : len(kept) + len(batch.prompts)]
            if [_key(output) for output, _ in own] != _keys(batch):
                break
            kept += [output for output, _ in own]
            size += sum(length for _, length in own)
        rest = {output.batch for output, _ in sized[len(kept) :]}
        if len(rest) > 1:
            raise Refusal(
                f"{OUTPUTS_FILE} does not follow the spec from its line {len(kept) + 1} on; start a new run"
            )
        os.truncate(self.path, size)
        return kept


def _key(output: Output) -> tuple[int, str, str, int]:
    return output.batch, output.candidate, output.example, output.sample


def _keys(batch: Batch) -> list[tuple[int, str, str, int]]:
    return [
        (batch.number, batch.candidate.key, prompt.row.example, prompt.row.sample) for prompt in batch.prompts
    ]
