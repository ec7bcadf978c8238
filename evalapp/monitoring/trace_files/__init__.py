"""Files that tracing tools export, a module for each tool, entered here. Nothing else lists them."""

from collections.abc import Callable, Mapping
from typing import Any

from evalapp.monitoring.trace_files import langfuse, langsmith, mlflow

_Recognise = Callable[[Mapping[str, Any]], bool]
_Read = Callable[[Mapping[str, Any]], dict[str, Any] | None]
_TOOLS: tuple[tuple[_Recognise, _Read], ...] = tuple(
    (tool.recognises, tool.read) for tool in (langfuse, langsmith, mlflow)
)


def is_exported(fields: Mapping[str, Any]) -> bool:
    """Whether a row is one that one of the tools exported."""
    return any(recognises(fields) for recognises, _ in _TOOLS)


def event_of(fields: Mapping[str, Any]) -> dict[str, Any] | None:
    """An exported row as the fields of an event; None for one that is no model call."""
    return next(read(fields) for recognises, read in _TOOLS if recognises(fields))


__all__ = ["event_of", "is_exported"]
