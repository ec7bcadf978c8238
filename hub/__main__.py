"""`python -m hub RUN_DIR`: downloads a model from a hub, or pushes a dataset; see docs/run-directory.md."""

import os
import sys
from pathlib import Path

from hub.spec import HubReport, HubResult, PushReport, PushResult, is_push
from run_directory.machine import leave_out
from run_directory.program import RunDirectory, parse_arguments, run_in
from run_directory.protocol import SPEC_FILE


class Download:
    name = "hub"
    result_type = HubResult

    def work(self, directory: RunDirectory) -> tuple[str, HubReport]:
        # Only configurations and tokenizers are read, no weights.
        leave_out("torch", "sklearn")
        from hub.download import download

        return download(directory)


class Push:
    name = "hub"
    result_type = PushResult

    def work(self, directory: RunDirectory) -> tuple[str, PushReport]:
        from hub.push import push

        return push(directory)


def main(arguments: list[str]) -> int:
    parsed = parse_arguments(Download.name, arguments)
    # Set before the library is imported, which reads them. Its fast transfers (Xet) would bypass the guard;
    # the other defaults would write files outside the run directory.
    os.environ.update(
        {"HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_XET": "1",
        "HF_HOME": str(parsed.run_dir.resolve() / ".hub"), "TOKENIZERS_PARALLELISM": "false",
        "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1"}
    )  # fmt: skip
    return run_in(_program_of(parsed.run_dir), parsed.run_dir, parsed.parent_pipe)


def _program_of(run_dir: Path) -> Download | Push:
    spec = run_dir / SPEC_FILE
    return Push() if spec.is_file() and is_push(spec.read_bytes()) else Download()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
