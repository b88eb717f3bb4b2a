"""search_documents: more passages of the documents that an answer may draw on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from django.db import connections

from chat.domain.errors import ToolFailed
from chat.domain.messages import ToolSpec
from chat.tools.tool import ToolContext

SEARCH_TOOL = "search_documents"


class SearchTool:
    """Runs in the server itself, where the index is. Fulfils `Tool`."""

    needs_approval = False
    spec = ToolSpec(
        SEARCH_TOOL,
        "Find passages in the person's documents.",
        {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]},
    )

    async def call(self, arguments: Mapping[str, Any], context: ToolContext) -> str:
        """The passages, numbered. Raises: ToolFailed for a run without documents."""
        if context.search is None:
            raise ToolFailed("There are no documents to search.")
        return await asyncio.to_thread(_search, context.search, arguments["query"])

    async def close(self) -> None:
        """It holds nothing."""


def _search(search: Callable[[str], str], query: str) -> str:
    try:
        return search(query)
    finally:
        connections.close_all()  # this thread may not search again for a long time
