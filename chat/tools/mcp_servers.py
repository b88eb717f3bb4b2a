"""All MCP servers that the operator has configured. There are no others: no request, import or model adds one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from chat.domain.mcp import McpServerConfig, read_mcp_config
from chat.tools.tool import Tool

if TYPE_CHECKING:
    from chat.tools.mcp import McpServer

logger = logging.getLogger(__name__)


class McpServers:
    """A source of tools that come and go. `tools` may be asked from any thread."""

    def __init__(self, configs: Sequence[McpServerConfig]) -> None:
        self._configs = configs
        self._servers: tuple[McpServer, ...] = ()
        self._told: set[str] = set()

    @classmethod
    def from_file(cls, path: Path | None) -> McpServers:
        """Without a file there are none. Raises: InvalidInput."""
        return cls(read_mcp_config(path) if path is not None else ())

    def tools(self) -> Sequence[Tool]:
        """What is there now. Of two tools with one name the first is taken."""
        found: dict[str, Tool] = {}
        for tool in (tool for server in self._servers for tool in server.tools):
            name = tool.spec.name
            if name not in found:
                found[name] = tool
            elif name not in self._told:
                self._told.add(name)
                logger.warning("MCP servers: more than one tool is called %s; the first is taken", name)
        return tuple(found.values())

    async def run(self) -> None:
        """Keep a connection to each server until cancelled."""
        if not self._configs:
            return
        mcp = await asyncio.to_thread(_import_mcp)
        self._servers = tuple(mcp(config) for config in self._configs)
        async with asyncio.TaskGroup() as tasks:
            for server in self._servers:
                tasks.create_task(server.run())


def _import_mcp() -> type[McpServer]:
    """Only where it is needed: the SDK takes a second to load and 60 MB of memory."""
    from chat.tools.mcp import McpServer

    return McpServer
