"""`python -m hub RUN_DIR`: downloads a model from a hub; see docs/run-directory.md."""

import os
import sys
from pathlib import Path

from hub.spec import HubReport, HubResult
from run_directory.machine import leave_out
from run_directory.program import RunDirectory, run_program


class Hub:
    name = "hub"
    result_type = HubResult

    def work(self, directory: RunDirectory) -> tuple[str, HubReport]:
        leave_out("sklearn", "torchvision")
        from hub.download import download

        return download(directory)


def main(arguments: list[str]) -> int:
    # Read when the library is imported. Its fast transfers would go past the guard; the rest would leave
    # files of its own outside the run directory.
    os.environ.update(
        {"HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_XET": "1",
        "TOKENIZERS_PARALLELISM": "false"}
    )  # fmt: skip
    if arguments and Path(arguments[0]).is_dir():
        os.environ["HF_HOME"] = str(Path(arguments[0]).resolve() / ".hub")
    return run_program(Hub(), arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
