"""What a newcomer waits for: `.venv/bin/python -m bench.first_run` clones the repository and runs `make run` in it.

Printed beside the best-known peer, whose figures were measured
once on two cores: a pip install of 7.3 GB in 9.6 minutes, ready 16 s after its start, 1.2 GB idle.
"""

from __future__ import annotations

import argparse
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parent.parent
READY_TIMEOUT_S = 900
ANSWER_TIMEOUT_S = 120
IDLE_S = 10
QUESTION = "Hello! Who are you?"
# The element of a piece of an answer, on the page and in the stream alike.
ANSWER_PART = re.compile(r"message-\d+-part-\d+")


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of the table."""

    what: str
    parley: str
    peer: str
    goal: str


@dataclass(frozen=True, slots=True)
class Caches:
    """Where set-up keeps downloads and builds; a fresh pair is a machine that has never seen Parley."""

    folder: Path

    @property
    def env(self) -> dict[str, str]:
        """The variables that lead pip and set-up there."""
        return {"XDG_CACHE_HOME": str(self.folder / "cache"), "PIP_CACHE_DIR": str(self.folder / "pip")}


@dataclass(frozen=True, slots=True)
class Server:
    """A running `make run`."""

    make: subprocess.Popen[bytes]
    url: str

    @property
    def web_pid(self) -> int:
        """The web process, which make has started."""
        return children_of(self.make.pid)[0]

    @property
    def engine_pids(self) -> list[int]:
        """The processes under the web process."""
        return descendants_of(self.web_pid)


def main() -> None:
    """Measures all and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    port = parser.parse_args().port or free_port()
    with tempfile.TemporaryDirectory(prefix="parley-first-run-") as name:
        folder = Path(name)
        caches = Caches(folder)
        cold_s, _ = first_token_of_a_clone(folder / "cold", caches, port)
        warm_s, checkout = first_token_of_a_clone(folder / "warm", caches, port)
        figures = [
            *sizes(checkout),
            Figure(
                "fresh clone to first token, with the compile",
                f"{cold_s:.0f} s",
                "9.6 min (install)",
                "240 s",
            ),
            Figure("fresh clone to first token, compiled before", f"{warm_s:.0f} s", "", "60 s"),
            *restart(checkout, caches, port),
        ]
    print_table(figures)


def first_token_of_a_clone(checkout: Path, caches: Caches, port: int) -> tuple[float, Path]:
    """Seconds from `git clone` to the first piece of an answer on a guest's screen."""
    started = time.monotonic()
    subprocess.run(["git", "clone", "--quiet", ROOT, checkout], check=True)
    with serving(checkout, caches, port) as server:
        wait_until_ready(server)
        ask(server)
        return time.monotonic() - started, checkout


def restart(checkout: Path, caches: Caches, port: int) -> list[Figure]:
    """Seconds from `make run` to ready in a checkout that has run before, and the memory of the idle processes."""
    started = time.monotonic()
    with serving(checkout, caches, port) as server:
        wait_until_ready(server)
        ready_s = time.monotonic() - started
        time.sleep(IDLE_S)
        web_mb = resident_mb(server.web_pid)
        engine_mb = sum(resident_mb(pid) for pid in server.engine_pids)
    return [
        Figure("restart to ready", f"{ready_s:.1f} s", "16 s", "5 s"),
        Figure("memory of the web process, idle", f"{web_mb} MB", "1,200 MB", "200 MB"),
        Figure("memory of the engine's processes, model loaded", f"{engine_mb} MB", "none", ""),
    ]


def sizes(checkout: Path) -> list[Figure]:
    """The disk that an installation takes, the checkout without its history."""
    venv_mb = folder_mb(checkout / ".venv")
    all_mb = folder_mb(checkout) - folder_mb(checkout / ".git")
    return [
        Figure("installed size, with llama.cpp and a model", f"{all_mb} MB", "7,300 MB", "400 MB"),
        Figure("  of it .venv", f"{venv_mb} MB", "", ""),
    ]


@contextmanager
def serving(checkout: Path, caches: Caches, port: int) -> Iterator[Server]:
    """`make run` in the checkout, ended by SIGTERM to the web process."""
    env = {**os.environ, **caches.env, "PORT": str(port)}
    env.pop("MAKEFLAGS", None)
    env.pop("PYTHONDONTWRITEBYTECODE", None)  # with it each start would compile the program anew, 0.7 s
    make = subprocess.Popen(
        ["make", "run"], cwd=checkout, env=env, stdout=sys.stderr, stdin=subprocess.DEVNULL
    )
    server = Server(make, f"http://127.0.0.1:{port}")
    try:
        yield server
    finally:
        for pid in descendants_of(make.pid)[:1]:
            os.kill(pid, 15)
        make.wait(timeout=60)


def wait_until_ready(server: Server) -> None:
    """Returns when /health/ready answers 200."""
    deadline = time.monotonic() + READY_TIMEOUT_S
    while time.monotonic() < deadline:
        if server.make.poll() is not None:
            sys.exit("make run ended before it was ready")
        try:
            if httpx.get(f"{server.url}/health/ready", timeout=5).status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass  # not listening yet
        time.sleep(0.05)
    sys.exit(f"not ready within {READY_TIMEOUT_S} s")


def ask(server: Server) -> None:
    """Posts a question as a guest, as the page's form does, and returns when the answer's first text is there."""
    with httpx.Client(base_url=server.url, follow_redirects=True, timeout=ANSWER_TIMEOUT_S) as guest:
        fields = dict(
            re.findall(r'<input type="hidden"[^>]* name="(\w+)" value="([^"]*)"', guest.get("/").text)
        )
        page = guest.post("/", data={**fields, "text": QUESTION}).raise_for_status().text
        stream_url = re.search(r"/runs/\d+/events\?after=\d+", page)
        if ANSWER_PART.search(page):
            return
        if stream_url is None:
            sys.exit("the page neither shows an answer nor waits for one")
        with guest.stream("GET", stream_url[0]) as stream:
            if any(ANSWER_PART.search(line) for line in stream.iter_lines()):
                return
    sys.exit("the stream ended without a text")


def children_of(pid: int) -> list[int]:
    """The processes that this one has started and that still run."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


def descendants_of(pid: int) -> list[int]:
    """Children, then theirs, parents first."""
    children = children_of(pid)
    return children + [below for child in children for below in descendants_of(child)]


def resident_mb(pid: int) -> int:
    """The process's resident memory."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    return int(found[1]) // 1024 if found else 0


def folder_mb(folder: Path) -> int:
    """What `du` counts."""
    answer = subprocess.run(["du", "-sm", folder], capture_output=True, text=True, check=True)
    return int(answer.stdout.split()[0])


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def print_table(figures: list[Figure]) -> None:
    """Prints Markdown."""
    print("| | Parley | best-known peer | goal |\n|---|---|---|---|")
    for figure in figures:
        print(f"| {figure.what} | {figure.parley} | {figure.peer} | {figure.goal} |")


if __name__ == "__main__":
    main()
