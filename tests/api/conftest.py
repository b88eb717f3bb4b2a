"""One real server for all tests of the APIs, with a key to ask it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chat.models.flow import DEFAULT_FLOW_ID
from tests.conftest import STARTER
from tests.e2e.server import Server


class ApiServer:
    """A server on the starter model at temperature 0; `key` may do everything. Shared, so not to be killed."""

    def __init__(self, server: Server) -> None:
        self.process = server
        self.url = server.url
        self.key = self.new_key("program")
        self.flow_id = str(DEFAULT_FLOW_ID)

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    def new_key(self, user: str) -> str:
        """A key of that person, who is made if need be."""
        return self.process.run_script("tests.api.make_key", user).strip()


@pytest.fixture(scope="session")  # several processes take the files of this folder in any order
def api_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """See `ApiServer`."""
    if not STARTER.exists():
        pytest.skip("the starter model is not there: make starter")
    models_dir = tmp_path_factory.mktemp("api-models")
    (models_dir / STARTER.name).symlink_to(STARTER)
    with Server(
        tmp_path_factory.mktemp("api-data"), models_dir, temperature=0, api_requests_per_minute=100_000
    ) as server:
        yield ApiServer(server)
