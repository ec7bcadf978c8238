"""Training runs on the tiny base, as the web application would write them."""

from pathlib import Path
from typing import Any

import pytest

from tests.run_directory.tiny import opened, write_run
from training.objectives import OBJECTIVES, objective_of
from training.program import train as train_in
from training.rows import JudgedRow, PreferenceRow, TrainingRow
from training.spec import TrainingReport, TrainingSpec

STEPS = 8

# `make test` takes SFT, `make verify` the others too: what a test of these is about is alike in all.
EACH_OBJECTIVE = pytest.mark.parametrize(
    "objective",
    [
        pytest.param(each.key, marks=[] if each.key == "sft" else [pytest.mark.verification])
        for each in OBJECTIVES
    ],
)


def rows(count: int = 24) -> list[dict[str, Any]]:
    return [
        {
            "id": f"row-{n}",
            "prompt": [{"role": "user", "content": f"Summarise client {n}."}],
            "completion": [
                {"role": "assistant", "content": f"You save {n * 50} a month. Call us next week."}
            ],
        }
        for n in range(count)
    ]


def pairs(count: int = 24) -> list[dict[str, Any]]:
    """The same with a worse answer beside each."""
    return [
        {
            "id": row["id"],
            "prompt": row["prompt"],
            "chosen": row["completion"],
            "rejected": [{"role": "assistant", "content": f"The portfolio holds {n} percent shares."}],
        }
        for n, row in enumerate(rows(count))
    ]


def judgements(count: int = 24) -> list[dict[str, Any]]:
    """Two good answers to one bad one."""
    return [
        {
            "id": pair["id"],
            "prompt": pair["prompt"],
            "completion": pair["chosen" if n % 3 else "rejected"],
            "label": bool(n % 3),
        }
        for n, pair in enumerate(pairs(count))
    ]


_ROWS = {TrainingRow: rows, PreferenceRow: pairs, JudgedRow: judgements}


def rows_for(objective: str, count: int = 24) -> list[dict[str, Any]]:
    return _ROWS[objective_of(objective).row_type](count)


def make_spec(base: Path, **fields: Any) -> TrainingSpec:
    settings: dict[str, Any] = {
        "base_folder": str(base),
        "rows": 24,
        "max_steps": STEPS,
        "batch_size": 4,
        "accumulation_steps": 1,
        "learning_rate": 5e-3,
        "validation_share": 0.0,
        "checkpoint_steps": 3,
        "dtype": "fp32",
        "device": "cpu",
        "threads": 1,
    }
    return TrainingSpec(**(settings | fields))


def train(folder: Path, spec: TrainingSpec, given: list[dict[str, Any]] | None = None) -> TrainingReport:
    write_run(folder, spec, given if given is not None else rows_for(spec.objective, spec.rows))
    return train_in(opened(folder))[1]
