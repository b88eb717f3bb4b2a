"""One MCP server and its tools. It lives on the event loop of the tools, and comes back when it has died."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mcp import Client, ClientSession, MCPError, types
from pydantic import ValidationError

from chat.domain.errors import ToolFailed
from chat.domain.mcp import McpServerConfig
from chat.domain.messages import ToolSpec
from chat.tools.mcp_http import http_transport
from chat.tools.mcp_result import result_text
from chat.tools.mcp_spec import BadSchema, checked_spec, tool_name
from chat.tools.mcp_stdio import stdio_transport
from chat.tools.tool import ToolContext

logger = logging.getLogger(__name__)

MAX_TOOLS = 128
MAX_PAGES = 20
# For the handshake too: a server that is installed on its first start takes its time.
ANSWER_TIMEOUT_S = 60.0
# How often the tools are listed again, which also finds out whether the server is still there.
LIST_EVERY_S = 300.0
FIRST_DELAY_S = 1.0
LAST_DELAY_S = 60.0
MAX_REASON_CHARS = 1500


class McpServer:
    """Keeps a connection to one server, and knows which tools it has."""

    def __init__(self, config: McpServerConfig) -> None:
        self._config = config
        self._session: ClientSession | None = None
        self._tools: tuple[McpTool, ...] = ()
        self._look_again = asyncio.Event()
        self._told: set[str] = set()

    @property
    def tools(self) -> tuple[McpTool, ...]:
        """Those of the last listing. They outlive a connection that is lost, until the next attempt fails."""
        return self._tools

    async def run(self) -> None:
        """Connect, and again and again with growing pauses, until cancelled."""
        delay_s = FIRST_DELAY_S
        while True:
            began_at = time.monotonic()
            try:
                await self._serve()
            except Exception as exc:  # noqa: BLE001 - the border of the server: it is tried again
                logger.warning("MCP server %s: %s", self._config.name, _reason(exc))
            finally:
                was_connected, self._session = self._session is not None, None
            if not was_connected:
                self._tools = ()
            if time.monotonic() - began_at > LAST_DELAY_S:
                delay_s = FIRST_DELAY_S
            await asyncio.sleep(delay_s)
            delay_s = min(2 * delay_s, LAST_DELAY_S)

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> str:
        """What the tool says. Raises: ToolFailed."""
        if self._session is None:
            raise ToolFailed(f"The MCP server {self._config.name} is not there at the moment.")
        request = types.CallToolRequest(
            params=types.CallToolRequestParams(name=tool, arguments=dict(arguments))
        )
        try:
            # Not `call_tool`, which matches the result against the server's own schema: its patterns could take
            # for ever, and the model reads text.
            result = await self._session.send_request(request, types.CallToolResult)
        except MCPError as exc:
            self._look_again.set()
            raise ToolFailed(f"{self._config.name}: {exc.error.message}") from exc
        except ValidationError as exc:
            raise ToolFailed(f"{self._config.name} gave no result that can be read.") from exc
        except asyncio.CancelledError:
            self._look_again.set()  # a server that hangs is found out, and begun anew
            raise
        if result.is_error:
            raise ToolFailed(result_text(result))
        return result_text(result)

    async def _serve(self) -> None:
        """Ends by an error only."""
        make_transport = stdio_transport if self._config.command else http_transport
        client = Client(
            make_transport(self._config),
            read_timeout_seconds=ANSWER_TIMEOUT_S,
            message_handler=self._hear,
            client_info=types.Implementation(name="Parley", version="1"),
            cache=None,
        )
        async with client:
            while True:
                self._look_again.clear()
                self._tools = self._made(await _listed(client.session))
                if self._session is None:
                    logger.info("MCP server %s: %d tools", self._config.name, len(self._tools))
                self._session = client.session
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LIST_EVERY_S):
                        await self._look_again.wait()

    async def _hear(self, message: object) -> None:
        if isinstance(message, types.ToolListChangedNotification):
            self._look_again.set()

    def _made(self, listed: Sequence[types.Tool]) -> tuple[McpTool, ...]:
        made: dict[str, McpTool] = {}
        for name in sorted(self._config.named_tools - {tool.name for tool in listed}):
            self._tell(f"the file names a tool that it does not have: {name}")
        for tool in listed:
            if not self._config.offers(tool.name):
                continue
            try:
                name = tool_name(self._config.name, tool.name)
                if name in made:
                    raise BadSchema(f"another tool is called {name} as well")
                spec = checked_spec(name, tool.description, tool.input_schema)
            except BadSchema as exc:
                self._tell(f"tool {tool.name[:80]!r} is left out: {exc}")
            else:
                needs_approval = self._config.needs_approval(tool.name)
                made[name] = McpTool(spec, needs_approval, self, tool.name)
        return tuple(made.values())

    def _tell(self, fault: str) -> None:
        """Once, not with every listing."""
        if fault not in self._told:
            self._told.add(fault)
            logger.warning("MCP server %s: %s", self._config.name, fault)


@dataclass(frozen=True, slots=True)
class McpTool:
    """One tool of a server. Fulfils `Tool`; `name` is what the server calls it."""

    spec: ToolSpec
    needs_approval: bool
    server: McpServer
    name: str

    async def call(self, arguments: Mapping[str, Any], context: ToolContext) -> str:
        """Raises: ToolFailed."""
        return await self.server.call(self.name, arguments)

    async def close(self) -> None:
        """The server lives on: it ends with the task that runs it."""


async def _listed(session: ClientSession) -> list[types.Tool]:
    """All pages, within bounds."""
    tools: list[types.Tool] = []
    cursor: str | None = None
    for _ in range(MAX_PAGES):
        page = await session.list_tools(params=types.PaginatedRequestParams(cursor=cursor))
        tools += page.tools
        cursor = page.next_cursor
        if cursor is None or len(tools) >= MAX_TOOLS:
            break
    return tools[:MAX_TOOLS]


def _reason(exc: BaseException) -> str:
    """Of a group of errors the first: the others follow from it."""
    while isinstance(exc, BaseExceptionGroup):
        exc = exc.exceptions[0]
    if isinstance(exc, ValidationError):
        error = exc.errors(include_url=False, include_context=False, include_input=False)[0]
        return f"its answer is wrong: {'.'.join(map(str, error['loc']))}: {error['msg']}"
    return " ".join(str(exc).split())[:MAX_REASON_CHARS] or type(exc).__name__
