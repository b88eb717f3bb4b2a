"""What a start loads: everything that is heavy waits until something needs it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ops.processes import REPO

# The whole program as it stands when its engine begins to load a model; then its pages, and a request can come.
PROGRAM = "import django; django.setup(); import chat.ops.serve; chat.ops.serve.get_runtime()"
PAGES = "import chatsite.urls, chat.web.routing"
READS_FILES = ["docx", "lxml", "pypdf"]
# Only in the engine's process, when a tool is called, when a server of tools is set up, when a model is pulled.
WAITS = ["jinja2", "llama_cpp", "jsonschema", "mcp", "pydantic", "httpx2", "huggingface_hub", "torch"]
# Needed for the first request, but the engine's process loads its model meanwhile.
AFTER_THE_ENGINE = ["twisted", "daphne", "autobahn"]


def loaded_by(data_dir: Path, *statements: str) -> set[str]:
    """Names of the packages and modules that a fresh interpreter has after these statements."""
    env = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "chatsite.settings",
        "PARLEY_DATA_DIR": str(data_dir),
        "PARLEY_TOOLS": "calculator,clock,fetch_url",
    }
    argv = [sys.executable, "-c", "\n".join([*statements, "import sys", "print(*sys.modules)"])]
    done = subprocess.run(argv, cwd=REPO, env=env, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_engine_is_begun_before_anything_heavy_is_loaded(tmp_path: Path) -> None:
    loaded = loaded_by(tmp_path, PROGRAM)

    assert "chat.engine.process" in loaded
    assert not loaded & {*READS_FILES, *WAITS, *AFTER_THE_ENGINE}


def test_the_pages_load_nothing_that_a_first_visit_does_not_need(tmp_path: Path) -> None:
    loaded = loaded_by(tmp_path, PROGRAM, PAGES)

    assert "chat.web.urls" in loaded
    assert not loaded & {*READS_FILES, *WAITS}


@pytest.mark.parametrize(
    ("child", "foreign"),
    [
        ("chat.retrieval.extract_child", ["django", "numpy", *READS_FILES, *WAITS]),
        ("chat.tools.worker_main", ["django", "numpy", *READS_FILES, *WAITS]),
        ("chat.engine.worker", ["twisted", *READS_FILES, "jsonschema", "mcp", "pydantic", "httpx2"]),
    ],
)
def test_a_child_loads_only_what_its_work_needs(tmp_path: Path, child: str, foreign: list[str]) -> None:
    loaded = loaded_by(tmp_path, f"import {child}")

    assert child in loaded
    assert not loaded & set(foreign)
