"""An MCP server of the SDK for the tests: `mcp_server.py` speaks over standard input and output, `mcp_server.py http`
over HTTP on a free port, which it prints."""

from __future__ import annotations

import json
import os
import socket
import sys

import uvicorn
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import (
    CallToolResult,
    EmbeddedResource,
    ImageContent,
    ResourceLink,
    TextContent,
    TextResourceContents,
)

server = MCPServer("tests")


@server.tool()
def echo(text: str) -> str:
    """Say it again."""
    return text


@server.tool(name="delete everything!")
def delete_everything() -> str:
    """A name that no model can write."""
    return "nothing was deleted"


@server.tool()
def fail() -> str:
    """Raise."""
    raise ToolError("the disk is on fire")


@server.tool()
def environment() -> str:
    """Names of the environment."""
    return json.dumps(sorted(os.environ))


@server.tool()
def repeat(num_chars: int) -> str:
    """Say a lot."""
    return "x" * num_chars


@server.tool()
def show() -> CallToolResult:
    """One of each kind of content."""
    resource = TextResourceContents(uri="file:///notes.txt", mime_type="text/plain", text="note well")
    return CallToolResult(
        content=[
            TextContent(text="See:"),
            ImageContent(data="AAAA", mime_type="image/png"),
            ResourceLink(uri="https://example.org/a", name="a page"),
            EmbeddedResource(resource=resource),
        ]
    )


def serve_http() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    config = uvicorn.Config(server.streamable_http_app(), log_level="error")
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    serve_http() if "http" in sys.argv else server.run()
