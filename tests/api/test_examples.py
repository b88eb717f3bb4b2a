"""Every example of docs/api.md does what it says, against a running server."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from chat.api.docs.routes import api_routes
from tests.api.conftest import ApiServer

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "api.md").read_text()
EXAMPLES = re.findall(r"^```(\w+)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
COMMANDS = {
    "sh": ["bash", "-euo", "pipefail", "-c"],
    "python": [sys.executable, "-c"],
    "js": ["node", "--input-type=module", "-e"],
}


def test_each_api_has_an_example_in_each_language() -> None:
    sections = re.split(r"^## ", TEXT, flags=re.MULTILINE)
    shown = {
        section.split("\n", 1)[0]: set(re.findall(r"^```(\w+)$", section, re.MULTILINE))
        for section in sections
    }

    for name in ("Prediction", "OpenAI", "NDJSON"):
        assert shown[name] == set(COMMANDS), name


@pytest.mark.parametrize(
    ("language", "code"), EXAMPLES, ids=[f"{n}-{lang}" for n, (lang, _) in enumerate(EXAMPLES)]
)
def test_the_example_runs(api_server: ApiServer, language: str, code: str) -> None:
    command = COMMANDS[language]
    if shutil.which(command[0]) is None:
        pytest.skip(f"there is no {command[0]} on this machine")
    code = code.replace("http://127.0.0.1:8000", api_server.url)
    code = code.replace("pk-YOUR-KEY", api_server.key).replace("FLOW_ID", api_server.flow_id)

    done = subprocess.run([*command, code], capture_output=True, text=True, timeout=120, check=False)

    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    assert '"error"' not in done.stdout


def test_every_address_that_is_named_exists() -> None:
    named = set(re.findall(r"`(/(?:api|v1)/[^`]*)`", TEXT))
    known = {route.path.replace("{flow_id}", "{flow}") for route in api_routes()}

    assert named
    assert named <= known
