"""A hub on loopback with tiny models, and a table that pulls from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import huggingface_hub
import pytest

import chat.hub.download
from chat.hub.table import PullTable
from tests.engine.tiny_gguf import write_tiny_gguf
from tests.hub.stand_in import StandIn

OpenTable = Callable[..., PullTable]


@pytest.fixture(scope="session")
def tiny_bytes(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_tiny_gguf(tmp_path_factory.mktemp("hub") / "tiny.gguf").read_bytes()


@pytest.fixture
def hub(tiny_bytes: bytes, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """With one repository of three quantisations."""
    monkeypatch.setattr(chat.hub.download, "RETRY_S", 0.01)
    names = ("Tiny-Q8_0.gguf", "Tiny-Q4_K_M.gguf", "Tiny-F16.gguf", "README.md", "mmproj-Tiny-F16.gguf")
    with StandIn({"maker/Tiny-GGUF": {name: tiny_bytes + name.encode() for name in names}}) as stand_in:
        yield stand_in
    huggingface_hub.close_session()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "models"


@pytest.fixture
def open_table(hub: StandIn, folder: Path) -> Iterator[OpenTable]:
    tables: list[PullTable] = []

    def build(**options: object) -> PullTable:
        tables.append(PullTable(folder, hub.url, **{"is_server": True, **options}))
        return tables[-1]

    yield build
    for table in tables:
        table.close()


@pytest.fixture
def table(open_table: OpenTable) -> PullTable:
    return open_table()
