"""fetch_url: a web page as text. Off unless the operator names it in PARLEY_TOOLS.

It must not become a way into the operator's own network: `fetch_address` says where it may go, and each step of a
redirect is looked at anew. It knows no settings, so that it runs in a child process.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import zlib
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from http import HTTPStatus
from urllib.parse import urljoin

from chat.domain.errors import ToolFailed
from chat.tools.fetch_address import WEB_PORTS, IPAddress, WebAddress, is_public, parse_address
from chat.tools.fetch_connection import Deadline, PinnedConnection
from chat.tools.fetch_text import is_readable, readable_text

MAX_REDIRECTS = 3
MAX_BYTES = 2_000_000
MAX_IPS = 3
# A little less than a tool has in all, so that the reason is told.
LIMIT_S = 9.0

_HEADERS = {
    "User-Agent": "Parley (fetch_url)",
    "Accept": "text/html, text/markdown, text/plain, application/json;q=0.9",
    "Accept-Encoding": "identity",
    "Connection": "close",
}
_REDIRECTS = {301, 302, 303, 307, 308}

Resolver = Callable[[str, int], Sequence[IPAddress]]


def fetch_url(url: str) -> str:
    """Read a public web page as text. url is a full address such as https://example.org/page."""
    return Fetcher().read(url)


def resolve(host: str, port: int) -> Sequence[IPAddress]:
    """Raises: ToolFailed when there is no such host."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as exc:
        raise ToolFailed(f"No server is called {host}.") from exc
    return [ipaddress.ip_address(sockaddr[0]) for *_, sockaddr in found]


class Fetcher:
    """Fetches pages; what it may reach is passed in, so that tests can serve them."""

    def __init__(
        self,
        *,
        resolver: Resolver = resolve,
        is_allowed: Callable[[IPAddress], bool] = is_public,
        ports: frozenset[int] = WEB_PORTS,
        tls: ssl.SSLContext | None = None,
        limit_s: float = LIMIT_S,
    ) -> None:
        self._resolver = resolver
        self._is_allowed = is_allowed
        self._ports = ports
        self._tls = tls or ssl.create_default_context()
        self._tls.set_alpn_protocols(["http/1.1"])
        self._limit_s = limit_s

    def read(self, url: str) -> str:
        """The page as text, with its title and the address that it came from in front. Raises: ToolFailed."""
        deadline = Deadline(self._limit_s)
        address = parse_address(url)
        for _ in range(MAX_REDIRECTS + 1):
            with closing(self._connect(address, deadline)) as connection:
                try:
                    response = connection.getresponse()
                    if response.status not in _REDIRECTS:
                        return _text_of(response, address)
                except TimeoutError as exc:
                    raise ToolFailed(f"{address.host} was too slow.") from exc
                except (OSError, http.client.HTTPException) as exc:
                    raise ToolFailed(f"{address.host} broke off its answer.") from exc
            address = _moved_to(response.getheader("Location", ""), address)
        raise ToolFailed(f"The page was moved more than {MAX_REDIRECTS} times.")

    def _connect(self, address: WebAddress, deadline: Deadline) -> PinnedConnection:
        """A connection with the request sent. Raises: ToolFailed."""
        for ip in self._checked_ips(address):
            connection = PinnedConnection(address, str(ip), deadline, self._tls)
            with ExitStack() as on_failure:
                on_failure.callback(connection.close)
                try:
                    connection.request("GET", address.target, headers=_HEADERS)
                except ssl.SSLCertVerificationError as exc:
                    raise ToolFailed(f"The certificate of {address.host} is not valid.") from exc
                except OSError:
                    continue  # another address of the host may answer
                on_failure.pop_all()
                return connection
        raise ToolFailed(f"{address.host} cannot be reached.")

    def _checked_ips(self, address: WebAddress) -> Sequence[IPAddress]:
        """Resolved once: what is checked here is connected to. Raises: ToolFailed when one of them is not allowed."""
        if address.port not in self._ports:
            raise ToolFailed("Only the ports of the web, 80 and 443, can be fetched from.")
        ips = list(dict.fromkeys(self._resolver(address.host, address.port)))
        if not all(map(self._is_allowed, ips)):
            raise ToolFailed(f"{address.host} is not on the public internet, so it is not fetched.")
        return ips[:MAX_IPS]


def _moved_to(location: str, address: WebAddress) -> WebAddress:
    try:
        url = urljoin(address.url, location)
    except ValueError as exc:
        raise ToolFailed(f"{address.host} says that the page has moved, but not where.") from exc
    return parse_address(url)


def _text_of(response: http.client.HTTPResponse, address: WebAddress) -> str:
    """Raises: ToolFailed for an error page and for what is no text."""
    if response.status != HTTPStatus.OK:
        raise ToolFailed(f"{address.host} answered {_phrase(response.status)}.")
    kind = response.headers.get_content_type() if response.getheader("Content-Type") else "of no named kind"
    if not is_readable(kind):
        raise ToolFailed(f"The page is {kind[:80]}; only text, HTML, Markdown and JSON are read.")
    body = _read_body(response)
    text = readable_text(body[:MAX_BYTES], kind, response.headers.get_content_charset())
    text = text or "[the page has no text to read]"
    cut = f"\n\n[cut: the page is longer than {MAX_BYTES // 1_000_000} MB]" if len(body) > MAX_BYTES else ""
    return f"{address.url}\n\n{text}{cut}"


def _phrase(status: int) -> str:
    """In our words: the server's own are not told."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _read_body(response: http.client.HTTPResponse) -> bytes:
    """At most one byte more than `MAX_BYTES`, also of a compressed page. Raises: ToolFailed."""
    encoding = response.getheader("Content-Encoding", "identity").strip().lower()
    if encoding == "identity":
        return response.read(MAX_BYTES + 1)
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise ToolFailed("The page is compressed in a way that was not asked for.")
    inflate = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)  # finds out by itself which of the two
    try:
        return inflate.decompress(response.read(MAX_BYTES), MAX_BYTES + 1)
    except zlib.error as exc:
        raise ToolFailed("The page is compressed, and broken.") from exc
