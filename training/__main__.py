"""`python -m training RUN_DIR`: see docs/run-directory.md."""

import argparse
import sys

from run_directory.machine import set_environment
from run_directory.program import RunDirectory, parse_arguments, run_program
from run_directory.ranks import die_with_parent, own_rank
from training.spec import TrainingReport, TrainingResult


class Training:
    name = "training"
    result_type = TrainingResult

    def work(self, directory: RunDirectory) -> tuple[str, TrainingReport | None]:
        # Imports torch and its kin, which a refused command line need not wait for.
        from training.recipes import train

        return train(directory)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--processes", type=int, default=1)
    several, rest = parser.parse_known_args(arguments)
    if several.processes > 1:
        from training.launcher import train_together

        parsed = parse_arguments(Training.name, rest)
        return train_together(parsed.run_dir.resolve(), several.processes, parsed.parent_pipe)
    set_environment()
    if own_rank().count > 1:
        die_with_parent()
    if not own_rank().is_first:
        from run_directory.followers import run_follower

        return run_follower(Training(), parse_arguments(Training.name, rest).run_dir.resolve())
    return run_program(Training(), rest)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
