"""Which web addresses may be fetched: one strict parse, and what counts as the public internet.

What is checked is what is connected to: an address that two parsers could read in two ways is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv4Network, IPv6Address, IPv6Network
from urllib.parse import quote

from chat.domain.errors import ToolFailed

MAX_URL_CHARS = 2000
MAX_HOST_CHARS = 253
WEB_PORTS = frozenset({80, 443})

IPAddress = IPv4Address | IPv6Address

_URL = re.compile(r"(https?)://([^/?#]*)([^#]*)", re.IGNORECASE)
_AUTHORITY = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::([1-9][0-9]{0,4}))?")
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
# What RFC 3986 allows in a path and a query; the rest is percent-encoded.
_TARGET_CHARS = "/?%:@!$&'()*+,;=~-._[]"

_GLOBAL_UNICAST = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")
# Newer registry entries than Python 3.11 knows. Source: IANA special-purpose address registries, 2024.
_NOT_PUBLIC = (IPv4Network("192.0.0.0/24"), IPv4Network("192.88.99.0/24"), IPv6Network("3fff::/20"))


@dataclass(frozen=True, slots=True)
class WebAddress:
    """An address taken apart; `target` is path and query as they are sent."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def url(self) -> str:
        """The one spelling of it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.target}"


def parse_address(url: str) -> WebAddress:
    """Raises: ToolFailed for anything but a plain http or https address."""
    if len(url) > MAX_URL_CHARS:
        raise ToolFailed(f"The address is longer than {MAX_URL_CHARS} characters.")
    if "\\" in url or any(char.isspace() or not char.isprintable() for char in url):
        raise ToolFailed("An address holds no spaces, backslashes or control characters.")
    found = _URL.match(url)
    if found is None:
        raise ToolFailed("Only addresses that begin with http:// or https:// can be fetched.")
    scheme, authority, target = found[1].lower(), found[2].lower(), found[3]
    if "@" in authority:
        raise ToolFailed("An address with a user name or password is not fetched.")
    parts = _AUTHORITY.fullmatch(authority)
    if parts is None:
        raise ToolFailed("The host in the address is not written plainly.")
    port = int(parts[2]) if parts[2] else {"http": 80, "https": 443}[scheme]
    path = quote(target, safe=_TARGET_CHARS)
    return WebAddress(scheme, _host(parts[1]), port, path if path.startswith("/") else f"/{path}")


def is_public(address: IPAddress) -> bool:
    """Whether it is reached over the public internet, also by what is wrapped inside of it."""
    return all(_is_public(each) for each in (address, *_wrapped(address)))


def _host(text: str) -> str:
    """A domain name, or an IP address in its usual spelling. Raises: ToolFailed."""
    try:
        if text.startswith("["):
            return str(IPv6Address(text[1:-1]))
        labels = text.split(".")
        if labels[-1][:1].isdigit():
            # No top-level domain begins with a digit; 0x7f.1 and 127.1 are addresses to some parsers.
            return str(IPv4Address(text))
    except AddressValueError as exc:
        raise ToolFailed("The IP address is not in its usual spelling.") from exc
    if len(labels) < 2 or len(text) > MAX_HOST_CHARS or not all(map(_LABEL.fullmatch, labels)):
        raise ToolFailed("The host is not a full domain name such as example.org.")
    return text


def _is_public(address: IPAddress) -> bool:
    if any(address in network for network in _NOT_PUBLIC if network.version == address.version):
        return False
    if isinstance(address, IPv6Address) and (address.ipv4_mapped or address in _NAT64):
        return True  # only a wrapping: what is inside counts
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return False
    return address.is_global and not address.is_multicast


def _wrapped(address: IPAddress) -> Iterator[IPv4Address]:
    """The IPv4 addresses that an IPv6 address stands for: mapped, NAT64, 6to4, and Teredo's two."""
    if isinstance(address, IPv4Address):
        return
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped
    if address in _NAT64:
        yield IPv4Address(int(address) & 0xFFFFFFFF)
    if address.sixtofour is not None:
        yield address.sixtofour
    yield from address.teredo or ()
