"""`python -m training RUN_DIR`: see docs/run-directory.md."""

import argparse
import sys

from run_directory.machine import set_environment
from run_directory.program import RunDirectory, parse_arguments, run_in
from run_directory.ranks import die_with_parent, own_rank
from training.libraries import leave_out_unneeded
from training.spec import TrainingReport, TrainingResult


class Training:
    name = "training"
    result_type = TrainingResult

    def work(self, directory: RunDirectory) -> tuple[str, TrainingReport | None]:
        leave_out_unneeded(directory.spec)
        # Imports torch and the model libraries, which a rejected command line need not wait for.
        from training.program import train

        return train(directory)


def main(arguments: list[str]) -> int:
    parsed = parse_arguments(Training.name, arguments, more=_with_processes)
    if parsed.processes > 1:
        from training.launcher import train_together

        return train_together(parsed.run_dir.resolve(), parsed.processes, parsed.parent_pipe)
    set_environment()
    if own_rank().count > 1:
        die_with_parent()
    if not own_rank().is_first:
        from run_directory.followers import run_follower

        return run_follower(Training(), parsed.run_dir.resolve())
    return run_in(Training(), parsed.run_dir, parsed.parent_pipe)


def _with_processes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--processes",
        type=_count,
        default=1,
        metavar="N",
        help="number of processes on this machine, each on its own GPU; default 1",
    )


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) >= 1):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return int(text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
