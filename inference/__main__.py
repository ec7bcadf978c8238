"""`python -m inference RUN_DIR`: see docs/run-directory.md."""

import os
import sys
from contextlib import suppress

from inference.engines import may_want_vllm, vllm_environment, wants_vllm_cpu
from inference.spec import GenerationReport, GenerationResult, GenerationSpec
from run_directory.machine import leave_out, set_environment
from run_directory.program import RunDirectory, parse_arguments, run_program
from run_directory.protocol import SPEC_FILE
from run_directory.records import RecordError

_STARTED_AGAIN = "INFERENCE_STARTED_AGAIN"


def leave_out_unneeded(spec: bytes) -> None:
    """Prevent imports of unneeded libraries; call before importing torch. Cuts the start with transformers
    alone by a third.
    """
    leave_out("sklearn")
    with suppress(RecordError):
        if not may_want_vllm(GenerationSpec.from_json(spec)):
            leave_out("bitsandbytes", "boto3", "scipy", "torchvision")


class Inference:
    name = "inference"
    result_type = GenerationResult

    def work(self, directory: RunDirectory) -> tuple[str, GenerationReport]:
        leave_out_unneeded(directory.spec)
        from inference.generate import generation

        return generation(directory)


def main(arguments: list[str]) -> int:
    set_environment()
    _start_again_for_vllm(arguments)
    return run_program(Inference(), arguments)


def _start_again_for_vllm(arguments: list[str]) -> None:
    """Re-execute this process with what vLLM on the CPU needs from the start: a preloaded library, bound
    cores.
    """
    if _STARTED_AGAIN in os.environ:
        return
    parsed = parse_arguments(Inference.name, arguments)
    try:
        spec = GenerationSpec.from_json((parsed.run_dir / SPEC_FILE).read_bytes())
    except (OSError, RecordError):
        # The program itself reports this error, in the run directory.
        return
    if not wants_vllm_cpu(spec):
        return
    if parsed.parent_pipe is not None:
        os.set_inheritable(parsed.parent_pipe, True)
    environment = {**os.environ, **vllm_environment(spec.threads), _STARTED_AGAIN: "1"}
    os.execve(sys.executable, [sys.executable, "-m", "inference", *arguments], environment)  # noqa: S606  # re-exec


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
