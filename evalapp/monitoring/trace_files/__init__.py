"""Files exported by tracing tools, one module for each tool, registered here and nowhere else."""

from collections.abc import Callable, Mapping
from typing import Any

from evalapp.monitoring.trace_files import langfuse, langsmith, mlflow

_Recognise = Callable[[Mapping[str, Any]], bool]
_Read = Callable[[Mapping[str, Any]], dict[str, Any] | None]
_TOOLS: tuple[tuple[_Recognise, _Read], ...] = tuple(
    (tool.recognises, tool.read) for tool in (langfuse, langsmith, mlflow)
)


def is_exported(fields: Mapping[str, Any]) -> bool:
    """Whether the row was exported by one of the tools."""
    return any(recognises(fields) for recognises, _ in _TOOLS)


def event_of(fields: Mapping[str, Any]) -> dict[str, Any] | None:
    """The fields of an event from an exported row; None for a row that is not a model call."""
    return next(read(fields) for recognises, read in _TOOLS if recognises(fields))


__all__ = ["event_of", "is_exported"]
