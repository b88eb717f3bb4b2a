"""MCP servers of the SDK, over standard input and output and over HTTP, as the host of the tools sees them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from chat.domain.mcp import McpServerConfig
from chat.tools.host import ToolHost
from tests.tools.mcp_hosts import call, hosting

SERVER = Path(__file__).with_name("mcp_server.py")


@pytest.fixture(scope="module")
def stdio_host() -> Iterator[ToolHost]:
    with hosting(McpServerConfig("my tests", (sys.executable, str(SERVER)), env={"TOKEN": "abc"})) as host:
        yield host


@pytest.fixture(scope="module")
def http_host() -> Iterator[ToolHost]:
    command = [sys.executable, str(SERVER), "http"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        url = f"http://127.0.0.1:{int(process.stdout.readline())}/mcp"
        allowed = frozenset({"echo", "fail"})
        with hosting(
            McpServerConfig("my tests", url=url, approval=frozenset({"echo"}), tools=allowed)
        ) as host:
            yield host
        process.kill()


@pytest.fixture(params=["stdio_host", "http_host"])
def host(request: pytest.FixtureRequest) -> ToolHost:
    made: ToolHost = request.getfixturevalue(request.param)
    return made


def test_a_tool_is_told_and_called(host: ToolHost) -> None:
    echo = next(spec for spec in host.specs() if spec.name == "my_tests_echo")

    assert echo.description == "Say it again."
    assert echo.parameters["properties"]["text"]["type"] == "string"
    result = call(host, "my_tests_echo", {"text": "Grüße"})
    assert (result.content, result.is_error) == ("Grüße", False)


def test_a_tools_error_is_a_result(host: ToolHost) -> None:
    result = call(host, "my_tests_fail")

    assert result.is_error
    assert "the disk is on fire" in result.content


@pytest.mark.parametrize("text", ["x;id", "$(id)", "--exec=sh", "-c", "`id`\n&& id", '"; id "'])
def test_an_argument_is_plain_data(stdio_host: ToolHost, text: str) -> None:
    assert call(stdio_host, "my_tests_echo", {"text": text}).content == text


def test_a_wrong_argument_never_leaves(stdio_host: ToolHost) -> None:
    result = call(stdio_host, "my_tests_echo", {"text": [1]})

    assert result.is_error
    assert result.content.startswith("my_tests_echo: text: ")


def test_a_call_asks_unless_the_file_says_otherwise(stdio_host: ToolHost, http_host: ToolHost) -> None:
    assert stdio_host.needs_approval("my_tests_fail")
    assert http_host.needs_approval("my_tests_echo")
    assert not http_host.needs_approval("my_tests_fail")


def test_only_the_tools_of_the_list_are_offered(http_host: ToolHost) -> None:
    assert {spec.name for spec in http_host.specs()} == {"my_tests_echo", "my_tests_fail"}


def test_names_are_such_as_models_can_write(stdio_host: ToolHost) -> None:
    assert call(stdio_host, "my_tests_delete_everything_").content == "nothing was deleted"


def test_a_server_knows_nothing_of_the_environment(stdio_host: ToolHost) -> None:
    names = json.loads(call(stdio_host, "my_tests_environment").content)

    assert "TOKEN" in names
    assert set(names) <= {"PATH", "HOME", "LANG", "TOKEN", "LC_CTYPE"}


def test_what_is_no_text_is_named(stdio_host: ToolHost) -> None:
    assert call(stdio_host, "my_tests_show").content == (
        "See:\n[image: image/png, 3 bytes]\n[link: a page, https://example.org/a]\n"
        "[file: file:///notes.txt]\nnote well"
    )


def test_a_long_result_is_cut(stdio_host: ToolHost) -> None:
    assert len(call(stdio_host, "my_tests_repeat", {"num_chars": 1_000_000}).content) < 33_000
