"""MCP servers that die, hang, flood or tell the model too much: each does no harm, and comes back."""

from __future__ import annotations

import gzip
import json
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from chat.domain.mcp import McpServerConfig
from chat.tools.host import ToolHost
from tests.conftest import wait_until
from tests.tools.mcp_hosts import call, hosting
from tests.tools.mcp_raw_server import answer

RAW = McpServerConfig("raw", (sys.executable, str(Path(__file__).with_name("mcp_raw_server.py"))))


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chat.tools.mcp.FIRST_DELAY_S", 0.05)
    monkeypatch.setattr("chat.tools.mcp.ANSWER_TIMEOUT_S", 2.0)


def pid_of(host: ToolHost) -> str | None:
    """None while the server is not there."""
    result = call(host, "raw_pid")
    return None if result.is_error else result.content


def is_running(pid: str | None) -> bool:
    return Path(f"/proc/{pid}").exists()


@pytest.mark.parametrize("tool", ["die", "hang", "too_deep", "endless_line", "endless_messages"])
def test_a_server_that_dies_hangs_or_floods_is_begun_again(tool: str) -> None:
    with hosting(RAW, timeout_s=1.0) as host:
        first = pid_of(host)

        failed = call(host, f"raw_{tool}")

        assert failed.is_error
        wait_until(lambda: pid_of(host) not in (None, first), 60)
        assert not is_running(first)


def test_the_log_has_the_last_words(caplog: pytest.LogCaptureFixture) -> None:
    with hosting(RAW) as host:
        call(host, "raw_die")

        wait_until(lambda: "MCP server raw: it has ended, saying: Welcome" in caplog.text)
        assert "out of coffee" in caplog.text


def test_a_command_that_is_not_there_is_told(caplog: pytest.LogCaptureFixture) -> None:
    with hosting(RAW, McpServerConfig("gone", ("/no/such/program",))) as host:
        wait_until(lambda: "MCP server gone: " in caplog.text)

        assert pid_of(host)


def test_the_programs_end_with_the_host() -> None:
    with hosting(RAW) as host:
        pid = pid_of(host)
        assert is_running(pid)

    assert not is_running(pid)


@pytest.mark.parametrize(
    ("tool", "message"),
    [("refuse", "raw: out of the question"), ("broken", "raw gave no result that can be read.")],
)
def test_an_odd_answer_is_an_error(tool: str, message: str) -> None:
    with hosting(RAW) as host:
        result = call(host, f"raw_{tool}")

    assert (result.content, result.is_error) == (message, True)


def test_what_a_server_tells_of_its_tools_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    with hosting(RAW) as host:
        specs = host.specs()

    assert all(re.fullmatch("[A-Za-z0-9_-]{1,64}", spec.name) for spec in specs)
    assert all(len(spec.description) <= 1024 and spec.description.isprintable() for spec in specs)
    assert all(len(json.dumps(spec.parameters)) < 20_000 for spec in specs)
    offered = {spec.name.removeprefix("raw_") for spec in specs}
    refused = {"huge", "deep", "doubling", "itself", "remote", "no-schema"}
    assert not offered & refused
    assert {"pid", "slow-pattern"} <= offered
    assert all(f"tool '{name}' is left out" in caplog.text for name in refused)
    assert "another tool is called raw_nnn" in caplog.text


def test_a_tool_that_the_file_misspells_is_told(caplog: pytest.LogCaptureFixture) -> None:
    with hosting(McpServerConfig("raw", RAW.command, approval=frozenset({"pid", "dye"}))) as host:
        assert host.needs_approval("raw_pid")

    assert "the file names a tool that it does not have: dye" in caplog.text


def test_a_slow_pattern_is_not_tried() -> None:
    with hosting(RAW, timeout_s=60.0) as host:
        assert not call(host, "raw_slow-pattern", {"a": "a" * 60 + "!"}).is_error


def test_a_tool_of_two_servers_is_told_and_taken_once(caplog: pytest.LogCaptureFixture) -> None:
    with hosting(McpServerConfig("a.b", RAW.command), McpServerConfig("a_b", RAW.command)) as host:
        wait_until(lambda: host.specs() and "more than one tool is called a_b_pid" in caplog.text)

        assert [spec.name for spec in host.specs()].count("a_b_pid") == 1


class _Handler(BaseHTTPRequestHandler):
    """What it does with a call hangs on the path; everything else is answered as it should be."""

    paths: list[str]

    def do_POST(self) -> None:
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.paths.append(self.path)
        reply = answer(message)
        body, headers = json.dumps(reply).encode(), {"Content-Type": "application/json"}
        if message["method"] == "tools/call":
            if self.path == "/large":
                body += b" " * 5_000_000
            if self.path == "/packed":
                body, headers["Content-Encoding"] = gzip.compress(body), "gzip"
            if self.path == "/moved":
                headers["Location"] = f"http://localhost:{self.server.server_port}/elsewhere"
        status = 307 if "Location" in headers else 200 if reply else 202
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Tests are silent."""


@contextmanager
def raw_http() -> Iterator[tuple[str, list[str]]]:
    paths: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"paths": paths}))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", paths
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("path", ["/large", "/packed", "/moved"])
def test_a_web_server_that_floods_or_sends_elsewhere_is_refused(path: str) -> None:
    with raw_http() as (url, paths), hosting(McpServerConfig("raw", url=f"{url}{path}")) as host:
        result = call(host, "raw_pid")

        assert result.is_error
        assert "/elsewhere" not in paths
        wait_until(host.specs)
