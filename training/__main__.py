"""`python -m training RUN_DIR`: see docs/run-directory.md."""

import sys

from run_directory.machine import set_environment
from run_directory.program import RunDirectory, run_program
from training.spec import TrainingReport, TrainingResult


class Training:
    name = "training"
    result_type = TrainingResult

    def work(self, directory: RunDirectory) -> tuple[str, TrainingReport]:
        # Imports torch and its kin, which a refused command line need not wait for.
        from training.recipes import train

        return train(directory)


def main(arguments: list[str]) -> int:
    set_environment()
    return run_program(Training(), arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
