"""Many people at once for a long time, while the engine is killed again and again. Nothing may be lost.

Run from the root: `.venv/bin/python -m bench.soak --minutes 30 [--model FILE] [--people 12] [--kill-every 60]`.

Each person asks one question after the other through the prediction API, which stores what it answers. A third of the
answers is read to the end, a third is left by closing the connection without a word, a third is stopped by its abort
call. What a reader saw is compared with what is stored. At the end nobody may hold a slot, and the server's threads,
open files and memory have to be what they were before, within what is printed. Exit status 1 when something is lost.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import signal
import socket
import sqlite3
import struct
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.footprint import Footprint, engine_pid, footprint_of
from bench.serving import ROOT, RunningServer, parley

TOPICS = ("roses", "tides", "bread", "rivers", "glass", "bees", "trains", "stars")
QUESTIONS = (
    "Tell me a long story about {}.",
    "What is 12 * {}?",
    "Write a table about {}.",
    "Hello, I like {}.",
)
MAX_TOKENS = 120
TIMEOUT_S = 300.0
SETTLE_S = 60.0
WARM_UP_S = 15.0
MAX_MEMORY_GROWTH = 1.25
MAX_MORE_FILES = 16
MAX_MORE_THREADS = 4
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER of 0 s: close() sends a reset, as a lost connection does


@dataclass(slots=True)
class Tally:
    """What came of all questions; `lost` are sentences for people."""

    ends: Counter[str] = field(default_factory=Counter)
    num_kills: int = 0
    lost: list[str] = field(default_factory=list)


def main() -> None:
    """Print what happened; exit with 1 when something was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--model", type=Path, default=ROOT / "models" / "starter.gguf")
    parser.add_argument("--people", type=int, default=12)
    parser.add_argument("--kill-every", type=float, default=60.0, help="seconds between kills of the engine")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = {"max_tokens": MAX_TOKENS}
        with parley(Path(folder) / "soak", options.model, options.people, **settings) as server:
            tally = _soak(server, options.minutes * 60, options.kill_every)
    raise SystemExit(_report(tally))


def _soak(server: RunningServer, duration_s: float, kill_every_s: float) -> Tally:
    tally = Tally()
    with ThreadPoolExecutor(
        len(server.keys)
    ) as people:  # all that is made once, pools above all, is there then
        for number, key in enumerate(server.keys):
            people.submit(_talk, server, key, time.monotonic() + WARM_UP_S, -number, tally)
    before = _settled(server, tally)
    until = time.monotonic() + duration_s
    is_over = threading.Event()
    killer = threading.Thread(target=_kill, args=(server, kill_every_s, is_over, tally))
    killer.start()
    with ThreadPoolExecutor(len(server.keys)) as people:
        talks = [
            people.submit(_talk, server, key, until, number, tally) for number, key in enumerate(server.keys)
        ]
        while any(not talk.done() for talk in talks):
            time.sleep(30)
            print(f"{max(0, until - time.monotonic()) / 60:.1f} min left: {_counts(tally)}", flush=True)
        for talk in talks:
            talk.result()
    is_over.set()
    killer.join()
    _compare(before, _settled(server, tally), tally)
    return tally


class _Asked:
    """One question on its way, in a conversation of its own."""

    def __init__(self, server: RunningServer, key: str, question: str) -> None:
        self.server, self.key = server, key
        self.chat_id = str(uuid.uuid4())
        self.text = ""
        self.is_complete = False
        self.error = ""
        body = {"question": question, "chatId": self.chat_id, "streaming": True}
        self._connection = _connect(server)
        self._connection.request(
            "POST", f"/api/v1/prediction/{server.flow_id}", json.dumps(body), _headers(key)
        )
        self._response = self._connection.getresponse()
        if self._response.status != 200:
            self.error = f"{self._response.status} {self._response.read()[:200]!r}"

    def read(self, is_enough: Callable[[str], bool] = lambda _text: False) -> None:
        """Up to the end, or until it is enough."""
        for line in self._response:
            if line.startswith(b"data:"):
                self._take(json.loads(line.removeprefix(b"data:")))
            if self.is_complete or is_enough(self.text):
                return

    def close(self) -> None:
        self._connection.close()

    def vanish(self) -> None:
        """Leave as a machine does whose network is gone."""
        if self._connection.sock is not None:
            self._connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._connection.close()

    def stored(self) -> str | None:
        """The answer as the server keeps it; None while there is none."""
        path = f"/api/v1/chatmessage/{self.server.flow_id}?chatId={self.chat_id}"
        messages = _ask(self.server, "GET", path, self.key)
        answers = [message["content"] for message in messages if message["role"] == "apiMessage"]
        return answers[-1] if answers else None

    def _take(self, event: dict[str, Any]) -> None:
        match event["event"]:
            case "token":
                self.text += event["data"]
            case "error":
                self.error = str(event["data"])
            case "end":
                self.is_complete = True


def _talk(server: RunningServer, key: str, until: float, number: int, tally: Tally) -> None:
    chance = random.Random(number)
    ways = (_read, _leave, _stop)
    while time.monotonic() < until:
        question = chance.choice(QUESTIONS).format(chance.choice(TOPICS))
        way = chance.choice(ways)
        try:
            way(_Asked(server, key, f"{question} {chance.randrange(10**6)}"), tally)
        except (OSError, http.client.HTTPException) as exc:
            tally.lost.append(f"{way.__name__}: {exc!r}")


def _read(asked: _Asked, tally: Tally) -> None:
    asked.read()
    asked.close()
    if not asked.is_complete or asked.error:
        tally.lost.append(f"an answer that was to be read ended with {asked.error or 'nothing'}")
    elif (stored := asked.stored()) != asked.text:
        tally.lost.append(f"read {asked.text!r}, stored {stored!r}")
    tally.ends["read"] += 1


def _leave(asked: _Asked, tally: Tally) -> None:
    asked.read(lambda text: len(text) > 40)
    asked.vanish()
    _check_beginning(asked, tally)
    tally.ends["left"] += 1


def _stop(asked: _Asked, tally: Tally) -> None:
    asked.read(lambda text: len(text) > 40)
    if not asked.is_complete:
        _ask(
            asked.server,
            "PUT",
            f"/api/v1/chatmessage/abort/{asked.server.flow_id}/{asked.chat_id}",
            asked.key,
        )
        asked.read()
    asked.close()
    _check_beginning(asked, tally)
    tally.ends["stopped"] += 1


def _check_beginning(asked: _Asked, tally: Tally) -> None:
    """What was seen is stored, and perhaps more."""
    deadline = time.monotonic() + SETTLE_S
    while (stored := asked.stored()) is None or not stored.startswith(asked.text):
        if time.monotonic() > deadline:
            tally.lost.append(f"seen {asked.text!r}, stored {stored!r}")
            return
        time.sleep(0.2)


def _kill(server: RunningServer, every_s: float, is_over: threading.Event, tally: Tally) -> None:
    while not is_over.wait(every_s):
        if (pid := engine_pid(server.pid)) is not None:
            os.kill(pid, signal.SIGKILL)
            tally.num_kills += 1


def _settled(server: RunningServer, tally: Tally) -> Footprint:
    """Once nobody holds a slot."""
    deadline = time.monotonic() + SETTLE_S
    while time.monotonic() < deadline:
        engine = engine_pid(server.pid)
        if engine is not None and _num_live_runs(server) == 0:
            time.sleep(2)  # sockets close, threads end
            return footprint_of(server.pid, engine)
        time.sleep(0.5)
    tally.lost.append("somebody still holds a slot a minute after the last reader has gone")
    return footprint_of(server.pid, engine_pid(server.pid) or server.pid)


def _num_live_runs(server: RunningServer) -> int:
    """From the database itself: the health page tells it to admins alone."""
    path = Path(server.env["PARLEY_DATA_DIR"]) / "parley.sqlite3"
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
        query = "SELECT COUNT(*) FROM chat_run WHERE status IN ('queued', 'running')"
        return int(database.execute(query).fetchone()[0])


def _compare(before: Footprint, after: Footprint, tally: Tally) -> None:
    print(f"before: {before}\nafter:  {after}")
    if after.num_threads > before.num_threads + MAX_MORE_THREADS:
        tally.lost.append("threads were left behind")
    if after.num_files > before.num_files + MAX_MORE_FILES:
        tally.lost.append("files or sockets were left open")
    if after.web_mb > MAX_MEMORY_GROWTH * before.web_mb:
        tally.lost.append("the server's memory has grown")


def _report(tally: Tally) -> int:
    print(_counts(tally))
    for sentence in tally.lost[:20]:
        print(f"LOST: {sentence}", file=sys.stderr)
    print("nothing was lost" if not tally.lost else f"{len(tally.lost)} things were lost")
    return 1 if tally.lost else 0


def _counts(tally: Tally) -> str:
    ends = ", ".join(f"{number} {name}" for name, number in sorted(tally.ends.items()))
    return f"{ends or 'no answers'}; the engine was killed {tally.num_kills} times; {len(tally.lost)} lost"


def _connect(server: RunningServer) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", server.port, timeout=TIMEOUT_S)


def _headers(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}


def _ask(server: RunningServer, method: str, path: str, key: str) -> Any:
    connection = _connect(server)
    connection.request(method, path, headers=_headers(key))
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return json.loads(body) if response.status == 200 and body else []


if __name__ == "__main__":
    main()
