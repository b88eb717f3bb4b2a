"""fetch_url against a small web on loopback: what it reads, and where it does not go."""

from __future__ import annotations

import ipaddress
import ssl
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from chat.domain.errors import ToolFailed
from chat.domain.messages import ToolCall
from chat.tools.fetch_address import IPAddress
from chat.tools.fetch_url import MAX_BYTES, Fetcher
from chat.tools.host import ToolHost
from chat.tools.registry import built_in_tools
from chat.tools.tool import ToolContext
from tests.tools.web_server import Web, serve_web, write_certificate

LOOPBACK = ipaddress.ip_address("127.0.0.1")


@pytest.fixture(scope="module")
def served() -> Iterator[Web]:
    with serve_web() as web:
        yield web


@pytest.fixture
def web(served: Web) -> Web:
    served.requests.clear()
    return served


def to_loopback(_host: str, _port: int) -> Sequence[IPAddress]:
    return [LOOPBACK]


def open_fetcher(web: Web, limit_s: float = 9.0) -> Fetcher:
    """Reaches the small web, by whatever name."""
    return Fetcher(
        resolver=to_loopback, is_allowed=lambda _ip: True, ports=frozenset({web.port}), limit_s=limit_s
    )


def strict_fetcher(web: Web) -> Fetcher:
    """As in production, but for the port, on which it would find the small web."""
    return Fetcher(ports=frozenset({web.port, 80, 443}))


def test_a_page_is_read_as_text(web: Web) -> None:
    text = open_fetcher(web).read(web.url("/"))

    assert text == f"{web.url('/')}\n\nA page\n\n# Tea\n\nTwo kinds of tea.\n\n- green\n- black"
    assert web.requests[0][1]["Host"] == f"parley.test:{web.port}"


@pytest.mark.parametrize(("path", "expected"), [("/json", '{"a": [1]}'), ("/latin", "Grüße")])
def test_other_text_is_read_as_it_is(web: Web, path: str, expected: str) -> None:
    assert open_fetcher(web).read(web.url(path)).endswith(f"\n\n{expected}")


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/image", "The page is image/png; only text"),
        ("/none", "parley.test answered 404 Not Found."),
        ("/moved?http://[::1", "says that the page has moved, but not where"),
    ],
)
def test_what_is_no_text_is_told(web: Web, path: str, message: str) -> None:
    with pytest.raises(ToolFailed, match=message.replace("[", r"\[")):
        open_fetcher(web).read(web.url(path))


def test_a_page_without_words_is_told(web: Web) -> None:
    assert open_fetcher(web).read(web.url("/nothing")).endswith("[the page has no text to read]")


@pytest.mark.parametrize("path", ["/gzip", "/large"])
def test_a_page_is_cut_at_its_limit_also_when_it_comes_compressed(web: Web, path: str) -> None:
    text = open_fetcher(web).read(web.url(path))

    assert MAX_BYTES - 10 < len(text) < MAX_BYTES + 200
    assert text.endswith("[cut: the page is longer than 2 MB]")


def test_a_server_that_dribbles_is_left(web: Web) -> None:
    with pytest.raises(ToolFailed, match=r"slow|longer than"):
        open_fetcher(web, limit_s=0.3).read(web.url("/dribble"))


def test_a_page_that_has_moved_is_followed_without_its_cookies(web: Web) -> None:
    text = open_fetcher(web).read(web.url("/moved?/moved?/json"))

    assert text.startswith(web.url("/json"))
    assert not any("Cookie" in headers for _, headers in web.requests)


def test_a_page_that_moves_on_and_on_is_left(web: Web) -> None:
    with pytest.raises(ToolFailed, match="more than 3 times"):
        open_fetcher(web).read(web.url("/moved?" * 4 + "/json"))

    assert len(web.requests) == 4


def test_the_environments_proxy_is_not_used(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")

    assert "Tea" in open_fetcher(web).read(web.url("/"))


# Every spelling of loopback that some parser takes for it, and the ways to hide one behind a public address.
LOOPBACK_SPELLINGS = [
    "http://127.0.0.1:{port}/",
    "http://localhost:{port}/",
    "http://localhost.:{port}/",
    "http://127.1:{port}/",
    "http://0x7f.1:{port}/",
    "http://0x7f000001:{port}/",
    "http://2130706433:{port}/",
    "http://0177.0.0.1:{port}/",
    "http://127.0.0.1.:{port}/",
    "http://0:{port}/",
    "http://0.0.0.0:{port}/",
    "http://[::]:{port}/",
    "http://[::1]:{port}/",
    "http://[::ffff:7f00:1]:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://[::127.0.0.1]:{port}/",
    "http://[64:ff9b::7f00:1]:{port}/",
    "http://[2002:7f00:1::]:{port}/",
    "http://[::1%25lo]:{port}/",
    "http://１２７.0.0.1:{port}/",
    "http://127。0。0。1:{port}/",
    "http://ⓛocalhost:{port}/",
    "http://a@b:80\\@127.0.0.1:{port}/",
    "http://example.org@127.0.0.1:{port}/",
    "http://user:word@127.0.0.1:{port}/",
    "http://example.org\\@127.0.0.1:{port}/",
    "http://example.org#@127.0.0.1:{port}/\t",
    "http://127.0.0.1:{port}\r\nHost: x/",
    "http:127.0.0.1:{port}/",
    "http:///127.0.0.1:{port}/",
    "//127.0.0.1:{port}/",
    "ftp://127.0.0.1:{port}/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:{port}/",
    " http://127.0.0.1:{port}/",
    "http://127.0.0.1:0{port}/",
    "http://127.0.0.1:{port}",
    "",
]


@pytest.mark.parametrize("spelling", LOOPBACK_SPELLINGS)
def test_no_spelling_leads_to_this_machine(web: Web, spelling: str) -> None:
    with pytest.raises(ToolFailed):
        strict_fetcher(web).read(spelling.replace("{port}", str(web.port)))

    assert web.requests == []


def test_a_name_that_leads_to_this_machine_is_refused(web: Web) -> None:
    fetcher = Fetcher(
        resolver=lambda _host, _port: [ipaddress.ip_address("93.184.215.14"), LOOPBACK],
        ports=frozenset({web.port}),
    )

    with pytest.raises(ToolFailed, match=r"parley\.test is not on the public internet"):
        fetcher.read(web.url("/"))

    assert web.requests == []


@pytest.mark.parametrize("host", ["localhost.localdomain", "127.0.0.1", "[::ffff:7f00:1]", "2130706433"])
def test_a_public_page_cannot_send_it_to_this_machine(web: Web, host: str) -> None:
    public = ipaddress.ip_address("127.0.0.1")
    fetcher = Fetcher(
        resolver=lambda name, _port: [public if name == "parley.test" else ipaddress.ip_address("127.0.0.2")],
        is_allowed=lambda ip: ip is public,
        ports=frozenset({web.port}),
    )

    with pytest.raises(ToolFailed):
        fetcher.read(web.url(f"/moved?http://{host}:{web.port}/secret"))

    assert [path for path, _ in web.requests] == [f"/moved?http://{host}:{web.port}/secret"]


def test_a_name_is_resolved_once_and_that_address_is_connected_to(web: Web) -> None:
    """A name server that says a public address first and this machine's afterwards."""
    answers = ["127.0.0.2", "127.0.0.1"]
    fetcher = Fetcher(
        resolver=lambda _host, _port: [ipaddress.ip_address(answers.pop(0))],
        is_allowed=lambda ip: ip != LOOPBACK,
        ports=frozenset({web.port}),
    )

    with pytest.raises(ToolFailed, match="cannot be reached"):
        fetcher.read(web.url("/"))

    assert (web.requests, answers) == ([], ["127.0.0.1"])


def test_other_ports_than_the_webs_are_refused(web: Web) -> None:
    with pytest.raises(ToolFailed, match="80 and 443"):
        Fetcher(resolver=to_loopback, is_allowed=lambda _ip: True).read(web.url("/"))

    assert web.requests == []


@pytest.mark.parametrize(("host", "is_read"), [("parley.test", True), ("other.test", False)])
def test_a_certificate_must_be_the_hosts(tmp_path: Path, host: str, is_read: bool) -> None:
    write_certificate(tmp_path / "server.pem", "parley.test")
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(tmp_path / "server.pem")
    trusting = ssl.create_default_context(cafile=tmp_path / "server.pem")
    with serve_web(server_side) as web:
        fetcher = Fetcher(
            resolver=to_loopback, is_allowed=lambda _ip: True, ports=frozenset({web.port}), tls=trusting
        )
        url = web.url("/json", host).replace("http:", "https:")
        if is_read:
            assert '{"a": [1]}' in fetcher.read(url)
        else:
            with pytest.raises(ToolFailed, match=r"certificate of other\.test is not valid"):
                fetcher.read(url)


def test_it_is_a_tool_that_the_operator_switches_on(web: Web) -> None:
    host = ToolHost(built_in_tools(["fetch_url"]))
    try:
        call = ToolCall("c1", "fetch_url", {"url": "http://127.0.0.1/"})
        result = host.start(call, host.specs(), ToolContext()).result(30)
    finally:
        host.close()

    assert (result.content, result.is_error) == (
        "127.0.0.1 is not on the public internet, so it is not fetched.",
        True,
    )


def test_it_runs_where_there_is_no_django() -> None:
    program = "import sys, chat.tools.fetch_url; print('django' in sys.modules)"

    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert out.stdout.strip() == "False"
