"""What a download needs of a hub."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from chat.hub.choice import HubFile
from chat.hub.names import HubName


class ConnectionLost(Exception):
    """The connection could not be made or broke off: worth another try."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What a repository holds at one `commit`."""

    commit: str
    license: str
    files: tuple[HubFile, ...]


@dataclass(frozen=True, slots=True)
class Stream:
    """The rest of a file. `start` is 0 where the server sends all of it although less was asked for."""

    start: int
    chunks: Iterator[bytes]


class Hub(Protocol):
    """Any thread may call."""

    def list_files(self, name: HubName) -> Listing:
        """The files of a repository with their sizes and hashes. Raises: PullFailed."""

    def open(self, repo: str, commit: str, path: str, start: int) -> AbstractContextManager[Stream]:
        """The bytes of a file from `start` on. Raises: PullFailed, ConnectionLost (also from the chunks)."""
