"""What must be right before the server opens its port. Each check fails with one line that says what to do."""

from __future__ import annotations

import errno
import fcntl
import importlib.metadata
import os
import shutil
import socket
from pathlib import Path

from django.core.checks import Error

from chat.checks import check_settings
from chat.domain.errors import ChatError

MIN_FREE_BYTES = 50 * 2**20

# Below these, holes are known that a client or a model file can use. Source: docs/security.md.
VERSION_FLOORS = {
    "daphne": (4, 2, 2),
    "django": (5, 2, 14),
    "jinja2": (3, 1, 6),
    "llama-cpp-python": (0, 3, 36),
}


class CannotStart(ChatError):
    """The server must not or cannot start."""

    code = "cannot_start"


def check_configuration() -> None:
    """Raises: CannotStart for the first setting that is wrong."""
    for message in check_settings():
        if isinstance(message, Error):
            raise CannotStart(str(message.msg), hint=str(message.hint or ""))


def check_data_folder(folder: Path, min_free_bytes: int = MIN_FREE_BYTES) -> None:
    """Raises: CannotStart when nothing can be written there, or soon nothing more."""
    probe = folder / f".probe-{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"x" * 4096)
        probe.unlink()
        free_bytes = shutil.disk_usage(folder).free
    except OSError as exc:
        if exc.errno == errno.ENOSPC:
            raise _disk_full(folder, 0) from exc
        raise CannotStart(
            f"The data folder {folder} is not writable: {exc.strerror}.",
            hint="Change its owner, or set PARLEY_DATA_DIR to another.",
        ) from exc
    if free_bytes < min_free_bytes:
        raise _disk_full(folder, free_bytes)


def lock_data_folder(folder: Path) -> int:
    """Take the folder for this process until it ends; two servers would end each other's runs.

    Returns the descriptor that holds the lock. Raises: CannotStart.
    """
    descriptor = os.open(folder / "server.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        owner = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
        os.close(descriptor)
        raise CannotStart(
            f"Another server (process {owner}) uses the data folder {folder}.",
            hint="Stop it, or set PARLEY_DATA_DIR to another.",
        ) from exc
    os.truncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    return descriptor


def check_port(host: str, port: int) -> None:
    """Raises: CannotStart when the address cannot be listened on."""
    try:
        family, kind, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except socket.gaierror as exc:
        hint = "Choose another: HOST=127.0.0.1 for this machine only, HOST=0.0.0.0 for all that reach it."
        raise CannotStart(f"There is no address {host} on this machine.", hint=hint) from exc
    except OSError as exc:
        is_taken = exc.errno == errno.EADDRINUSE
        why = "is taken by another program" if is_taken else f"cannot be used: {exc.strerror}"
        raise CannotStart(f"Port {port} on {host} {why}.", hint=f"Choose another: PORT={port + 1}.") from exc


def check_versions() -> None:
    """Raises: CannotStart when a package is older than is safe."""
    for package, floor in VERSION_FLOORS.items():
        installed = importlib.metadata.version(package)
        if _numbers(installed) < floor:
            wanted = ".".join(map(str, floor))
            raise CannotStart(f"{package} {installed} is older than {wanted}.", hint="Run: make install.")


def _disk_full(folder: Path, free_bytes: int) -> CannotStart:
    message = f"The disk with the data folder {folder} is full: {free_bytes // 2**20} MB left."
    return CannotStart(message, hint="Make room, or set PARLEY_DATA_DIR to a folder on another disk.")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())
