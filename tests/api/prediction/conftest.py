"""A server of nonsense for the real clients, and somebody who asks it in plain HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from chat.models.flow import DEFAULT_FLOW_ID
from tests.api.prediction.asking import Asker
from tests.e2e.server import Server
from tests.engine.tiny_gguf import write_tiny_gguf


@dataclass(frozen=True)
class Site:
    """A running server: its flows by what is special about them, and keys of Alice and Bob."""

    process: Server
    url: str
    open_flow: str
    closed_flow: str
    shop_flow: str
    world_flow: str
    busy_flow: str
    gone_flow: str
    key: str
    bobs_key: str
    narrow_key: str


@pytest.fixture(scope="session")  # several processes take the files of this folder in any order
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """See `Site`. Its model writes half characters too, and never ends by itself."""
    models_dir = tmp_path_factory.mktemp("prediction-models")
    write_tiny_gguf(models_dir / "tiny.gguf", context_tokens=4096, alphabet="bytes")
    with Server(tmp_path_factory.mktemp("prediction-data"), models_dir, max_tokens=2500, slots=4) as server:
        made = json.loads(server.run_script("tests.api.prediction.make_flows", ""))
        yield Site(server, server.url, str(DEFAULT_FLOW_ID), **made)


@pytest.fixture
def asker(site: Site) -> Asker:
    """Asks the open flow."""
    return Asker(site.url, site.open_flow)


@pytest.fixture
def member(site: Site) -> Asker:
    """Asks the flow that needs a key, with Alice's."""
    return Asker(site.url, site.closed_flow, site.key)


@pytest.fixture
def asker_of(site: Site) -> Callable[..., Asker]:
    """Asks a flow by its id, with a key or without."""
    return lambda flow_id, key="": Asker(site.url, flow_id, key)
