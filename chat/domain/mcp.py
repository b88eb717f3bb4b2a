"""Which MCP servers the operator has configured, in the JSON format that other programs read as well.

{"mcpServers": {"files": {"command": "mcp-files", "args": ["/srv"], "env": {"KEY": "..."}, "approval": "never"},
                "tickets": {"url": "https://...", "headers": {...}, "approval": ["close"], "tools": ["close"]}}}
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from chat.domain.errors import InvalidInput

MAX_FILE_BYTES = 1_000_000
MAX_SERVERS = 32

_STDIO_KEYS = {"command", "args", "env", "cwd"}
_HTTP_KEYS = {"url", "headers"}
_OUR_KEYS = {"approval", "tools", "type", "disabled"}
# Other programs write them; they change nothing here. What would run without asking asks here.
_FOREIGN_KEYS = {"alwaysAllow", "autoApprove", "description", "timeout"}
_TYPES = {"stdio": "command", "http": "url", "streamable-http": "url", "streamableHttp": "url"}


@dataclass(frozen=True, slots=True)
class McpServerConfig:
    """One server: a program of this machine where `command` is given, else a web address.

    `tools` are those that the model is told of, `approval` those that a person must allow for each call; None: all.
    """

    name: str
    command: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    cwd: str | None = None
    url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    approval: frozenset[str] | None = None
    tools: frozenset[str] | None = None

    def offers(self, tool: str) -> bool:
        """Whether the model is told of the tool."""
        return self.tools is None or tool in self.tools

    @property
    def named_tools(self) -> frozenset[str]:
        """Those that the file names: a misspelt one would run without asking."""
        return (self.tools or frozenset()) | (self.approval or frozenset())

    def needs_approval(self, tool: str) -> bool:
        """Whether a person must allow each call of the tool."""
        return self.approval is None or tool in self.approval


def read_mcp_config(path: Path) -> tuple[McpServerConfig, ...]:
    """Raises: InvalidInput, whose field is the key that is wrong, such as "mcpServers.files.args"."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise InvalidInput(f"The file is larger than {MAX_FILE_BYTES:,} bytes.")
        text = path.read_text(encoding="utf-8")
    except OSError as exc:
        raise InvalidInput(f"The file cannot be read: {exc.strerror}.") from exc
    except UnicodeDecodeError as exc:
        raise InvalidInput("The file is not UTF-8 text.") from exc
    return parse_mcp_config(text)


def parse_mcp_config(text: str) -> tuple[McpServerConfig, ...]:
    """The servers that are not disabled. Raises: InvalidInput."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as exc:
        where = f"line {exc.lineno}: {exc.msg}" if isinstance(exc, json.JSONDecodeError) else str(exc)
        raise InvalidInput(f"The file is not JSON: {where}.") from exc
    if not isinstance(content, dict):
        raise InvalidInput('The file must hold an object: {"mcpServers": {...}}.')
    servers = _object(content, "mcpServers", "")
    if len(servers) > MAX_SERVERS:
        raise _wrong("mcpServers", f"has more than {MAX_SERVERS} servers")
    read = [_server(name, _object(servers, name, "mcpServers.")) for name in servers]
    return tuple(server for server in read if server is not None)


def _server(name: str, entry: dict[str, Any]) -> McpServerConfig | None:
    """None for one that is disabled."""
    at = f"mcpServers.{name}."
    if not name.strip() or not name.isprintable() or len(name) > 64:
        raise _wrong(f"mcpServers.{name[:80]!r}", "must be named in 1 to 64 printable characters")
    if ("command" in entry) == ("url" in entry):
        raise _wrong(at[:-1], "needs either a command or a url")
    own_keys, other_keys = (_STDIO_KEYS, _HTTP_KEYS) if "command" in entry else (_HTTP_KEYS, _STDIO_KEYS)
    if unknown := entry.keys() - own_keys - _OUR_KEYS - _FOREIGN_KEYS:
        why = "goes with the other kind of server" if min(unknown) in other_keys else "is not known"
        raise _wrong(at + min(unknown), why)
    if _TYPES.get(entry.get("type", "stdio" if "command" in entry else "http"), "") not in entry:
        raise _wrong(f"{at}type", "must be stdio with a command, http with a url")
    if not isinstance(disabled := entry.get("disabled", False), bool):
        raise _wrong(f"{at}disabled", "must be true or false")
    config = McpServerConfig(
        name,
        command=(_text(entry, "command", at), *_texts(entry, "args", at)) if "command" in entry else (),
        env=_pairs(entry, "env", at),
        cwd=_text(entry, "cwd", at) if "cwd" in entry else None,
        url=_url(entry, at) if "url" in entry else "",
        headers=_pairs(entry, "headers", at),
        approval=_approval(entry, at),
        tools=frozenset(_texts(entry, "tools", at)) if "tools" in entry else None,
    )
    return None if disabled else config


def _approval(entry: Mapping[str, Any], at: str) -> frozenset[str] | None:
    match entry.get("approval", "always"):
        case "always":
            return None
        case "never":
            return frozenset()
        case list():
            return frozenset(_texts(entry, "approval", at))
    raise _wrong(f"{at}approval", 'must be "always", "never" or a list of tool names')


def _url(entry: Mapping[str, Any], at: str) -> str:
    url = _text(entry, "url", at)
    try:
        parts = urlsplit(url)
        is_good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_good = False
    if not is_good:
        raise _wrong(f"{at}url", "must be a web address that begins with http:// or https://")
    return url


def _object(entry: Mapping[str, Any], key: str, at: str) -> dict[str, Any]:
    if not isinstance(value := entry.get(key), dict):
        raise _wrong(at + key, "must be an object")
    return value


def _text(entry: Mapping[str, Any], key: str, at: str) -> str:
    value = entry[key]
    if not isinstance(value, str) or not value or "\x00" in value:
        raise _wrong(at + key, "must be text")
    return value


def _texts(entry: Mapping[str, Any], key: str, at: str) -> list[str]:
    values = entry.get(key, [])
    if not isinstance(values, list) or not all(
        isinstance(each, str) and "\x00" not in each for each in values
    ):
        raise _wrong(at + key, "must be a list of texts")
    return values


def _pairs(entry: Mapping[str, Any], key: str, at: str) -> dict[str, str]:
    pairs = entry.get(key, {})
    if not isinstance(pairs, dict):
        raise _wrong(at + key, "must be an object")
    for name, value in pairs.items():
        if not name or "=" in name or not isinstance(value, str) or not value.isprintable():
            raise _wrong(f"{at}{key}.{name}", "must be one line of text")
    return pairs


def _wrong(key: str, why: str) -> InvalidInput:
    return InvalidInput(f"{key} {why}.", field=key)
