"""Which tools there are, and calling one: whatever goes wrong becomes a result that the model and the reader see."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.utils.module_loading import import_string

from chat.domain.errors import ToolFailed
from chat.domain.messages import ToolCall, ToolResult, ToolSpec
from chat.tools.schema import checked_arguments, spec_of

logger = logging.getLogger(__name__)

TOOLS = {
    "calculator": "chat.tools.calculator.calculator",
    "clock": "chat.tools.clock.clock",
}
MAX_RESULT_CHARS = 32_768


@dataclass(frozen=True, slots=True)
class _Tool:
    spec: ToolSpec
    function: Callable[..., str]


class ToolRegistry:
    """The tools that are switched on."""

    def __init__(self, names: Sequence[str]) -> None:
        """Raises: KeyError for a name that is not in `TOOLS`."""
        self._tools = {name: _load(TOOLS[name]) for name in names}

    def specs(self, names: Sequence[str] | None = None) -> tuple[ToolSpec, ...]:
        """What the model is told of each; with `names` only of those, where they are switched on."""
        return tuple(tool.spec for name, tool in self._tools.items() if names is None or name in names)

    def call(self, call: ToolCall, offered: Sequence[ToolSpec]) -> ToolResult:
        """Run one of the offered tools. Never raises: an error is a result too, so that the model can say so or try
        again.
        """
        started = time.monotonic()
        content, is_error = self._outcome(call, [spec.name for spec in offered])
        if len(content) > MAX_RESULT_CHARS:
            content = content[:MAX_RESULT_CHARS] + f"\n[cut: the result had {len(content):,} characters]"
        duration_ms = int((time.monotonic() - started) * 1000)
        return ToolResult(call.id, call.name, content, is_error, duration_ms)

    def _outcome(self, call: ToolCall, names: Sequence[str]) -> tuple[str, bool]:
        tool = self._tools.get(call.name)
        if tool is None or call.name not in names:
            return f"There is no tool called {call.name[:80]!r}. There are: {', '.join(names)}.", True
        try:
            return tool.function(**checked_arguments(tool.spec, call.arguments)), False
        except ToolFailed as exc:
            return exc.message, True
        except Exception:  # the border of the tool: the run goes on
            logger.exception("tool %s failed", call.name)
            return f"The tool {call.name} failed.", True


def _load(dotted: str) -> _Tool:
    function: Callable[..., str] = import_string(dotted)
    return _Tool(spec_of(function), function)
