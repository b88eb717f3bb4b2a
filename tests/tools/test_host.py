"""The host of the tools: whatever a tool does, a result comes, and nothing of it is left behind."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, wait
from typing import Any

import pytest

from chat.domain.errors import ToolFailed
from chat.domain.messages import ToolCall, ToolResult
from chat.domain.tools import TOOL_NAMES
from chat.tools.function import FunctionTool
from chat.tools.host import ToolHost
from chat.tools.output import MAX_OUTPUT_BYTES
from chat.tools.registry import built_in_tools
from chat.tools.tool import Tool, ToolContext
from chat.tools.worker import MAX_WORKERS
from tests.conftest import wait_until
from tests.tools import fakes
from tests.tools.fakes import FakeTool, children

HostOf = Callable[..., ToolHost]
PATIENCE_S = 60.0


@pytest.fixture
def host_of() -> Iterator[HostOf]:
    hosts: list[ToolHost] = []

    def build(*tools: Tool, **options: Any) -> ToolHost:
        hosts.append(ToolHost(tools, **options))
        return hosts[-1]

    yield build
    for host in hosts:
        host.close()
    assert children() == []


@pytest.fixture
def host(host_of: HostOf) -> ToolHost:
    return host_of(*built_in_tools(["calculator", "clock", "search_documents"]))


def start(
    host: ToolHost, name: str, context: ToolContext | None = None, /, **arguments: Any
) -> Future[ToolResult]:
    return host.start(ToolCall("c1", name, arguments), host.specs(), context or ToolContext())


def outcome(
    host: ToolHost, name: str, context: ToolContext | None = None, /, **arguments: Any
) -> tuple[str, bool]:
    result = start(host, name, context, **arguments).result(PATIENCE_S)
    assert (result.call_id, result.name) == ("c1", name)
    return result.content, result.is_error


def tool(function: Callable[..., str]) -> FunctionTool:
    return FunctionTool(function.__name__, function)


class TestBuiltIn:
    def test_the_calculator_calculates(self, host: ToolHost) -> None:
        result = start(host, "calculator", expression="6*7").result(PATIENCE_S)

        assert (result.content, result.is_error) == ("42", False)
        assert result.duration_ms >= 0

    def test_the_clock_tells_weekday_date_time_and_zone(self, host: ToolHost) -> None:
        content, is_error = outcome(host, "clock", timezone="Asia/Tokyo")

        assert not is_error
        assert re.fullmatch(r"[A-Z][a-z]+day \d{1,2} [A-Z][a-z]+ \d{4}, \d\d:\d\d \(Asia/Tokyo\)", content)

    def test_the_search_asks_the_runs_documents(self, host: ToolHost) -> None:
        context = ToolContext(search=lambda query: f"about {query} [1]")

        assert outcome(host, "search_documents", context, query="tea") == ("about tea [1]", False)

    @pytest.mark.parametrize(
        ("name", "arguments", "words"),
        [
            ("oracle", {}, "no tool called"),
            ("calculator", {}, "required"),
            ("calculator", {"expression": "1", "__class__": "x"}, "does not take"),
            ("calculator", {"expression": "1/0"}, "Division by zero"),
            ("clock", {"timezone": "Mars/Olympus"}, "No time zone"),
            ("clock", {"timezone": "../../etc/passwd"}, "No time zone"),
            ("search_documents", {"query": "tea"}, "no documents"),
        ],
    )
    def test_every_failure_is_a_result(
        self, host: ToolHost, name: str, arguments: dict[str, object], words: str
    ) -> None:
        content, is_error = outcome(host, name, **arguments)

        assert is_error
        assert words in content

    def test_what_was_not_offered_is_not_called(self, host: ToolHost) -> None:
        call = ToolCall("c1", "calculator", {"expression": "1"})

        result = host.start(call, host.specs(["clock"]), ToolContext()).result(PATIENCE_S)

        assert result.is_error
        assert result.content == "There is no tool called 'calculator'. There are: clock."

    def test_every_name_that_the_settings_may_hold_is_a_tool(self) -> None:
        assert [tool.spec.name for tool in built_in_tools(TOOL_NAMES)] == list(TOOL_NAMES)


class TestBadTools:
    @pytest.mark.parametrize(
        ("function", "words"),
        [
            (fakes.fail, "The tool failed."),
            (fakes.hog, "more memory"),
            (fakes.die, "The tool failed."),
            (fakes.give_bytes, "The tool failed."),
            (fakes.write_file, "The tool failed."),
        ],
    )
    def test_one_that_fails_says_so_plainly(
        self, host_of: HostOf, function: Callable[..., str], words: str
    ) -> None:
        content, is_error = outcome(host_of(tool(function)), function.__name__, expression="1")

        assert is_error
        assert words in content
        assert "secret" not in content

    def test_one_that_hangs_is_ended(self, host_of: HostOf) -> None:
        host = host_of(tool(fakes.hang), timeout_s=0.2)

        assert outcome(host, "hang", expression="1") == (
            "The tool took longer than 0.2 seconds and was stopped.",
            True,
        )
        wait_until(lambda: children() == [])

    def test_one_that_floods_is_cut(self, host_of: HostOf) -> None:
        content, is_error = outcome(host_of(tool(fakes.flood)), "flood", expression="1")

        assert not is_error
        assert len(content.encode()) <= MAX_OUTPUT_BYTES
        assert content.endswith("[cut: the result had 10,000,000 characters]")

    def test_what_no_database_takes_is_left_out(self, host_of: HostOf) -> None:
        assert outcome(host_of(tool(fakes.dirty)), "dirty", expression="1") == ("ab?", False)

    def test_it_sees_nothing_of_the_servers_environment(
        self, host_of: HostOf, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PARLEY_SECRET_KEY", "hush")

        names, _ = outcome(host_of(tool(fakes.tell_environment)), "tell_environment", expression="1")

        assert "PATH" in names
        assert "PARLEY" not in names

    def test_one_that_does_not_heed_its_end_is_left_behind(self, host_of: HostOf) -> None:
        async def stubborn(arguments: Mapping[str, Any], context: ToolContext) -> str:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                await asyncio.Event().wait()
            return ""

        content, is_error = outcome(host_of(FakeTool("stubborn", stubborn), timeout_s=0.1), "stubborn")

        assert is_error
        assert "longer than" in content

    def test_one_that_cancels_itself_fails_like_any_other(self, host_of: HostOf) -> None:
        async def quitter(arguments: Mapping[str, Any], context: ToolContext) -> str:
            raise asyncio.CancelledError

        assert outcome(host_of(FakeTool("quitter", quitter)), "quitter") == ("The tool gave up.", True)


class TestChildren:
    def test_one_is_kept_for_the_next_call_and_replaced_after_a_failure(self, host_of: HostOf) -> None:
        host = host_of(tool(fakes.tell_pid))

        first, _ = outcome(host, "tell_pid")
        second, _ = outcome(host, "tell_pid")
        outcome(host, "tell_pid", mood="bad")
        third, _ = outcome(host, "tell_pid")

        assert first == second != third
        wait_until(lambda: children() == [int(third)])

    def test_a_cancelled_call_ends_its_child(self, host_of: HostOf) -> None:
        future = start(host_of(tool(fakes.hang)), "hang", expression="1")
        wait_until(children)

        assert future.cancel()

        wait_until(lambda: children() == [])

    def test_several_work_side_by_side_and_the_others_wait_in_line(self, host_of: HostOf) -> None:
        host = host_of(tool(fakes.hang))
        futures = [start(host, "hang", expression="1") for _ in range(MAX_WORKERS + 1)]
        wait_until(lambda: len(children()) == MAX_WORKERS)
        first_four = set(children())

        for future in futures[:MAX_WORKERS]:
            future.cancel()

        wait_until(lambda: len(children()) == 1 and not first_four & set(children()))

    def test_close_ends_those_at_work(self, host_of: HostOf) -> None:
        host = host_of(tool(fakes.hang))
        future = start(host, "hang", expression="1")
        wait_until(children)

        host.close()

        assert children() == []
        assert wait([future], PATIENCE_S).done == {future}

    def test_they_die_with_the_server(self) -> None:
        program = """
import os, time
from chat.domain.messages import ToolCall
from chat.tools.function import FunctionTool
from chat.tools.host import ToolHost
from chat.tools.tool import ToolContext
from tests.tools import fakes

host = ToolHost([FunctionTool("tell_pid", fakes.tell_pid), FunctionTool("hang", fakes.hang)])
idle, busy = ToolCall("c1", "tell_pid"), ToolCall("c2", "hang", {"expression": "1"})
host.start(busy, host.specs(), ToolContext())
host.start(idle, host.specs(), ToolContext()).result()
while len(fakes.children()) < 2:
    time.sleep(0.02)
print(*fakes.children(), flush=True)
os.kill(os.getpid(), 9)
"""
        ended = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )

        assert ended.returncode == -signal.SIGKILL, ended.stderr
        pids = [int(pid) for pid in ended.stdout.split()]
        assert len(set(pids)) == 2
        wait_until(lambda: not any(_is_alive(pid) for pid in pids))


class TestSources:
    def test_tools_of_a_source_come_and_go_behind_the_hosts_own(self, host_of: HostOf) -> None:
        async def say(arguments: Mapping[str, Any], context: ToolContext) -> str:
            raise ToolFailed("said by the source")

        class Source:
            found: tuple[Tool, ...] = ()

            def tools(self) -> tuple[Tool, ...]:
                return self.found

            async def run(self) -> None:
                self.found = (FakeTool("hang", say), FakeTool("other", say, needs_approval=True))

        host = host_of(tool(fakes.hang), sources=[Source()])
        wait_until(lambda: len(host.specs()) == 2)

        assert [spec.description for spec in host.specs()] == ["Never ends.", "A tool."]
        assert host.needs_approval("other")
        assert not host.needs_approval("hang")
        assert outcome(host, "other", ToolContext(is_allowed=True)) == ("said by the source", True)

    def test_one_that_needs_a_persons_word_is_not_called_without_it(self, host_of: HostOf) -> None:
        async def never(arguments: Mapping[str, Any], context: ToolContext) -> str:
            pytest.fail("called")

        host = host_of(FakeTool("never", never, needs_approval=True))

        assert outcome(host, "never") == (
            "A person must allow each call of this tool, and nobody did.",
            True,
        )


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
