"""Servers as processes, and raw sockets to treat them badly."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx

REPO = Path(__file__).resolve().parents[2]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _listen_to_ctrl_c() -> None:
    """A suite that runs in the background has SIGINT ignored, and its children would inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class ServerProcess:
    """A program that listens on a port of 127.0.0.1; `with` ends it for certain."""

    def __init__(self, argv: Sequence[str], port: int, env: Mapping[str, str] | None = None) -> None:
        self.port = port
        self.process = subprocess.Popen(
            [sys.executable, *argv],
            cwd=REPO,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **(env or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=_listen_to_ctrl_c,
        )

    def __enter__(self) -> ServerProcess:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def wait_until_open(self, timeout_s: float = 60.0) -> ServerProcess:
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return self
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    self.process.kill()
                    raise AssertionError(f"it does not listen: {self.process.communicate()[0]}") from None
                time.sleep(0.02)

    def stop(self, signum: int = signal.SIGTERM, timeout_s: float = 12.0) -> tuple[int, float, str]:
        """Exit code, seconds that it took, and all output."""
        began = time.monotonic()
        self.process.send_signal(signum)
        output, _ = self.process.communicate(timeout=timeout_s)
        return self.process.returncode, time.monotonic() - began, output

    def connect(self, timeout_s: float = 10.0) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=timeout_s)

    def ask(self, raw: bytes, timeout_s: float = 10.0) -> bytes:
        """Send the bytes as they are; everything that comes back until the server closes."""
        with self.connect(timeout_s) as sock:
            sock.sendall(raw)
            return read_all(sock)

    def get(self, path: str, *headers: str) -> bytes:
        return self.ask(request("GET", path, *headers))

    def rss_mb(self) -> float:
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


class Browser:
    """Posts forms and opens streams as a browser without JavaScript does."""

    def __init__(self, server: ServerProcess) -> None:
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=20)
        self.client.get("/")

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    def post(self, path: str, **fields: str) -> httpx.Response:
        fields["csrfmiddlewaretoken"] = self.client.cookies["csrftoken"]
        return self.client.post(path, data=fields)

    @property
    def cookie_header(self) -> str:
        return "Cookie: " + "; ".join(f"{name}={value}" for name, value in self.client.cookies.items())


def request(method: str, path: str, *headers: str, body: bytes = b"") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "Connection: close", *headers]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def read_all(sock: socket.socket) -> bytes:
    """Raises: TimeoutError when the server neither sends nor closes."""
    received = bytearray()
    try:
        while part := sock.recv(65536):
            received += part
    except ConnectionResetError:
        received += b"<reset>"
    return bytes(received)


def read_until(sock: socket.socket, marker: bytes) -> bytes:
    received = bytearray()
    while marker not in received:
        part = sock.recv(65536)
        assert part, f"closed before {marker!r}: {bytes(received)!r}"
        received += part
    return bytes(received)


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])
