"""`python -m training RUN_DIR`: see docs/run-directory.md."""

import sys

from run_directory.machine import set_environment
from run_directory.program import RunDirectory, run_program
from training.spec import TrainingReport, TrainingResult


class Training:
    name = "training"
    result_type = TrainingResult

    def work(self, directory: RunDirectory) -> tuple[str, TrainingReport]:
        from training.recipes import supervised_fine_tuning

        return supervised_fine_tuning(directory)


def main(arguments: list[str]) -> int:
    # Models come from folders on this machine, never from a hub.
    os.environ.update(
        {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "TOKENIZERS_PARALLELISM": "false"}
    )
    return run_program(Training(), arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
