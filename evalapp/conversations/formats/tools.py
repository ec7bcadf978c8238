"""Reading and writing of tools, shared by all formats. Pure."""

from collections.abc import Callable, Iterator
from typing import Any

from evalapp.conversations.differences import AS
from evalapp.conversations.formats.base import Writing, with_all

Tool = dict[str, Any]
WriteTool = Callable[[Tool, Writing], dict[str, Any]]
_WHOLE = "whole"


def kept_tool(read: Tool | None, original: dict[str, Any], write: WriteTool) -> Tool:
    """The tool without loss; a built-in or unknown tool is kept unchanged in its ``extra``."""
    writing = Writing(is_own=True, sources={})
    whole = with_all(read, original, lambda each: write(each, writing)) if read is not None else None
    if whole is not None:
        return whole
    name = next((original[each] for each in ("name", "type") if isinstance(original.get(each), str)), "")
    return {"name": name, "extra": {AS: _WHOLE, _WHOLE: original}}


def write_tools(tools: list[Tool], writing: Writing, write: WriteTool) -> Iterator[dict[str, Any]]:
    """The tools that the format can express; records the loss of others."""
    for tool in tools:
        extra = tool.get("extra", {})
        if extra.get(AS) != _WHOLE:
            yield write(tool, writing)
        elif writing.is_own and isinstance(extra.get(_WHOLE), dict):
            yield extra[_WHOLE]
        else:
            writing.lose("built-in tools")
