"""The server's start, in order: checks, database, runtime, port, and the lines that tell where it is."""

from __future__ import annotations

import resource
from collections.abc import Callable
from dataclasses import dataclass

from django.conf import settings
from django.utils.module_loading import import_string

from chat.conf import ChatConf
from chat.http.first_admin import issue_setup_path, needs_first_admin, withdraw_setup_link
from chat.ops.database import prepare_database
from chat.ops.startup import (
    CannotStart,
    check_configuration,
    check_data_folder,
    check_port,
    check_versions,
    lock_data_folder,
)
from chat.runtime import close_runtime, get_runtime

# Left for the database, logs, the engine's pipes and files that are read.
RESERVED_DESCRIPTORS = 100
MAX_CONNECTIONS = 1000
LOOPBACK = {"localhost", "127.0.0.1", "::1", "[::1]"}


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """For a browser on this machine."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"


def prepare(address: Address) -> None:
    """Everything that can be wrong is found here, before a model is loaded. Raises: CannotStart."""
    conf = ChatConf.from_settings()
    check_configuration()
    check_data_folder(conf.data_dir)
    check_port(address.host, address.port)
    check_versions()
    lock_data_folder(conf.data_dir)
    prepare_database()


def serve(address: Address, say: Callable[[str], None], *, has_signal_handlers: bool = True) -> None:
    """Serve until SIGTERM or SIGINT. Raises: CannotStart when the port was taken in the meantime."""
    application = import_string(settings.ASGI_APPLICATION)  # starts the runtime: only with the database ready
    # Only now: Twisted takes 0.4 s to import, and the engine's process loads its model meanwhile.
    from chat.ops.daphne_requests import Bounds
    from chat.ops.daphne_server import GuardedServer

    server = GuardedServer(
        application,
        host=address.host,
        port=address.port,
        bounds=Bounds(
            max_body_bytes=settings.DATA_UPLOAD_MAX_MEMORY_SIZE,
            max_upload_bytes=settings.PARLEY_UPLOAD_MAX_MB * 2**20 + settings.DATA_UPLOAD_MAX_MEMORY_SIZE,
            max_connections=_max_connections(),
        ),
        on_ready=lambda: announce(address, say),
        on_stop=close_runtime,
        has_signal_handlers=has_signal_handlers,
    )
    server.run()
    if server.abort_start:
        raise CannotStart(f"Cannot listen on {address.host} port {address.port}.")


def announce(address: Address, say: Callable[[str], None]) -> None:
    """Tell where the server is, what to do first, and what is wrong with the models."""
    say(f"Parley is ready at {address.url}")
    if needs_first_admin():
        say(f"Make the first administrator (works once): {address.url}{issue_setup_path()}")
    else:
        withdraw_setup_link()
    say(f"Data: {settings.PARLEY_DATA_DIR}")
    say(get_runtime().registry.summary())
    if address.host not in LOOPBACK and set(settings.ALLOWED_HOSTS) <= LOOPBACK:
        say(
            "Others are turned away: set PARLEY_HOSTS to the name or address that they type into the browser."
        )


def _max_connections() -> int:
    """As many as fit under the limit of open files, which is raised as far as it may be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_CONNECTIONS + RESERVED_DESCRIPTORS
    if hard == resource.RLIM_INFINITY or hard >= wanted > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    return max(10, min(MAX_CONNECTIONS, soft - RESERVED_DESCRIPTORS))
