"""Web addresses: how they are read, and which IP addresses are public."""

from __future__ import annotations

import ipaddress

import pytest

from chat.domain.errors import ToolFailed
from chat.tools.fetch_address import is_public, parse_address


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://Example.ORG", "https://example.org:443/"),
        ("http://example.org?q=a b".replace(" ", "+"), "http://example.org:80/?q=a+b"),
        ("https://example.org:443/a/b?c=d#part", "https://example.org:443/a/b?c=d"),
        ("https://de.example.org/wiki/Köln", "https://de.example.org:443/wiki/K%C3%B6ln"),
        ("https://example.org/@user/%7Bx%7D", "https://example.org:443/@user/%7Bx%7D"),
        ("http://93.184.215.14/", "http://93.184.215.14:80/"),
        ("http://[2606:2800:21F:0:0::1]/", "http://[2606:2800:21f::1]:80/"),
    ],
)
def test_a_plain_address_has_one_spelling(url: str, expected: str) -> None:
    assert parse_address(url).url == expected


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("javascript:alert(1)", "begin with http"),
        ("https://user@example.org/", "user name"),
        ("https://example.org\\@evil.example/", "backslashes"),
        ("https://exa\u200bmple.org/", "control characters"),
        ("https://example.org/a b", "spaces"),
        ("https://münchen.example/", "not written plainly"),
        ("https://example.org:/", "not written plainly"),
        ("https://example.org:080/", "not written plainly"),
        ("https://example.org./", "not a full domain name"),
        ("https://-a.example/", "not a full domain name"),
        ("https://intranet/", "not a full domain name"),
        ("https://example.0x1/", "usual spelling"),
        ("https://[::1%25eth0]/", "not written plainly"),
        ("https://example.org/" + "a" * 2000, "longer than 2000"),
    ],
)
def test_anything_else_is_refused_with_the_reason(url: str, message: str) -> None:
    with pytest.raises(ToolFailed, match=message):
        parse_address(url)


@pytest.mark.parametrize(
    "address",
    [
        "93.184.215.14",
        "2606:2800:21f:cb07:6820:80da:af6b:8b2c",
        "::ffff:93.184.215.14",
        "64:ff9b::5db8:d70e",  # NAT64, as in networks that only speak IPv6
        "2002:5db8:d70e::1",
    ],
)
def test_public_addresses(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address",
    """0.0.0.0 10.0.0.1 100.64.0.1 127.0.0.1 127.9.9.9 169.254.169.254 172.16.0.1 192.0.0.8 192.0.0.192 192.0.2.1
    192.88.99.1 192.168.1.1 198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1 240.0.0.1 255.255.255.255
    :: ::1 ::7f00:1 ::ffff:127.0.0.1 ::ffff:169.254.169.254 ::ffff:0:127.0.0.1 64:ff9b::127.0.0.1 64:ff9b::a00:1
    64:ff9b:1::1 100::1 2001::1 2001:0:7f00:1::1 2001:db8::1 2002:7f00:1::1 2002:a9fe:a9fe:: 3fff::1 4000::1 5f00::1
    fc00::1 fd00:ec2::254 fe80::1 fe80::1%eth0 fec0::1 ff02::1 ff0e::1""".split(),
)
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))
