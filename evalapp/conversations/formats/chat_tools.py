"""Tools of OpenAI chat completions and Hugging Face chat templates. Pure."""

import json
from collections.abc import Mapping
from typing import Any

from evalapp.conversations.differences import AS, changed, is_equal_json
from evalapp.conversations.form import dumps
from evalapp.conversations.formats.base import Writing, check_depth, texts_of
from evalapp.conversations.formats.tools import Tool, kept_tool
from evalapp.imports.problems import bad_field


def tool_of(tool: dict[str, Any], spelling: str = "") -> Tool:
    """A tool without loss."""
    inner = tool if spelling or "function" not in tool else tool["function"]
    if "function" not in tool and isinstance(tool.get("custom"), dict):
        inner, spelling = tool["custom"], "custom"
    elif "function" not in tool and not spelling:
        spelling = "bare"
    read: dict[str, Any] = {}
    if isinstance(inner, dict):
        read = texts_of(inner, name="name", description="description")
        if "parameters" in inner:
            read["schema"] = inner["parameters"]
    if spelling:
        read["extra"] = {AS: spelling}
    return kept_tool(read if "name" in read else None, tool, write_tool)


def write_tool(tool: dict[str, Any], writing: Writing) -> dict[str, Any]:
    """A tool as a function, or in its original spelling."""
    spelling = writing.spelling(tool)
    made = {"name": tool["name"]}
    if "description" in tool:
        made["description"] = tool["description"]
    if "schema" in tool:
        made["parameters"] = tool["schema"]
    if spelling == "custom":
        made = {"type": "custom", "custom": made}
    elif spelling not in ("bare", "functions"):
        made = {"type": "function", "function": made}
    return writing.finished(made, tool)


def tools_in(value: Any) -> Any:
    """The tools of a row, which may be JSON text of a list. Raises RowProblemError for other text."""
    if not isinstance(value, str):
        return value or []
    if not value.strip():
        return []
    found = objects_in(value)
    if found is None:
        raise bad_field(
            "tools", "The text is not a JSON list of tools.", "Write the tools as a list of objects."
        )
    check_depth({"tools": found}, ("tools",))
    return found


def objects_in(text: str) -> list[dict[str, Any]] | None:
    """The objects in the JSON text of a list; None for any other text."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, list) and all(isinstance(each, dict) for each in value) else None


def with_spelling(made: dict[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    """The row with its ``extra`` applied; tools that were text are text again."""
    row = changed(made, extra)
    text = extra.get("tools")
    if isinstance(text, str) and "tools" in made and not is_equal_json(objects_in(text), made["tools"]):
        row["tools"] = dumps(made["tools"])
    return row
