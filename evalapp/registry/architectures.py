"""Architectures that the model programs support, read from transformers' own list without importing it."""

import ast
import functools
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from django.conf import settings

_LIST = "MODEL_FOR_CAUSAL_LM_MAPPING_NAMES"
_FILE = Path("models/auto/modeling_auto.py")
_QUESTION = (
    "import importlib.util; print(importlib.util.find_spec('transformers').submodule_search_locations[0])"
)
_QUESTION_SECONDS = 30


def why_unknown(model_type: str) -> str:
    """Why the library cannot generate text with this architecture, as a sentence; empty if it can, or if
    unknown.
    """
    known = _known(str(settings.MODEL_PYTHON))
    if not known or model_type in known:
        return ""
    return (
        f"config.json: model_type is “{model_type}”, for which the installed transformers library has no"
        " text generation. Choose a model with a supported architecture, or update transformers."
    )


@functools.lru_cache(maxsize=8)
def _known(python: str) -> frozenset[str]:
    folder = _library(python)
    try:
        tree = ast.parse((folder / _FILE).read_text(encoding="utf-8")) if folder else None
    except (OSError, SyntaxError):
        tree = None
    for statement in tree.body if tree else []:
        if isinstance(statement, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == _LIST for target in statement.targets
        ):
            pairs = [node for node in ast.walk(statement.value) if isinstance(node, ast.Tuple) and node.elts]
            names = [pair.elts[0].value for pair in pairs if isinstance(pair.elts[0], ast.Constant)]
            return frozenset(str(name) for name in names)
    return frozenset()


def _library(python: str) -> Path | None:
    if python == sys.executable:
        spec = find_spec("transformers")
        return Path(spec.submodule_search_locations[0]) if spec and spec.submodule_search_locations else None
    try:
        answer = subprocess.run(
            [python, "-c", _QUESTION], capture_output=True, check=True, timeout=_QUESTION_SECONDS, text=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    found = Path(answer.stdout.strip())
    return found if found.is_absolute() else None
