"""A small web on loopback for the tests of fetch_url: pages by path, hits counted; over TLS with a certificate."""

from __future__ import annotations

import gzip
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

PAGE = b"""<!doctype html><title>A  page</title><script>steal()</script>
<h1>Tea</h1><p>Two <a href="/x">kinds</a> of <b>tea</b>.</p><ul><li>green</li><li>black</li></ul>"""


class Web:
    """What was asked of the server, and where it is."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.requests: list[tuple[str, dict[str, str]]] = []

    def url(self, path: str, host: str = "parley.test") -> str:
        return f"http://{host}:{self.port}{path}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    web: Web

    def do_GET(self) -> None:
        self.web.requests.append((self.path, dict(self.headers)))
        path = self.path.partition("?")[0]
        PATHS.get(path, _missing)(self)

    def answer(self, body: bytes, kind: str = "text/html", status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Tests are silent."""


def _missing(handler: _Handler) -> None:
    handler.answer(b"no such page", status=404)


def _moved(handler: _Handler) -> None:
    handler.answer(b"", status=302, Location=handler.path.partition("?")[2], Set_Cookie="a=b")


def _dribble(handler: _Handler) -> None:
    """A header that never ends, a byte at a time."""
    try:
        while True:
            handler.wfile.write(b"H")
            time.sleep(0.02)
    except OSError:
        handler.close_connection = True


def _gzip(handler: _Handler) -> None:
    handler.answer(gzip.compress(b"a" * 40_000_000, 1), "text/plain", Content_Encoding="gzip")


def _large(handler: _Handler) -> None:
    try:
        handler.answer(b"line\n" * 1_000_000, "text/plain")
    except OSError:
        handler.close_connection = True


PATHS: dict[str, Callable[[_Handler], None]] = {
    "/": lambda handler: handler.answer(PAGE),
    "/json": lambda handler: handler.answer(b'{"a": [1]}', "application/json; charset=utf-8"),
    "/latin": lambda handler: handler.answer("Grüße".encode("latin-1"), "text/plain; charset=iso-8859-1"),
    "/image": lambda handler: handler.answer(b"\x89PNG", "image/png"),
    "/nothing": lambda handler: handler.answer(b"<script>1</script>"),
    "/moved": _moved,
    "/dribble": _dribble,
    "/gzip": _gzip,
    "/large": _large,
}


@contextmanager
def serve_web(tls: ssl.SSLContext | None = None) -> Iterator[Web]:
    """The pages on a free port of 127.0.0.1."""
    handler = type("Handler", (_Handler,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    handler.web = Web(server.server_address[1])
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield handler.web
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def write_certificate(path: Path, host: str) -> None:
    """A self-signed certificate for the host, and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
