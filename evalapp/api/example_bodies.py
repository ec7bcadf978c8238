"""Examples of every request and answer in the OpenAPI document, made of one value per field (`examples`)."""

from collections.abc import Mapping
from typing import Any

from evalapp.api import examples

Schema = Mapping[str, Any]
_PATCHED = "Patched"

_OF_FORMAT = {
    "date-time": "2026-03-02T09:30:00Z",
    "uri": "https://evalapp.example.org/",
    "uuid": "0b8f1f6e-9b1e-4d1a-8f0e-2f6d3f3c7a11",
    "email": "reviewer@example.org",
    "decimal": "1.20",
}


class NoExampleError(LookupError):
    """A field of the API has no example."""


def with_examples(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """A post-processing hook: every request and every answer has an example. Raises NoExampleError."""
    schemas = result["components"]["schemas"]
    made = result["components"].setdefault("examples", {})
    for name, schema in schemas.items():
        if name.startswith(_PATCHED):
            # What a PATCH leaves out stays as it is.
            for field in schema["properties"].values():
                field.pop("default", None)
    for methods in result["paths"].values():
        for described in methods.values():
            answers = described["responses"].values()
            for body in filter(None, [described.get("requestBody"), *answers]):
                for media_type, content in body.get("content", {}).items():
                    if media_type != "application/octet-stream":
                        name = content["schema"]["$ref"].rpartition("/")[2]
                        made.setdefault(name, {"value": _Maker(schemas).of(content["schema"])})
                        content["examples"] = {"example": {"$ref": f"#/components/examples/{name}"}}
    return result


class _Maker:
    def __init__(self, schemas: Mapping[str, Schema]) -> None:
        self._schemas = schemas

    def of(self, schema: Schema, component: str = "", field: str = "") -> Any:
        """A value that the schema admits."""
        if reference := schema.get("$ref"):
            name = reference.rpartition("/")[2]
            return self.of(self._schemas[name], name.removeprefix(_PATCHED), field)
        for word in ("allOf", "oneOf", "anyOf"):
            if word in schema:
                return self.of(schema[word][0], component, field)
        if "enum" in schema:
            return next(each for each in schema["enum"] if each not in ("", None))
        if schema.get("default") not in (None, "", [], {}):
            return schema["default"]
        kinds = schema.get("type")
        kind = next((each for each in kinds if each != "null"), "") if isinstance(kinds, list) else kinds
        make = getattr(self, f"_{kind}", self._free)
        return make(schema, component, field)

    def _boolean(self, schema: Schema, component: str, field: str) -> bool:
        return bool(schema.get("default"))

    def _integer(self, schema: Schema, component: str, field: str) -> int:
        return int(_within(schema, examples.NUMBERS.get(field, 12)))

    def _number(self, schema: Schema, component: str, field: str) -> float:
        return _within(schema, examples.NUMBERS.get(field, 0.8))

    def _string(self, schema: Schema, component: str, field: str) -> Any:
        format_ = schema.get("format")
        if format_ in _OF_FORMAT and not (format_ == "uri" and field in examples.TEXTS):
            return _OF_FORMAT[format_]
        return _found(examples.TEXTS, component, field)

    def _array(self, schema: Schema, component: str, field: str) -> list[Any]:
        found = self.of(schema["items"], component, field)
        is_written_out = isinstance(found, list) and schema["items"].get("type") == "string"
        return found if is_written_out else [found] * max(1, schema.get("minItems", 1))

    def _object(self, schema: Schema, component: str, field: str) -> dict[str, Any]:
        if "properties" in schema:
            fields = schema["properties"].items()
            return {
                name: self.of(each, component, name)
                for name, each in fields
                if f"{component}.{name}" not in examples.LEFT_OUT
            }
        of_values = schema.get("additionalProperties")
        if of_values in (True, {}, None) or f"{component}.{field}" in examples.OBJECTS:
            return dict(_found(examples.OBJECTS, component, field))
        return {"correctness": self.of(of_values, component, field)}

    def _free(self, schema: Schema, component: str, field: str) -> Any:
        return _found(examples.OBJECTS, component, field)


def _within(schema: Schema, number: float) -> float:
    return float(max(schema.get("minimum", number), min(schema.get("maximum", number), number)))


def _found(values: Mapping[str, Any], component: str, field: str) -> Any:
    for name in (f"{component}.{field}", field):
        if name in values:
            return values[name]
    raise NoExampleError(f"{component}.{field} has no example. Add one to {examples.__name__}.")
