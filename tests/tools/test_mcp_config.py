"""The file of MCP servers: what is read, and what is refused with the key that is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chat.checks import check_settings
from chat.domain.errors import InvalidInput
from chat.domain.mcp import parse_mcp_config


def parse(**servers: Any) -> Any:
    return parse_mcp_config(json.dumps({"mcpServers": servers}))


def test_the_usual_format_is_read() -> None:
    files, tickets = parse(
        files={"command": "npx", "args": ["-y", "files", "/srv"], "env": {"KEY": "secret"}},
        tickets={
            "type": "http",
            "url": "https://tickets.example/mcp",
            "headers": {"Authorization": "secret"},
        },
    )

    assert (files.name, files.command, files.env) == (
        "files",
        ("npx", "-y", "files", "/srv"),
        {"KEY": "secret"},
    )
    assert (tickets.url, tickets.command) == ("https://tickets.example/mcp", ())
    assert "secret" not in repr(files) + repr(tickets)


def test_every_call_asks_unless_the_file_says_otherwise() -> None:
    always, never, some = parse(
        a={"command": "a", "autoApprove": ["read"]},
        b={"command": "b", "approval": "never"},
        c={"command": "c", "approval": ["write"], "tools": ["read", "write"]},
    )

    assert [always.needs_approval("read"), never.needs_approval("read")] == [True, False]
    assert [some.needs_approval("read"), some.needs_approval("write")] == [False, True]
    assert [always.offers("any"), some.offers("any"), some.offers("read")] == [True, False, True]


def test_a_disabled_server_is_left_out() -> None:
    assert parse(a={"command": "a", "disabled": True}) == ()


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("npx files", "mcpServers.x must be an object"),
        ({}, "mcpServers.x needs either a command or a url"),
        ({"command": "a", "url": "https://b"}, "mcpServers.x needs either a command or a url"),
        ({"command": ["npx", "files"]}, "mcpServers.x.command must be text"),
        ({"command": "a", "args": "-y files"}, "mcpServers.x.args must be a list of texts"),
        ({"command": "a", "env": {"A": 1}}, "mcpServers.x.env.A must be one line of text"),
        ({"command": "a", "headers": {}}, "mcpServers.x.headers goes with the other kind of server"),
        ({"command": "a", "aproval": "never"}, "mcpServers.x.aproval is not known"),
        ({"command": "a", "approval": "sometimes"}, "mcpServers.x.approval must be"),
        ({"command": "a", "tools": [1]}, "mcpServers.x.tools must be a list of texts"),
        ({"command": "a", "type": "sse"}, "mcpServers.x.type must be"),
        ({"command": "a", "disabled": "no"}, "mcpServers.x.disabled must be"),
        ({"url": "file:///etc/passwd"}, "mcpServers.x.url must be a web address"),
        ({"url": "https://a", "headers": {"A": "b\r\nC: d"}}, "mcpServers.x.headers.A must be one line"),
    ],
)
def test_a_mistake_is_told_with_its_key(entry: Any, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse(x=entry)

    assert caught.value.message.startswith(message)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"mcpServers": []}', '{"mcpServers": {"\\n": {}}}', "[" * 100_000]
)
def test_what_is_no_such_file_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_mcp_config(text)


def test_the_start_names_file_and_key(settings: Any, tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    path.write_text('{"mcpServers": {"files": {"command": "a", "args": 1}}}')
    settings.PARLEY_MCP_CONFIG = str(path)

    (found,) = [message for message in check_settings() if message.id == "chat.E010"]

    assert found.msg == f"PARLEY_MCP_CONFIG, {path}: mcpServers.files.args must be a list of texts."


def test_a_file_that_everybody_may_write_to_is_refused(settings: Any, tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    path.write_text('{"mcpServers": {}}')
    path.chmod(0o666)
    settings.PARLEY_MCP_CONFIG = str(path)

    assert any(message.id == "chat.E010" for message in check_settings())
