"""Run the long proofs part by part, and keep what passed in docs/proofs.md.

    python -m proofs verify|chaos|bench [PART ...] [--list] [--stale]
    python -m proofs write      # the lines of new parts into docs/proofs.md

A part that fails does not stop the others. Exit code 0: every chosen part passed; 1: one failed or missed a
target.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from proofs.parts import PARTS, Kind, Part
from proofs.record import Pass, has_changed, head, read_record, write_record
from proofs.run import Outcome, run_part


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m proofs", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("kind", choices=[*Kind, "write"])
    parser.add_argument("part", nargs="*", help="by default all")
    parser.add_argument(
        "--list", action="store_true", help="name the parts and their last passes; run nothing"
    )
    parser.add_argument(
        "--stale", action="store_true", help="only parts that never passed or whose code has changed since"
    )
    options = parser.parse_args()
    if options.kind == "write":
        write_record(read_record())
        return 0
    chosen = [part for part in PARTS if part.kind == options.kind]
    names = [part.name for part in chosen]
    if unknown := set(options.part) - set(names):
        parser.error(f"no part {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    if options.part:
        chosen = [part for part in chosen if part.name in options.part]
    record = read_record()
    if options.stale:
        chosen = [part for part in chosen if state_of(part, record.get(part.name)) != "passed"]
    if options.list:
        for part in chosen:
            print(in_words(part, record.get(part.name)))
        return 0
    return run_all(chosen)


def run_all(chosen: Sequence[Part]) -> int:
    failed, missed, empty = [], [], []
    alone: list[str] = []
    for number, part in enumerate(chosen, 1):
        last = read_record().get(part.name)
        print(f"\n== {number} of {len(chosen)}: {in_words(part, last)}", flush=True)
        commit = head()
        is_uncommitted = has_changed(part, "HEAD")
        outcome = run_part(part)
        alone.extend(outcome.alone)
        if outcome.is_empty:
            empty.append(part.name)
        elif not outcome.is_passed:
            failed.append(part.name)
        elif is_uncommitted or not commit or has_changed(part, commit):
            print(f"\n{part.name}: not recorded, because its code has changes that are not committed.")
        else:
            keep(part, outcome, commit)
        if outcome.has_missed:
            missed.append(part.name)
    print()
    for names, words in (
        (empty, "Nothing to run on this machine (each says above what is missing)"),
        (missed, "Missed a target"),
        (failed, "Failed"),
    ):
        if names:
            print(f"{words}: {', '.join(names)}")
    if alone:
        print("Each failure alone:", *alone, sep="\n  ")
    if not failed and not missed:
        print(f"{len(chosen) - len(empty)} of {len(chosen)} parts passed.")
    return 1 if failed or missed else 0


def keep(part: Part, outcome: Outcome, commit: str) -> None:
    # Read again: another part may have been recorded in the meantime.
    record = read_record()
    record[part.name] = Pass(
        outcome.figures, commit, datetime.now(UTC).date().isoformat(), in_minutes(outcome.seconds), machine()
    )
    write_record(record)
    print(f"\n{part.name}: passed in {in_minutes(outcome.seconds)}; recorded in docs/proofs.md")


def state_of(part: Part, last: Pass | None) -> str:
    if last is None:
        return "not yet passed"
    return "older than the code" if has_changed(part, last.commit) else "passed"


def in_words(part: Part, last: Pass | None) -> str:
    state = state_of(part, last)
    if last is not None:
        state += f" {last.date}, {last.commit}, in {last.took}"
    return f"{part.name}: {part.proves} ({state})"


def in_minutes(seconds: float) -> str:
    return f"{round(seconds) // 60}:{round(seconds) % 60:02}"


def machine() -> str:
    """The kind of this machine: cores, memory, and the card if there is one."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores, {memory:.0f} GiB, {_card() or 'no GPU'}"


def _card() -> str:
    try:
        told = subprocess.run(
            ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()
    except (OSError, subprocess.CalledProcessError):
        return ""
    return told[0].strip() if told else ""


if __name__ == "__main__":
    sys.exit(main())
