"""A plain Python function as a tool."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from chat.tools.schema import spec_of
from chat.tools.tool import ToolContext
from chat.tools.worker import WorkerPool


class FunctionTool:
    """Runs in children of its own, so that no other tool waits for it. Fulfils `Tool`."""

    needs_approval = False

    def __init__(self, name: str, function: Callable[..., str]) -> None:
        """`function` must be found in its module by its name: the children import it.

        Raises: TypeError for a parameter whose type has no place in a schema.
        """
        self.spec = spec_of(function, name)
        self._function = f"{function.__module__}.{function.__qualname__}"
        self._workers = WorkerPool()

    async def call(self, arguments: Mapping[str, Any], context: ToolContext) -> str:
        """Raises: ToolFailed."""
        return await self._workers.call(self._function, arguments)

    async def close(self) -> None:
        """End the children."""
        await self._workers.close()
