"""The tools that are built in, and how each is made."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.module_loading import import_string

from chat.tools.function import FunctionTool
from chat.tools.tool import Tool

# A function becomes a `FunctionTool`; a class is a tool already. Imported only when it is switched on.
TOOLS: dict[str, str] = {
    "calculator": "chat.tools.calculator.calculator",
    "clock": "chat.tools.clock.clock",
    "fetch_url": "chat.tools.fetch_url.fetch_url",
    "search_documents": "chat.tools.search_documents.SearchTool",
}


def built_in_tools(names: Sequence[str]) -> list[Tool]:
    """Those that are switched on. Raises: KeyError for a name that is not in `TOOLS`."""
    return [_made(name) for name in names]


def _made(name: str) -> Tool:
    found = import_string(TOOLS[name])
    tool: Tool = found() if isinstance(found, type) else FunctionTool(name, found)
    return tool
