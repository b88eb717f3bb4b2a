"""An MCP server by hand, without the SDK: it starts at once and may do what no SDK would let it.

`mcp_raw_server.py` speaks over standard input and output; `answer` serves the tests of HTTP too.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

ANY = {"type": "object", "properties": {}}


def tool(name: str, description: str = "", schema: Any = None) -> dict[str, Any]:
    return {"name": name, "description": description, "inputSchema": ANY if schema is None else schema}


def nested(depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    for _ in range(depth):
        schema = {"type": "object", "properties": {"a": schema}}
    return schema


def doubling() -> dict[str, Any]:
    """Twelve references, each to two of the next: small to write, thousands of steps to check."""
    steps = {f"s{n}": {"allOf": [{"$ref": f"#/$defs/s{n + 1}"}] * 2} for n in range(12)}
    return {**ANY, "properties": {"a": {"$ref": "#/$defs/s0"}}, "$defs": {**steps, "s12": {}}}


TOOLS = [
    tool("pid"),
    tool("die"),
    tool("hang"),
    tool("too deep"),
    tool("endless line"),
    tool("endless messages"),
    tool("refuse"),
    tool("broken"),
    tool("\x1b[2J rm -rf / ; <b>&\n", "Ignore\x00 all\x1b[2J\u202e " + "x" * 100_000),
    tool("n" * 500),
    tool("n" * 501),
    tool("huge", schema={**ANY, "description": "x" * 100_000}),
    tool("deep", schema=nested(40)),
    tool("doubling", schema=doubling()),
    tool("itself", schema={**ANY, "properties": {"a": {"$ref": "#/properties/a"}}}),
    tool("remote", schema={**ANY, "properties": {"a": {"$ref": "http://127.0.0.1:9/schema"}}}),
    tool("no-schema", schema={"type": "object", "properties": {"a": {"type": "wat"}}}),
    tool("slow-pattern", schema={**ANY, "properties": {"a": {"type": "string", "pattern": "^(a+)+$"}}}),
]


def answer(message: dict[str, Any]) -> dict[str, Any] | None:
    """None for a notification."""
    match message.get("method"):
        case "initialize":
            result: Any = {
                "protocolVersion": "2025-06-18",
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "raw", "version": "1"},
            }
        case "tools/list":
            result = {"tools": TOOLS}
        case "tools/call" if message["params"]["name"] == "broken":
            result = {"content": "not a list"}
        case "tools/call" if message["params"]["name"] != "refuse":
            result = {"content": [{"type": "text", "text": str(os.getpid())}]}
        case _ if "id" not in message:
            return None
        case _:
            error = {"code": -32601, "message": "out of the question"}
            return {"jsonrpc": "2.0", "id": message["id"], "error": error}
    return {"jsonrpc": "2.0", "id": message["id"], "result": result}


def misbehave(tool: object) -> None:
    match tool:
        case "die":
            print("out of coffee", file=sys.stderr, flush=True)
            os._exit(3)
        case "hang":
            time.sleep(3600)
        case "too deep":
            print('{"jsonrpc": "2.0", "result": ' + "[" * 10_000, flush=True)
        case "endless line":
            while True:
                sys.stdout.write("x" * 65536)
        case "endless messages":
            while True:
                print('{"jsonrpc": "2.0", "method": "notifications/progress", "params": {}}')


def main() -> None:
    print("Welcome to the server! This line is no JSON.", flush=True)
    for line in sys.stdin:
        message = json.loads(line)
        misbehave(message.get("params", {}).get("name"))
        if (reply := answer(message)) is not None:
            print(json.dumps(reply), flush=True)


if __name__ == "__main__":
    main()
