"""Our training program against a bare TRL loop with the same arguments.

    python -m bench.training [--base FOLDER] [--objective sft] [--rounds 5] [--steps 24] [--batch 4]

The sides run alternately, each in a process of its own, and train LoRA on the same rows of the small real
model, with the same batch, number format, threads, environment and checkpoints, and a log of every step.
Measured are tokens per second between the log of the first step, which warms up, and that of the last; the
time of the whole process, with reading, encoding, checks and publishing, is printed as well. Exits with 3 if
the median of the rounds' ratios is below 0.95. Skipped if the packages for models are not installed.
"""

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from bench.small_model import answers, prompts, run_module, small_model
from proofs.figures import MISSED, report_figure
from training.spec import TrainingSpec

LEAST_RATIO = 0.95


class Measured(NamedTuple):
    """Tokens per second of the steps after the first, and seconds of the whole process."""

    tokens_per_second: float
    seconds: float


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--base", help="folder of a model; default: the bundled small model")
    parser.add_argument("--objective", choices=("sft", "dpo"), default="sft")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument(
        "--words", type=int, default=40, help="average number of words in a prompt and in an answer"
    )
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args()
    if find_spec("trl") is None:
        print("The models' packages are not installed here, so there is nothing to compare: skipped.")
        return 0
    # As our program sets it. Threads that spin while waiting take a shared machine's cores from each other
    # and would slow the bare loop to a quarter.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    work = Path(tempfile.mkdtemp(prefix="evalapp-bench-", dir="/tmp"))
    try:
        run = _written(work / "run", options, small_model(options.base))
        sides = {"ours": _ours, "bare TRL": _bare}
        rounds = []
        for number in range(options.rounds):
            order = list(sides) if number % 2 == 0 else list(reversed(sides))
            rounds.append({name: _measured(sides[name], run, work / "copy") for name in order})
            print(f"round {number + 1} of {options.rounds}: {_in_words(rounds[-1])}", flush=True)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    ratio, whole = (
        statistics.median(each["ours"][field] / each["bare TRL"][field] for each in rounds)
        for field in (0, 1)
    )
    print(f"{options.objective}, {options.steps} steps of {options.batch} rows, medians of {options.rounds}")
    report_figure("of its whole time", whole)
    return 0 if report_figure("of bare TRL's tokens/s", ratio, at_least=LEAST_RATIO) else MISSED


def _written(folder: Path, options: argparse.Namespace, base: Path) -> Path:
    count = options.batch * options.steps
    asked, good, bad = (
        prompts(count, words=options.words),
        answers(count, words=options.words),
        answers(count, words=options.words, seed=12),
    )
    spec = TrainingSpec(
        objective=options.objective,
        base_folder=str(base),
        rows=count,
        max_steps=options.steps,
        batch_size=options.batch,
        accumulation_steps=1,
        learning_rate=2e-4,
        max_length=1024,
        validation_share=0,
        dtype="bf16",
        threads=options.threads,
    )
    named = ("prompt", "completion") if options.objective == "sft" else ("prompt", "chosen", "rejected")
    folder.mkdir()
    (folder / "spec.json").write_text(spec.to_json())
    with (folder / "data.jsonl").open("w") as file:
        for number, turns in enumerate(zip(asked, good, bad, strict=True)):
            row = {"id": str(number), **dict(zip(named, turns, strict=False))}
            file.write(json.dumps(row) + "\n")
    return folder


def _measured(side: Callable[[Path], "Steps"], run: Path, copy: Path) -> Measured:
    shutil.copytree(run, copy)
    began = time.monotonic()
    found = side(copy)
    seconds = time.monotonic() - began
    shutil.rmtree(copy)
    # Both sides read the same rows in the same order.
    counted = found.tokens * (len(found.logged) - 1) / len(found.logged)
    return Measured(counted / (found.logged[-1] - found.logged[0]), seconds)


class Steps(NamedTuple):
    """The time of each step's log in seconds, and the tokens of all steps."""

    logged: list[float]
    tokens: float


def _ours(folder: Path) -> Steps:
    run_module("training", str(folder))
    events = [json.loads(line) for line in (folder / "events.jsonl").open()]
    logged = [
        datetime.fromisoformat(event["time"]).timestamp() for event in events if event["kind"] == "progress"
    ]
    return Steps(logged, json.loads((folder / "result.json").read_text())["report"]["tokens"])


def _bare(folder: Path) -> Steps:
    return Steps(**json.loads(run_module("bench.bare_trl", str(folder)).splitlines()[-1]))


def _in_words(measured: dict[str, Measured]) -> str:
    return ", ".join(
        f"{name} {each.tokens_per_second:.1f} tokens/s, {each.seconds:.0f} s in all"
        for name, each in measured.items()
    )


if __name__ == "__main__":
    sys.exit(main())
