"""`manage.py serve` as a person meets it: what it prints, what it refuses, and how it ends. Real processes."""

from __future__ import annotations

import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ops.processes import (
    REPO,
    Browser,
    ServerProcess,
    free_port,
    read_all,
    read_until,
    request,
    status_of,
)


def start(data_dir: Path, models_dir: Path, **env: str) -> ServerProcess:
    """A server on the tiny model, which writes nonsense until its limit."""
    port = free_port()
    settings = {
        "PARLEY_DATA_DIR": str(data_dir),
        "PARLEY_MODELS_DIR": str(models_dir),
        "PARLEY_MAX_TOKENS": "100000",
        "PORT": str(port),
    }
    return ServerProcess(["manage.py", "serve"], port, settings | env)


def refusal(**env: str) -> str:
    """What `serve` says, in one line, when it refuses to start."""
    done = subprocess.run(
        [sys.executable, "manage.py", "serve"],
        cwd=REPO,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    return line


def wait_until_ready(server: ServerProcess, timeout_s: float = 60.0) -> None:
    server.wait_until_open()
    deadline = time.monotonic() + timeout_s
    while status_of(server.get("/health/ready")) != 200:
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory, tiny_models_dir: Path) -> Iterator[ServerProcess]:
    with start(tmp_path_factory.mktemp("data"), tiny_models_dir) as server:
        wait_until_ready(server)
        yield server


@pytest.fixture
def server(shared_server: ServerProcess) -> Iterator[ServerProcess]:
    """Whatever a test does to it, the server lives on."""
    yield shared_server
    assert status_of(shared_server.get("/health/ready")) == 200


def latest_run(data_dir: Path) -> tuple[int, str, str]:
    """Id, status and stored parts of the newest run."""
    with sqlite3.connect(data_dir / "parley.sqlite3") as database:
        return database.execute(
            "SELECT run.id, run.status, message.parts FROM chat_run run"
            " JOIN chat_message message ON message.id = run.reply_id ORDER BY run.id DESC LIMIT 1"
        ).fetchone()


def test_sigterm_in_mid_answer_saves_it_and_tells_the_reader(tmp_path: Path, tiny_models_dir: Path) -> None:
    with start(tmp_path, tiny_models_dir) as server:
        wait_until_ready(server)
        with Browser(server) as browser, server.connect() as reader:
            browser.post("/", text="Tell me everything.")
            run_id, _, _ = latest_run(tmp_path)
            reader.sendall(request("GET", f"/runs/{run_id}/events", browser.cookie_header))
            read_until(reader, b">Writing<")

            code, seconds, output = server.stop()
            rest = read_all(reader)

    _, status, parts = latest_run(tmp_path)
    assert (code, status) == (0, "interrupted"), output
    assert seconds < 12
    assert "text" in parts
    assert b"event: done" in rest
    assert "Traceback" not in output


def test_it_says_where_it_is_and_ends_at_ctrl_c(tmp_path: Path, tiny_models_dir: Path) -> None:
    with start(tmp_path, tiny_models_dir) as server:
        wait_until_ready(server)

        code, seconds, output = server.stop(signal.SIGINT)

    lines = output.splitlines()
    assert lines[0] == f"Parley is ready at http://127.0.0.1:{server.port}"
    assert re.fullmatch(rf"Make the first .*: http://127.0.0.1:{server.port}/setup/[\w-]{{43}}", lines[1])
    assert lines[2] == f"Data: {tmp_path}"
    assert "tiny" in lines[3]
    assert (code, "Traceback" in output) == (0, False), output
    assert seconds < 5


def test_a_taken_port(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        line = refusal(PARLEY_DATA_DIR=str(tmp_path), PORT=str(port))

    assert (
        line
        == f"parley: Port {port} on 127.0.0.1 is taken by another program. Choose another: PORT={port + 1}."
    )


@pytest.mark.parametrize("port", ["http", "70000"])
def test_a_port_that_is_none(tmp_path: Path, port: str) -> None:
    assert "is no port number" in refusal(PARLEY_DATA_DIR=str(tmp_path), PORT=port)


def test_a_data_folder_that_cannot_be_made() -> None:
    assert "The data folder /proc/parley is not writable" in refusal(PARLEY_DATA_DIR="/proc/parley")


def test_a_data_folder_that_cannot_be_written_to() -> None:
    line = refusal(PARLEY_DATA_DIR="/proc/self", PARLEY_SECRET_KEY="x" * 50, PORT=str(free_port()))

    assert re.match(
        r"parley: The data folder /proc/\d+ is not writable: .*set PARLEY_DATA_DIR to another", line
    )


def test_a_setting_that_is_nonsense(tmp_path: Path) -> None:
    line = refusal(PARLEY_DATA_DIR=str(tmp_path), PARLEY_SLOTS="many")

    assert line == "parley: PARLEY_SLOTS is 'many'; write a whole number."


def test_a_setting_that_is_dangerous(tmp_path: Path) -> None:
    assert "PARLEY_HOSTS contains '*'" in refusal(PARLEY_DATA_DIR=str(tmp_path), PARLEY_HOSTS="*")


def test_a_second_server_on_the_same_data(server: ServerProcess) -> None:
    data_dir = data_dir_of(server)

    line = refusal(PARLEY_DATA_DIR=data_dir, PORT=str(free_port()))

    assert f"Another server (process {server.process.pid}) uses the data folder" in line


def data_dir_of(server: ServerProcess) -> str:
    environ = Path(f"/proc/{server.process.pid}/environ").read_text()
    return environ.split("PARLEY_DATA_DIR=", 1)[1].split("\0", 1)[0]


def test_a_damaged_database(tmp_path: Path) -> None:
    (tmp_path / "parley.sqlite3").write_bytes(b"no database " * 1000)

    line = refusal(PARLEY_DATA_DIR=str(tmp_path), PORT=str(free_port()))

    assert line.startswith("parley: The database cannot be used: file is not a database.")


def migrate(data_dir: Path, *arguments: str) -> None:
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "-v0", *arguments],
        cwd=REPO,
        env={**os.environ, "PARLEY_DATA_DIR": str(data_dir)},
        check=True,
    )


def test_a_database_of_a_newer_version(tmp_path: Path) -> None:
    migrate(tmp_path)
    with sqlite3.connect(tmp_path / "parley.sqlite3") as database:
        database.execute(
            "INSERT INTO django_migrations (app, name, applied) VALUES ('chat', '0999_later', 0)"
        )

    line = refusal(PARLEY_DATA_DIR=str(tmp_path), PORT=str(free_port()))

    assert "The database was written by a newer Parley (chat.0999_later)." in line


def test_an_old_database_is_backed_up_and_migrated(tmp_path: Path, tiny_models_dir: Path) -> None:
    migrate(tmp_path)
    migrate(tmp_path, "sessions", "zero")

    with start(tmp_path, tiny_models_dir) as server:
        server.wait_until_open()
        assert status_of(server.get("/")) == 200

    (backup,) = (tmp_path / "backups").iterdir()
    assert tables_in(tmp_path / "parley.sqlite3") - tables_in(backup) == {"django_session"}


def tables_in(path: Path) -> set[str]:
    with sqlite3.connect(path) as database:
        return {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def test_an_oversized_body_is_refused_before_it_is_read(server: ServerProcess) -> None:
    before_mb = server.rss_mb()

    assert status_of(server.ask(request("POST", "/nope", "Content-Length: 300000000"))) == 413
    assert server.rss_mb() - before_mb < 5


def test_live_answers_on_a_connection_that_asks_for_nothing_else(server: ServerProcess) -> None:
    assert server.get("/health/live").endswith(b"\r\n\r\nok\n")


@pytest.mark.parametrize("host", ["evil.test", "127.0.0.1.evil.test", "localhost@evil.test"])
def test_other_names_than_its_own_are_refused(server: ServerProcess, host: str) -> None:
    answer = server.ask(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())

    assert status_of(answer) == 400


@pytest.mark.parametrize(
    "path", ["/", "/nowhere", "/static/css/tokens.css", "/health/ready", "/accounts/login/"]
)
def test_every_answer_carries_the_policy(server: ServerProcess, path: str) -> None:
    head = server.get(path).split(b"\r\n\r\n")[0].lower()

    assert b"\r\ncontent-security-policy: default-src 'none'; script-src 'self';" in head
    assert b"\r\nx-content-type-options: nosniff" in head
    assert b"\r\nserver:" not in head


def test_a_file_that_has_not_changed_is_not_sent_again(server: ServerProcess) -> None:
    head = server.get("/static/css/tokens.css").split(b"\r\n\r\n")[0]
    etag = re.search(rb"ETag: (\S+)", head)

    assert etag is not None
    assert status_of(server.get("/static/css/tokens.css", f"If-None-Match: {etag[1].decode()}")) == 304


def test_an_upgrade_to_a_websocket_does_no_harm(server: ServerProcess) -> None:
    upgrade = ["Upgrade: websocket", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {'A' * 22}=="]
    raw = request("GET", "/", *upgrade).replace(b"Connection: close", b"Connection: Upgrade")

    assert status_of(server.ask(raw)) == 403


def test_behind_https_cookies_are_bound_and_plain_http_is_left(tmp_path: Path, tiny_models_dir: Path) -> None:
    public = {"PARLEY_HTTPS": "1", "PARLEY_HOSTS": "chat.example.org"}
    with start(tmp_path, tiny_models_dir, **public).wait_until_open() as server:
        plain, proxied, health = (
            server.ask(raw.replace(b"Host: localhost", b"Host: chat.example.org")).decode()
            for raw in (
                request("GET", "/"),
                request("GET", "/", "X-Forwarded-Proto: https", "X-Forwarded-For: 192.0.2.7"),
                request("GET", "/health/ready"),
            )
        )

    assert "HTTP/1.1 301 " in plain
    assert "Location: https://chat.example.org/\r\n" in plain
    assert "Strict-Transport-Security: max-age=31536000; includeSubDomains; preload" in proxied
    cookies = re.findall(r"Set-Cookie: (.*)", proxied)
    assert {cookie.split("=")[0] for cookie in cookies} == {"__Host-parley_guest", "__Host-csrftoken"}
    assert all("; Secure" in cookie and "; HttpOnly" in cookie and "; Path=/" in cookie for cookie in cookies)
    assert status_of(health.encode()) in (200, 503)


def test_an_idle_server_is_small(server: ServerProcess) -> None:
    assert server.rss_mb() < 200
