"""Hosts of tools with MCP servers, for the tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from chat.domain.mcp import McpServerConfig
from chat.domain.messages import ToolCall, ToolResult
from chat.tools.host import ToolHost
from chat.tools.mcp_servers import McpServers
from chat.tools.tool import ToolContext
from tests.conftest import wait_until


@contextmanager
def hosting(*configs: McpServerConfig, **options: Any) -> Iterator[ToolHost]:
    """A host that has listed tools."""
    host = ToolHost([], [McpServers(configs)], **options)
    try:
        wait_until(host.specs, 60)
        yield host
    finally:
        host.close()


def call(host: ToolHost, tool: str, arguments: dict[str, Any] | None = None) -> ToolResult:
    return host.start(
        ToolCall("c1", tool, arguments or {}), host.specs(), ToolContext(is_allowed=True)
    ).result(60)
