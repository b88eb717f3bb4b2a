"""A stage for runs: an engine that says what the test wrote down, and tools that meet, hang, speak or ask."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from chat.runtime import Runtime
from chat.tools.search_documents import SearchTool
from chat.tools.tool import Tool, ToolContext
from tests.runs.scripted import ScriptedEngine
from tests.tools.fakes import FakeTool


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> ScriptedEngine:
    """What answers in `stage`."""
    engine = ScriptedEngine()
    monkeypatch.setattr("chat.runtime._start_engine", lambda *_: engine)
    return engine


@pytest.fixture
def stage(engine: ScriptedEngine, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Runtime:
    """The runtime with that engine and the tools above."""
    monkeypatch.setattr("chat.runtime.built_in_tools", lambda _names: stage_tools())
    runtime: Runtime = request.getfixturevalue("runtime")
    return runtime


class Meeting:
    """Two that wait for each other: one after the other they would wait in vain."""

    def __init__(self) -> None:
        self._barrier = asyncio.Barrier(2)
        self._both_there = asyncio.Event()

    async def early(self, arguments: Mapping[str, Any], context: ToolContext) -> str:
        await self._barrier.wait()
        self._both_there.set()
        return "early"

    async def late(self, arguments: Mapping[str, Any], context: ToolContext) -> str:
        await self._barrier.wait()
        await self._both_there.wait()
        await asyncio.sleep(0.05)
        return "late"


async def hang(arguments: Mapping[str, Any], context: ToolContext) -> str:
    await asyncio.Event().wait()
    return ""


async def say(arguments: Mapping[str, Any], context: ToolContext) -> str:
    return "said " + "very " * arguments.get("times", 0) + "well"


def stage_tools() -> list[Tool]:
    meeting = Meeting()
    return [
        FakeTool("early", meeting.early),
        FakeTool("late", meeting.late),
        FakeTool("hang", hang),
        FakeTool("say", say),
        FakeTool("guarded", say, needs_approval=True),
        SearchTool(),
    ]
