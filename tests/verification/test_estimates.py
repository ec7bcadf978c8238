"""The time that a dry run estimates, against the time that the training then takes.

A dry run says what the machine was worth at its time. So there is one before the training and one after it:
where both say the same, the training must take that time; where the machine has meanwhile become slower or
faster, a time between the two.
"""

import json
import random
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from run_directory.protocol import ExitCode
from tests.run_directory.tiny import make_base, start, write_run
from training.dry_run_report import DryRunResult
from training.spec import TrainingResult, TrainingSpec

pytestmark = pytest.mark.verification

WITHIN = 0.25
WORDS = [
    "you",
    "save",
    "a",
    "third",
    "of",
    "it",
    "for",
    "the",
    "house",
    "and",
    "keep",
    "the",
    "rest",
    "in",
    "bonds",
    "until",
    "prices",
    "fall",
    "again",
]


class Setting(NamedTuple):
    """`spread` is how much the lengths of the rows differ (sigma of their logarithm)."""

    is_real: bool
    rows: int
    words: int
    spread: float
    fields: dict[str, Any]


SETTINGS = {
    "short rows": Setting(True, 64, 15, 0.1, {"max_steps": 16, "batch_size": 4, "accumulation_steps": 1}),
    "lengths that differ, accumulated, with evaluations": Setting(
        True,
        60,
        25,
        0.7,
        {
            "epochs": 1.0,
            "batch_size": 4,
            "accumulation_steps": 2,
            "validation_share": 0.2,
            "evaluations": 3,
            "patience": None,
        },
    ),
    "every weight": Setting(
        True,
        24,
        15,
        0.4,
        {"method": "full", "max_steps": 8, "batch_size": 2, "accumulation_steps": 1, "checkpoint_steps": 4},
    ),
    "pairs": Setting(
        True,
        30,
        12,
        0.4,
        {
            "objective": "dpo",
            "max_steps": 8,
            "batch_size": 2,
            "accumulation_steps": 1,
            "validation_share": 0.2,
            "evaluations": 2,
        },
    ),
    "a tiny model": Setting(
        False, 400, 40, 0.6, {"epochs": 2.0, "batch_size": 8, "accumulation_steps": 1, "patience": None}
    ),
    "a tiny model, every weight": Setting(
        False, 300, 40, 0.6, {"method": "full", "epochs": 4.0, "batch_size": 4, "patience": None}
    ),
}


def rows_of(setting: Setting, objective: str) -> list[dict[str, Any]]:
    generator = random.Random(5)

    def said(role: str) -> list[dict[str, str]]:
        count = max(2, int(setting.words * generator.lognormvariate(0, setting.spread)))
        return [{"role": role, "content": " ".join(generator.choices(WORDS, k=count))}]

    names = ("chosen", "rejected") if objective == "dpo" else ("completion",)
    return [
        {"id": str(number), "prompt": said("user"), **{name: said("assistant") for name in names}}
        for number in range(setting.rows)
    ]


def ended(program: str, folder: Path) -> None:
    with start(program, folder) as process:
        _, errors = process.communicate(timeout=1500)
    assert process.returncode == ExitCode.SUCCEEDED, errors


def estimate(folder: Path, spec: TrainingSpec, given: list[dict[str, Any]]) -> float:
    """Seconds that a dry run expects of the training."""
    write_run(folder, spec, given)
    ended("training.dry_run", folder)
    report = DryRunResult.from_json((folder / "result.json").read_bytes()).report
    assert report is not None
    assert report.estimate is not None
    print(json.dumps(report.estimate.to_dict()), json.dumps(report.trial and report.trial.to_dict()))
    return report.estimate.seconds


def train(folder: Path, spec: TrainingSpec, given: list[dict[str, Any]]) -> float:
    """Seconds that the training took."""
    ended("training", write_run(folder, spec, given))
    report = TrainingResult.from_json((folder / "result.json").read_bytes()).report
    # Checkpoints of a full model take gigabytes.
    shutil.rmtree(folder)
    assert report is not None
    return report.seconds


@pytest.mark.parametrize("name", SETTINGS)
def test_a_training_takes_as_long_as_the_dry_run_estimates(
    name: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    setting = SETTINGS[name]
    base = (
        request.getfixturevalue("small_model")
        if setting.is_real
        else make_base(tmp_path / "tiny", context=1024)
    )
    fields = {"validation_share": 0.0} | setting.fields
    spec = TrainingSpec(base_folder=str(base), rows=setting.rows, device="cpu", **fields)
    given = rows_of(setting, spec.objective)
    before = estimate(tmp_path / "before", spec, given)
    took = train(tmp_path / "run", spec, given)
    after = estimate(tmp_path / "after", spec, given)
    print(
        f"{name}: took {took:.1f} s, estimated {before:.1f} s before it ({before / took:.2f} of it) and"
        f" {after:.1f} s after it ({after / took:.2f})"
    )
    assert max(before, after) >= (1 - WITHIN) * took
    assert min(before, after) <= (1 + WITHIN) * took
