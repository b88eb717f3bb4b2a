"""ToolHost: where tools run, on one thread with an event loop; whatever goes wrong there becomes a result.

The model and the reader see that result: nothing that a tool does ends a run or holds it up.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Coroutine, Sequence, Set
from concurrent.futures import Future
from itertools import chain
from typing import Any

from chat.domain.errors import ToolFailed
from chat.domain.messages import ToolCall, ToolResult, ToolSpec
from chat.tools.output import bounded
from chat.tools.tool import Tool, ToolContext, ToolSource

logger = logging.getLogger(__name__)

TIMEOUT_S = 10.0
END_TIMEOUT_S = 2.0
CLOSE_TIMEOUT_S = 6.0


class ToolHost:
    """The tools that are switched on. Thread-safe."""

    def __init__(
        self, tools: Sequence[Tool], sources: Sequence[ToolSource] = (), *, timeout_s: float = TIMEOUT_S
    ) -> None:
        """Of two tools with one name the first is taken; `tools` come before those of the sources."""
        self._own_tools = tools
        self._sources = sources
        self._timeout_s = timeout_s
        self._calls: set[asyncio.Task[str]] = set()
        self._sources_kept: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tools", daemon=True)
        self._thread.start()
        for source in sources:
            self._loop.call_soon_threadsafe(self._keep, source)

    def specs(self, names: Sequence[str] | None = None) -> tuple[ToolSpec, ...]:
        """What the model is told of each; with `names` only of those, where they are switched on."""
        return tuple(tool.spec for name, tool in self._tools().items() if names is None or name in names)

    def needs_approval(self, name: str) -> bool:
        """Whether a person must allow each call."""
        tool = self._tools().get(name)
        return tool is not None and tool.needs_approval

    def start(self, call: ToolCall, offered: Sequence[ToolSpec], context: ToolContext) -> Future[ToolResult]:
        """Run one of the offered tools. The result tells of an error too; `cancel` ends the call at once."""
        return asyncio.run_coroutine_threadsafe(self._result(call, offered, context), self._loop)

    def close(self) -> None:
        """Cancel what runs and let go of everything. Does nothing the second time."""
        if self._loop.is_closed():
            return
        try:
            asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(CLOSE_TIMEOUT_S)
        except TimeoutError:
            logger.warning("a tool did not close in time")
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CLOSE_TIMEOUT_S)
        self._loop.close()

    async def _result(self, call: ToolCall, offered: Sequence[ToolSpec], context: ToolContext) -> ToolResult:
        started = time.monotonic()
        content, is_error = await self._outcome(call, offered, context)
        return ToolResult(call.id, call.name, content, is_error, int((time.monotonic() - started) * 1000))

    async def _outcome(
        self, call: ToolCall, offered: Sequence[ToolSpec], context: ToolContext
    ) -> tuple[str, bool]:
        """What it says, and whether that is an error."""
        # Only now: it brings jsonschema, 0.1 s of a server's start.
        from chat.tools.arguments import checked_arguments

        try:
            tool = self._tool(call.name, offered)
            if tool.needs_approval and not context.is_allowed:
                raise ToolFailed("A person must allow each call of this tool, and nobody did.")
            arguments = checked_arguments(tool.spec, call.arguments)
            return bounded(await self._in_time(tool.call(arguments, context))), False
        except ToolFailed as exc:
            return bounded(exc.message), True
        except Exception:  # the border of the tool: the run goes on
            logger.exception("tool %s failed", call.name)
            return "The tool failed.", True

    def _tools(self) -> dict[str, Tool]:
        """What there is now."""
        found: dict[str, Tool] = {}
        for tool in chain(self._own_tools, *(source.tools() for source in self._sources)):
            found.setdefault(tool.spec.name, tool)
        return found

    def _tool(self, name: str, offered: Sequence[ToolSpec]) -> Tool:
        names = [spec.name for spec in offered]
        tool = self._tools().get(name)
        if tool is None or name not in names:
            there_are = f"There are: {', '.join(names)}." if names else "There are none."
            raise ToolFailed(f"There is no tool called {name[:80]!r}. {there_are}")
        return tool

    async def _in_time(self, calling: Coroutine[None, None, str]) -> str:
        """In a task of its own, which is left behind if it does not heed its cancellation. Raises: ToolFailed."""
        task = asyncio.create_task(calling)
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)
        try:
            await asyncio.wait({task}, timeout=self._timeout_s)
        finally:
            task.cancel()
        if not task.done():
            raise ToolFailed(f"The tool took longer than {self._timeout_s:g} seconds and was stopped.")
        if task.cancelled():
            raise ToolFailed("The tool gave up.")
        return task.result()

    def _keep(self, source: ToolSource) -> None:
        self._sources_kept.add(self._loop.create_task(_keep_up(source)))

    async def _close(self) -> None:
        """The calls first: a tool closes when nobody is calling it any more."""
        await _end(self._calls)
        await _end(self._sources_kept)  # before the tasks that they began, which they end in order
        closings = (tool.close() for tool in self._own_tools)
        for outcome in await asyncio.gather(*closings, return_exceptions=True):
            if isinstance(outcome, BaseException):
                logger.error("a tool did not close", exc_info=outcome)
        await _end(asyncio.all_tasks() - {asyncio.current_task()})


async def _keep_up(source: ToolSource) -> None:
    try:
        await source.run()
    except Exception:  # the border of the source: the other tools live on
        logger.exception("a source of tools ended")


async def _end(tasks: Set[asyncio.Task[Any] | None]) -> None:
    """Those that do not heed their cancellation are left behind."""
    ending = [task for task in tasks if task and task.cancel()]
    if ending:
        await asyncio.wait(ending, timeout=END_TIMEOUT_S)
