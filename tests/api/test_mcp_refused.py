"""MCP servers stand in the operator's file: none comes in through an API, a form or an import."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.test import Client

from chat.models import ApiKey, User
from chat.models.flow import DEFAULT_FLOW_ID
from chat.runtime import Runtime

HELLO = [{"role": "user", "content": "Hello"}]
SERVER_URL = "http://127.0.0.1:9/mcp"
PREDICTION = f"/api/v1/prediction/{DEFAULT_FLOW_ID}"


def servers(marker: Path) -> dict[str, Any]:
    return {"x": {"command": "touch", "args": [str(marker)], "url": SERVER_URL}}


def bodies(marker: Path) -> list[tuple[str, dict[str, Any]]]:
    config = servers(marker)
    tool = {"type": "mcp", "server_label": "x", "server_url": SERVER_URL, "require_approval": "never"}
    custom = {"flowData": json.dumps({"nodes": [{"data": {"name": "customMCP", "inputs": config}}]})}
    return [
        ("/v1/chat/completions", {"model": "tiny", "messages": HELLO, "tools": [tool]}),
        ("/v1/chat/completions", {"model": "tiny", "messages": HELLO, "tools": [config["x"]]}),
        ("/v1/responses", {"model": "tiny", "input": "Hello", "tools": [tool]}),
        ("/v1/mcp", config),
        ("/v1/mcp/servers", config),
        ("/v1/connectors", config),
        (PREDICTION, {"question": "Hello", "overrideConfig": {"mcpServerConfig": json.dumps(config)}}),
        (PREDICTION, {"question": "Hello", "overrideConfig": {"mcpServers": config}}),
        (PREDICTION, {"question": "Hello", "overrideConfig": {"mcpServerConfig": {"customMCP_0": config}}}),
        ("/api/v1/chatflows", {"name": "x", **custom}),
        (f"/api/v1/chatflows/{DEFAULT_FLOW_ID}", custom),
        ("/api/v1/tools", {"name": "x", "mcpServers": config}),
        ("/api/v1/node-load-method/customMCP", {"loadMethod": "listActions", "inputs": config}),
        ("/api/v1/mcp", config),
        ("/mcp", config),
    ]


def test_no_request_brings_a_server_along(runtime: Runtime, alice: User, tmp_path: Path) -> None:
    marker = tmp_path / "was-here"
    headers = {"Authorization": f"Bearer {ApiKey.objects.issue(alice, 'test')[1]}"}
    before = runtime.tools.specs()

    answers = [
        (path, Client().post(path, json.dumps(body), content_type="application/json", headers=headers))
        for path, body in bodies(marker)
    ]

    assert [
        (path, answer.status_code) for path, answer in answers if not 400 <= answer.status_code < 500
    ] == []
    assert runtime.tools.specs() == before
    assert not marker.exists()
