"""The GPUs of this machine that runs may use, found without loading a model library."""

import functools
import os
import subprocess

from evalapp.env import Environment

_QUESTION = ("nvidia-smi", "--query-gpu=index", "--format=csv,noheader")
_QUESTION_SECONDS = 20


@functools.cache
def gpus_for_runs(environment: Environment) -> tuple[str, ...]:
    """Ids of the GPUs for runs, as in CUDA_VISIBLE_DEVICES; empty if runs use the CPU.

    Taken from EVALAPP_GPUS, else CUDA_VISIBLE_DEVICES, else nvidia-smi.
    """
    if environment.gpus is not None:
        return environment.gpus
    shown = os.environ.get("CUDA_VISIBLE_DEVICES")
    if shown is not None:
        return tuple(name for word in shown.split(",") if (name := word.strip()))
    try:
        listed = subprocess.run(
            _QUESTION, capture_output=True, check=True, timeout=_QUESTION_SECONDS, text=True
        )
    except (OSError, subprocess.SubprocessError):
        return ()
    return tuple(listed.stdout.split())
