"""Tools of OpenAI Responses: functions, custom tools and built-in ones. Pure."""

from typing import Any

from evalapp.conversations.differences import AS
from evalapp.conversations.formats.base import Writing, texts_of
from evalapp.conversations.formats.tools import Tool, kept_tool


def tool_of(tool: dict[str, Any]) -> Tool:
    """A tool without loss."""
    if tool.get("type") not in ("function", "custom") or not isinstance(tool.get("name"), str):
        return kept_tool(None, tool, write_tool)
    read: Tool = texts_of(tool, name="name", description="description")
    if "parameters" in tool:
        read["schema"] = tool["parameters"]
    if tool["type"] == "custom":
        read["extra"] = {AS: "custom"}
    return kept_tool(read, tool, write_tool)


def write_tool(tool: Tool, writing: Writing) -> dict[str, Any]:
    """A tool as a function, or as a custom tool if it was one."""
    made = {"type": "custom" if writing.spelling(tool) == "custom" else "function", "name": tool["name"]}
    if "description" in tool:
        made["description"] = tool["description"]
    if "schema" in tool:
        made["parameters"] = tool["schema"]
    return writing.finished(made, tool)
