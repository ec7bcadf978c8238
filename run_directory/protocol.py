"""The protocol between web application and model programs: names, events, exit codes.

Standard library only, so that the web application can import it. docs/run-directory.md describes the same in
prose.
"""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Literal

from run_directory.records import Record, require, require_storable

SPEC_FILE = "spec.json"
"""Written by the caller before the start and never changed afterwards."""
DATA_FILE = "data.jsonl"
"""Written by the caller before the start: one row per line."""
EVENTS_FILE = "events.jsonl"
"""Append-only, one Event per line, over all attempts."""
OUTPUTS_FILE = "outputs.jsonl"
"""Generation only: one output per line."""
INPUTS_FOLDER = "inputs"
"""Here a caller may link the base and the adapters, so that a spec means the same on every machine."""
CHECKPOINTS_FOLDER = "checkpoints"
"""Training only: a restart continues from here; may be deleted after the end."""
CHECKPOINT_PREFIX = "checkpoint-"
"""Prefix of the folders in `CHECKPOINTS_FOLDER`, followed by the step."""
COMPLETE_FILE = "complete"
"""Written last into a checkpoint; a checkpoint without it is incomplete."""
BEST_FOLDER = "best"
"""In `CHECKPOINTS_FOLDER`: the trained weights with the lowest validation loss so far."""
ADAPTER_FOLDER = "adapter"
"""Training only: exists if and only if a training that produces an adapter has finished."""
MODEL_FOLDER = "model"
"""Training only: exists if and only if a training that produces a full model has finished."""
MANIFEST_FILE = "manifest.json"
"""In the adapter or model folder: its provenance and the SHA-256 of every file."""
RESULT_FILE = "result.json"
"""Exists if and only if the latest attempt ended by its own decision."""
LOG_FILE = "program.log"
"""Stack traces and library output, for engineers; append-only."""
LOCK_FILE = "lock"
"""Locked with flock while a program runs; contains its process id."""


class ExitCode(IntEnum):
    """Exit status of a model program. Any other status, or a signal, means a lost attempt: start again."""

    SUCCEEDED = 0
    CRASHED = 1
    """Unexpected error: result.json has a sentence, program.log the stack trace. Another attempt may help."""
    USAGE = 2
    """Wrong command line."""
    FAILED = 3
    """The input cannot be used: result.json says what, where and how to fix it. Do not retry."""
    CANCELLED = 4
    """Stopped by SIGTERM: work is saved, and the same command continues it."""
    LOCKED = 5
    """Another program is working in this run directory; nothing was changed."""
    ABANDONED = 6
    """The pipe to the parent closed: work is saved, and the same command continues it."""


Outcome = Literal["succeeded", "failed", "cancelled", "abandoned", "crashed"]

EventKind = Literal["started", "stage", "progress", "warning", "metrics", "samples", "finished"]


@dataclass(frozen=True, kw_only=True)
class Event(Record):
    """One line of events.jsonl.

    | kind     | when                         | fields                                                     |
    | started  | first of each attempt        | program, attempt, process_id, resumed_from                 |
    | stage    | a part begins                | name, and what was decided for it (engine, device, why)    |
    | progress | a step, or a batch of rows   | eta_seconds; the program's own numbers (see its spec)      |
    | warning  | worth a person's attention   | name, and the numbers behind the message                   |
    | metrics  | a measurement of the whole   | the program's own numbers                                  |
    | samples  | a training's evaluation      | what the model answers by then (see the program's spec)    |
    | finished | last of each attempt         | outcome, exit_code                                         |

    `step` of `total` counts the program's unit: optimiser steps in training, outputs in generation.
    """

    kind: EventKind
    time: str
    """ISO 8601 in UTC with milliseconds, ending in Z."""
    message: str
    """One sentence for a person."""
    step: int | None = None
    total: int | None = None
    fields: dict[str, Any] = field(default_factory=dict)

    def check(self, where: str) -> None:
        for name, count in (("step", self.step), ("total", self.total)):
            require(count is None or 0 <= count < 2**31, where, f"{name} is not between 0 and 2147483647")
        require_storable(self.message, f"{where}: message")
        require_storable(self.fields, f"{where}: fields")


@dataclass(frozen=True, kw_only=True)
class Message(Record):
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, kw_only=True)
class Device(Record):
    """The device that did the work, and why it was chosen."""

    kind: Literal["cpu", "cuda"]
    name: str
    """As the machine reports it, for example `NVIDIA H100 80GB HBM3`."""
    dtype: Literal["bf16", "fp32"]
    threads: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class MadeFrom(Record):
    """Provenance of a training's result, in manifest.json."""

    format: Literal[1]
    rows: int
    """Training rows including truncated ones, without validation rows; a training of less than one pass does
    not read them all.
    """
    files: dict[str, str]
    """SHA-256 by file name, without manifest.json."""
    base_fingerprint: str
    chat_template_sha256: str
    spec_sha256: str
    data_sha256: str


@dataclass(frozen=True, kw_only=True)
class Manifest(MadeFrom):
    """manifest.json of an adapter folder made by the training program."""

    adapter_sha256: str
    """SHA-256 of adapter_model.safetensors: the adapter's identity."""


@dataclass(frozen=True, kw_only=True)
class ModelManifest(MadeFrom):
    """manifest.json of a model folder made by the training program."""

    fingerprint: str
    """`check_base`'s fingerprint of the folder: the model's identity."""
