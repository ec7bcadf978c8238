"""The settings of a training, with their schema from the program's own specification."""

from collections.abc import Collection, Mapping
from dataclasses import MISSING, fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import Direction

from evalapp.api.fields import Fields
from evalapp.runs.api.runs import without_reserved
from run_directory.records import Record
from training import objectives
from training.spec import LORA_LIMITS, TRAINING_LIMITS, LoraParameters, TrainingSpec

OWN = ("base_folder", "continue_from", "rows", "data_sha256")
"""Settings that the server chooses."""

_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean"}


class TrainingSettings(Fields):
    def to_internal_value(self, data: Any) -> dict[str, Any]:
        return without_reserved(super().to_internal_value(data), OWN)


class TrainingSettingsSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]  # the library's metaclass
    """Schema of the training settings, built on request so that it lists all registered objectives."""

    target_class = TrainingSettings

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Direction) -> dict[str, Any]:
        return training_settings_schema()


def training_settings_schema() -> dict[str, Any]:
    """JSON schema of the settings of a training."""
    found = _object(TrainingSpec, TRAINING_LIMITS, without={"format", *OWN})
    found["properties"]["lora"] = _object(LoraParameters, LORA_LIMITS)
    found["properties"]["objective"] |= {
        "enum": [each.key for each in objectives.OBJECTIVES],
        "description": "\n".join(f"{each.key}: {each.purpose}" for each in objectives.OBJECTIVES),
    }
    return found


def _object(
    record: type[Record], limits: Mapping[str, tuple[float, float]], without: Collection[str] = ()
) -> dict[str, Any]:
    hints = get_type_hints(record)
    properties: dict[str, Any] = {}
    for each in fields(record):  # type: ignore[arg-type]  # subclasses are dataclasses
        if each.name in without:
            continue
        shape = _value(hints[each.name])
        if each.name in limits:
            shape["minimum"], shape["maximum"] = limits[each.name]
        if each.default is not MISSING:
            shape["default"] = each.default
        properties[each.name] = shape
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _value(expected: Any) -> dict[str, Any]:
    origin, parts = get_origin(expected), get_args(expected)
    if expected in _TYPES:
        return {"type": _TYPES[expected]}
    if origin is Literal:
        return {"type": "string", "enum": list(parts)}
    if origin is tuple:
        return {"type": "array", "items": _value(parts[0])}
    kinds = [_value(part) for part in parts if part is not type(None)]
    if type(None) in parts:
        return {**kinds[0], "type": [kinds[0]["type"], "null"]}
    return {"oneOf": kinds} if kinds else {"type": "object"}
