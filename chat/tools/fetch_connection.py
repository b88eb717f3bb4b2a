"""An HTTP connection to one IP address that was checked before, with one deadline over everything it does."""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import time
from typing import Any

from chat.domain.errors import ToolFailed
from chat.tools.fetch_address import WebAddress


class Deadline:
    """A point in time for all steps together: a timeout for each read would let a server dribble for ever."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._ends_at = time.monotonic() + limit_s

    def seconds_left(self) -> float:
        """Always above zero. Raises: ToolFailed once it is over."""
        left = self._ends_at - time.monotonic()
        if left <= 0:
            raise ToolFailed(f"The server took longer than {self._limit_s:g} seconds.")
        return left


class PinnedConnection(http.client.HTTPConnection):
    """Connects to `ip` and to nothing else; the host's name serves the Host header and the certificate.

    It knows no proxies, no cookies and no redirects.
    """

    def __init__(self, address: WebAddress, ip: str, deadline: Deadline, tls: ssl.SSLContext) -> None:
        super().__init__(address.host, address.port)
        self._ip = ip
        self._deadline = deadline
        self._tls = tls if address.scheme == "https" else None
        if self._tls is not None:
            self.default_port = 443  # which the Host header leaves out

    def connect(self) -> None:
        """Raises: OSError, ssl.SSLError when the certificate is not the host's."""
        plain = socket.create_connection((self._ip, self.port), timeout=self._deadline.seconds_left())
        try:
            plain.settimeout(self._deadline.seconds_left())
            secure = self._tls.wrap_socket(plain, server_hostname=self.host) if self._tls else plain
        except BaseException:
            plain.close()
            raise
        self.sock: Any = _TimedSocket(secure, self._deadline)


class _TimedSocket:
    """The part of a socket that `http.client` uses, each step within what is left of the deadline."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock = sock
        self._deadline = deadline

    def sendall(self, data: bytes) -> None:
        self._sock.settimeout(self._deadline.seconds_left())
        self._sock.sendall(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_TimedReader(self._sock, self._deadline))

    def close(self) -> None:
        self._sock.close()


class _TimedReader(io.RawIOBase):
    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        super().__init__()
        self._sock = sock
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._sock.settimeout(self._deadline.seconds_left())
        return self._sock.recv_into(buffer)
