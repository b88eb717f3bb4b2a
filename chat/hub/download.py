"""Fetches one file: takes up what is there, goes on after a broken connection, and compares the hash."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from threading import Event
from typing import Self

from chat.domain.errors import ModelUnreadable, PullFailed
from chat.engine.checksums import blocks_of
from chat.engine.gguf import read_metadata
from chat.hub.choice import HubFile
from chat.hub.hub import ConnectionLost, Hub
from chat.hub.meter import Meter

# Attempts without a single byte; a connection that brings something counts from the start.
MAX_TRIES = 6
RETRY_S = 1.0
MAX_RETRY_S = 30.0


class Stopped(Exception):
    """The download was told to stop; what is there stays."""


class Download:
    """One file of a repository on its way to `part`."""

    def __init__(self, hub: Hub, repo: str, commit: str, file: HubFile, part: Path) -> None:
        self._hub = hub
        self._repo = repo
        self._commit = commit
        self._file = file
        self._part = part

    def run(self, meter: Meter, stop: Event) -> None:
        """Fill the part and check it; a part that turns out to be wrong is deleted.

        Raises: PullFailed, ModelUnreadable, Stopped, OSError.
        """
        with _Part(self._part, meter) as part:
            part.take_up(self._file.size_bytes, stop)
            self._fill(part, meter, stop)
            part.sync()
            is_good = part.hexdigest == self._file.sha256
        if not is_good:
            self._drop(meter)
            raise PullFailed(
                f"{self._file.name} is not what the hub says it is: its checksum differs.",
                hint="Try again. If it happens again, something on the way changes files.",
            )
        try:
            read_metadata(self._part)
        except ModelUnreadable:
            self._drop(meter)
            raise

    def _drop(self, meter: Meter) -> None:
        self._part.unlink()
        meter.found(-self._file.size_bytes)

    def _fill(self, part: _Part, meter: Meter, stop: Event) -> None:
        num_failures = 0
        while part.num_bytes < self._file.size_bytes:
            start = part.num_bytes
            try:
                self._fetch_rest(part, meter, stop)
                problem = "the hub sent less than it promised"
            except ConnectionLost as exc:
                problem = str(exc)
            if part.num_bytes >= self._file.size_bytes:
                return
            num_failures = num_failures + 1 if part.num_bytes <= start else 1
            if num_failures >= MAX_TRIES:
                raise PullFailed(
                    f"The connection to the hub is lost: {problem}.",
                    hint="What is there is kept: go on when the network is back.",
                )
            if stop.wait(min(RETRY_S * 2 ** (num_failures - 1), MAX_RETRY_S)):
                raise Stopped

    def _fetch_rest(self, part: _Part, meter: Meter, stop: Event) -> None:
        start = part.num_bytes
        with self._hub.open(self._repo, self._commit, self._file.path, start) as stream:
            if stream.start != start:
                part.start_again()
            meter.begin()
            for chunk in stream.chunks:
                if stop.is_set():
                    raise Stopped
                part.add(chunk[: self._file.size_bytes - part.num_bytes])
                if part.num_bytes == self._file.size_bytes:
                    return  # whatever else is sent is none of ours


class _Part:
    """The bytes of a file so far, with their hash."""

    def __init__(self, path: Path, meter: Meter) -> None:
        self._path = path
        self._meter = meter
        self._digest = hashlib.sha256()
        self.num_bytes = 0

    def __enter__(self) -> Self:
        self._file = self._path.open("ab")
        return self

    def __exit__(self, *_error: object) -> None:
        self._file.close()

    @property
    def hexdigest(self) -> str:
        """Of all bytes."""
        return self._digest.hexdigest()

    def take_up(self, max_bytes: int, stop: Event) -> None:
        """Hash what was there before. Raises: Stopped."""
        if self._path.stat().st_size > max_bytes:
            self._file.truncate(0)
        for block in blocks_of(self._path):
            if stop.is_set():
                raise Stopped
            self._digest.update(block)
            self.num_bytes += len(block)
            self._meter.found(len(block))

    def add(self, chunk: bytes) -> None:
        """Write more."""
        self._file.write(chunk)
        self._digest.update(chunk)
        self.num_bytes += len(chunk)
        self._meter.fetched(len(chunk))

    def start_again(self) -> None:
        """Forget all bytes."""
        self._file.truncate(0)
        self._meter.found(-self.num_bytes)
        self._digest = hashlib.sha256()
        self.num_bytes = 0

    def sync(self) -> None:
        """Wait until the disk has it all."""
        self._file.flush()
        os.fsync(self._file.fileno())
