"""The hardened Daphne against clients that misbehave: a real process, raw sockets."""

from __future__ import annotations

import importlib.metadata
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.ops.processes import ServerProcess, free_port, read_all, read_until, request, status_of


def start_server() -> ServerProcess:
    port = free_port()
    return ServerProcess(["-m", "tests.ops.tiny_server", str(port)], port)


@pytest.fixture(scope="module")
def shared_server() -> Iterator[ServerProcess]:
    with start_server() as server:
        yield server.wait_until_open()


@pytest.fixture
def server(shared_server: ServerProcess) -> Iterator[ServerProcess]:
    """Whatever a test does to it, the server lives on and answers others."""
    yield shared_server
    assert shared_server.get("/hello").endswith(b"5\r\nhello\r\n0\r\n\r\n")


def test_these_are_the_versions_that_the_guard_was_written_for() -> None:
    assert importlib.metadata.version("daphne") == "4.2.3"
    assert importlib.metadata.version("twisted").split(".")[0] == "26"


def test_a_body_that_announces_too_much_is_refused_before_it_is_sent(server: ServerProcess) -> None:
    answer = server.ask(request("POST", "/size", "Content-Length: 300000000"))

    assert status_of(answer) == 413


def test_a_form_that_is_none_is_left_to_the_app(server: ServerProcess) -> None:
    form = request("POST", "/size", "Content-Type: multipart/form-data; boundary=x", body=b"--x--\r\n")

    assert status_of(server.ask(form)) == 200


def test_a_refused_client_that_asks_first_is_not_told_to_go_on(server: ServerProcess) -> None:
    answer = server.ask(request("POST", "/size", "Expect: 100-continue", "Content-Length: 300000000"))

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"100 Continue" not in answer


def test_a_chunked_body_that_grows_too_long_is_cut_and_costs_no_memory(server: ServerProcess) -> None:
    before_mb = server.rss_mb()
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    num_sent = 0
    with server.connect() as sock:
        sock.sendall(request("POST", "/nowhere", "Transfer-Encoding: chunked"))
        try:
            for _ in range(4000):
                num_sent += sock.send(chunk)
        except OSError:
            pass

    assert num_sent < 100_000_000
    assert server.rss_mb() - before_mb < 40


def test_the_client_of_a_refused_chunked_body_sees_the_answer(server: ServerProcess) -> None:
    body = b"".join(b"10000\r\n" + b"x" * 0x10000 + b"\r\n" for _ in range(40)) + b"0\r\n\r\n"

    answer = server.ask(request("POST", "/size", "Transfer-Encoding: chunked") + body)

    assert status_of(answer) == 413


def test_a_body_within_the_limit_arrives_whole(server: ServerProcess) -> None:
    answer = server.ask(request("POST", "/size", body=b"x" * 1_000_000))

    assert b"1000000" in answer


def upload(size: int, path: str = "/attachments/") -> bytes:
    return request("POST", path, body=b"x" * size)


def test_only_the_routes_for_files_take_a_long_body(server: ServerProcess) -> None:
    assert b"4000000" in server.ask(upload(4_000_000))
    assert status_of(server.ask(request("POST", "/attachments/", "Content-Length: 5000001"))) == 413
    assert status_of(server.ask(request("POST", "/size", "Content-Length: 4000000"))) == 413
    assert status_of(server.ask(request("PUT", "/attachments/", "Content-Length: 4000000"))) == 413


def test_a_long_body_of_unknown_length_is_refused_everywhere(server: ServerProcess) -> None:
    body = b"".join(b"10000\r\n" + b"x" * 0x10000 + b"\r\n" for _ in range(40)) + b"0\r\n\r\n"

    answer = server.ask(request("POST", "/attachments/", "Transfer-Encoding: chunked") + body)

    assert status_of(answer) == 413


def test_too_many_uploads_at_once_are_told_to_come_back_and_leave_room_again(server: ServerProcess) -> None:
    with ExitStack() as stack:
        for sock in [stack.enter_context(server.connect()) for _ in range(2)]:
            sock.sendall(upload(4_000_000)[:1000])
        time.sleep(0.2)

        assert b"503 Service Unavailable\r\nRetry-After: 5" in server.ask(upload(2_000_000)[:1000])
        assert b"1000" in server.ask(upload(1000))

    time.sleep(0.2)
    assert b"4000000" in server.ask(upload(4_000_000))


def test_an_upload_may_take_longer_than_a_form(server: ServerProcess) -> None:
    raw = upload(4_000_000)
    with server.connect() as sock:
        sock.sendall(raw[:2_000_000])
        time.sleep(1.3)  # a form has one second
        sock.sendall(raw[2_000_000:])

        assert b"4000000" in read_all(sock)


def test_an_app_that_raises_in_the_middle_cuts_the_connection(server: ServerProcess) -> None:
    answer = server.ask(request("GET", "/raise-in-the-middle"), timeout_s=30)

    assert b"first" in answer
    assert not answer.endswith(b"0\r\n\r\n")


def test_connections_are_still_cleaned_up_after_a_broken_stream(server: ServerProcess) -> None:
    server.ask(request("GET", "/raise-in-the-middle"))

    assert status_of(server.ask(request("GET", "/raise"), timeout_s=30)) == 500


def test_an_app_that_raises_at_once_gives_500_without_details(server: ServerProcess) -> None:
    answer = server.ask(request("GET", "/raise"), timeout_s=30)

    assert status_of(answer) == 500
    assert b"before the answer" not in answer


def test_a_reader_that_does_not_read_costs_no_memory_and_is_cut_off(server: ServerProcess) -> None:
    before_mb = server.rss_mb()
    with ExitStack() as stack:
        readers = [stack.enter_context(lazy_reader(server)) for _ in range(8)]
        time.sleep(1.0)
        grown_mb = server.rss_mb() - before_mb
        time.sleep(1.5)
        rest = [len(read_all(sock)) for sock in readers]

    assert grown_mb < 20
    assert max(rest) < 20_000_000  # of 100 MB


def lazy_reader(server: ServerProcess) -> socket.socket:
    sock = socket.socket()
    sock.settimeout(5)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.connect(("127.0.0.1", server.port))
    sock.sendall(request("GET", "/flood"))
    return sock


def test_a_reader_that_reads_gets_everything(server: ServerProcess) -> None:
    answer = server.get("/flood")

    assert answer.count(b"x") >= 100_000_000


def test_a_client_cannot_move_the_mount_point(server: ServerProcess) -> None:
    answer = server.get("/mounted-at", "Daphne-Root-Path: /evil")

    assert b"evil" not in answer


def test_a_half_sent_header_is_cut_off_though_it_goes_on_dribbling(server: ServerProcess) -> None:
    with server.connect() as sock:
        sock.sendall(b"GET /hello HTTP/1.1\r\n")
        deadline = time.monotonic() + 5
        received = b""
        while not received and time.monotonic() < deadline:
            sock.sendall(b"X-A: b\r\n")
            sock.settimeout(0.2)
            try:
                received = sock.recv(100)
            except TimeoutError:
                continue

    assert status_of(received) == 408


def test_more_connections_than_allowed_are_told_to_come_back(server: ServerProcess) -> None:
    with ExitStack() as stack:
        idle = [stack.enter_context(server.connect()) for _ in range(60)]
        time.sleep(0.2)

        answers = [first_bytes(sock) for sock in idle]

    assert sum(b"503" in answer for answer in answers) >= 20
    time.sleep(0.2)


def test_websockets_count_as_connections(server: ServerProcess) -> None:
    upgrade = ["Upgrade: websocket", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {'A' * 22}=="]
    raw = request("GET", "/ws", *upgrade).replace(b"Connection: close", b"Connection: Upgrade")
    with ExitStack() as stack:
        pages = [stack.enter_context(server.connect()) for _ in range(30)]
        for sock in pages:
            sock.sendall(raw)
            assert status_of(read_until(sock, b"\r\n\r\n")) == 101
        others = [stack.enter_context(server.connect()) for _ in range(20)]
        time.sleep(0.2)

        assert sum(b"503" in first_bytes(sock) for sock in others) == 10

    time.sleep(2.2)  # until the reaper has been round


def first_bytes(sock: socket.socket) -> bytes:
    sock.settimeout(0.01)
    try:
        return sock.recv(1000)
    except TimeoutError:
        return b""


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"TRACE /hello HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 405),
        (b"FOO /hello HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 405),
        (b"GET /hello HTTP/1.1\r\nConnection: close\r\n\r\n", 400),
        (b"GET /hello HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n", 400),
        (b"GET /hello HTTP/1.0\r\n\r\n", 200),
        (b"nonsense\r\n\r\n", 400),
        (request("POST", "/size", "Content-Length: 3", "Content-Length: 4"), 400),
        (request("POST", "/size", "Content-Length: 3", "Transfer-Encoding: chunked"), 400),
        (request("POST", "/size", "Content-Length: -3"), 400),
        (request("POST", "/size", "Transfer-Encoding: chunked") + b"xyz\r\n", 400),
        (request("GET", "/hello", *[f"X-{n}: y" for n in range(600)]), 400),
        (request("GET", "/hello", "X-Long: " + "y" * 20_000), 400),
    ],
)
def test_odd_requests_get_an_answer(server: ServerProcess, raw: bytes, status: int) -> None:
    answer = server.ask(raw, timeout_s=30)

    assert answer == b"" if b"X-Long" in raw else status_of(answer) == status


def test_the_server_does_not_say_what_it_is(server: ServerProcess) -> None:
    assert b"daphne" not in server.get("/hello").lower()


def test_sigterm_lets_streams_end_with_a_word_and_exits_cleanly() -> None:
    with start_server().wait_until_open() as server, server.connect() as sock:
        sock.sendall(request("GET", "/stream"))
        read_until(sock, b"tick")

        code, seconds, output = server.stop()

        assert read_all(sock).endswith(b"interrupted\n\r\n0\r\n\r\n")
        assert (code, "Traceback" in output) == (0, False), output
        assert seconds < 3


def test_sigterm_cuts_streams_that_do_not_end_and_half_sent_requests() -> None:
    with start_server().wait_until_open() as server, server.connect() as endless, server.connect() as half:
        endless.sendall(request("GET", "/endless"))
        read_until(endless, b"tick")
        half.sendall(b"GET /hello HTTP/1.1\r\nHost:")
        time.sleep(0.1)

        code, seconds, output = server.stop()

        assert (code, "Traceback" in output) == (0, False), output
        assert seconds < 4


def test_a_thread_that_hangs_does_not_keep_the_process_alive() -> None:
    with start_server().wait_until_open() as server, server.connect() as sock:
        sock.sendall(request("GET", "/hold-a-thread"))
        time.sleep(0.2)

        _, seconds, _ = server.stop()

        assert seconds < 5


def test_a_full_house_of_dribbling_clients_leaves_room_again(server: ServerProcess) -> None:
    clients = [server.connect() for _ in range(39)]
    for sock in clients:
        sock.sendall(b"GET /hello HTTP/1.1\r\n")
    time.sleep(1.2)
    writers = [threading.Thread(target=drop, args=(sock,)) for sock in clients]
    for thread in writers:
        thread.start()
    for thread in writers:
        thread.join()
    time.sleep(0.3)

    assert b"hello" in server.get("/hello")


def drop(sock: socket.socket) -> None:
    try:
        sock.sendall(b"X: y\r\n")
        read_all(sock)
    except OSError:
        pass
    sock.close()
