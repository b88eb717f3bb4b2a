"""The real program as a process of its own, to be watched, asked, and killed."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import uuid
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

import httpx

from tests.conftest import wait_until
from tests.ops.processes import REPO, free_port


class Server:
    """`manage.py serve` on a port and a data folder of its own; `with` ends it for certain."""

    # As the first server of these tests left it at its start: the others need not bring an empty file up to date.
    _fresh_database: ClassVar[bytes] = b""

    def __init__(self, data_dir: Path, models_dir: Path, **settings: object) -> None:
        self.data_dir = data_dir
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._env = {
            **os.environ,
            "PARLEY_DATA_DIR": str(data_dir),
            "PARLEY_MODELS_DIR": str(models_dir),
            **{f"PARLEY_{name.upper()}": str(value) for name, value in settings.items()},
        }
        self._process: subprocess.Popen[bytes] | None = None
        self._clerk: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self.data_dir.mkdir(parents=True, exist_ok=True)
        if self._fresh_database:
            self._database_path.write_bytes(self._fresh_database)
        self.start()
        if not self._fresh_database:
            with closing(sqlite3.connect(self._database_path)) as database:
                Server._fresh_database = database.serialize()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.kill()
        self._send_clerk_home()

    def start(self) -> None:
        """Start, and wait until it would answer a message."""
        with self._log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "manage.py", "serve", "--port", str(self.port)],
                cwd=REPO,
                env=self._env,
                stdout=log,
                stderr=log,
            )
        wait_until(self._is_ready, timeout_s=90)

    @property
    def is_running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """End it as a power cut would: at once, with no last word."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> int:
        """Ask it to end, as a service manager does; returns its exit code."""
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(timeout=15)

    def kill_engine(self) -> None:
        """End the process that computes, and no other."""
        os.kill(self.engine_pid(), signal.SIGKILL)

    def engine_pid(self) -> int:
        """The process id of the one engine."""
        assert self._process is not None
        tasks = Path(f"/proc/{self._process.pid}/task")
        children = [int(pid) for task in tasks.glob("*/children") for pid in task.read_text().split()]
        [engine] = [
            pid for pid in children if b"chat.engine.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()
        ]
        return engine

    def run_script(self, module: str, given: str) -> str:
        """What a module's `main` prints that is run beside the server, with its settings and this input."""
        if self._clerk is None:
            self._clerk = self._hire_clerk()
        assert self._clerk.stdin is not None
        assert self._clerk.stdout is not None
        self._clerk.stdin.write(json.dumps([module, given]) + "\n")
        self._clerk.stdin.flush()
        if not (answer := self._clerk.stdout.readline()):
            self._send_clerk_home()
            raise AssertionError(f"{module} failed: {self.log_text()}")
        printed: str = json.loads(answer)
        return printed

    def log_text(self) -> str:
        """All that it printed."""
        return self._log_path.read_text()

    def stored(self, query: str, *values: object) -> list[tuple[object, ...]]:
        """Rows of its database."""
        with closing(sqlite3.connect(f"file:{self._database_path}?mode=ro", uri=True)) as database:
            return database.execute(query, values).fetchall()

    def reply_text(self, conversation_id: str) -> str:
        """The words of the newest reply of a conversation, as they are stored."""
        [(parts,)] = self.stored(
            "SELECT parts FROM chat_message WHERE role = 'assistant' AND conversation_id = ? ORDER BY id DESC LIMIT 1",
            uuid.UUID(conversation_id).hex,
        )
        return "".join(part["text"] for part in json.loads(str(parts)) if part["kind"] == "text")

    def run_status(self, conversation_id: str) -> str:
        """How the newest run of a conversation stands."""
        [(status,)] = self.stored(
            "SELECT status FROM chat_run WHERE conversation_id = ? ORDER BY id DESC LIMIT 1",
            uuid.UUID(conversation_id).hex,
        )
        return str(status)

    @property
    def _log_path(self) -> Path:
        return self.data_dir / "server.log"

    @property
    def _database_path(self) -> Path:
        return self.data_dir / "parley.sqlite3"

    def _hire_clerk(self) -> subprocess.Popen[str]:
        with self._log_path.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "tests.e2e.clerk"],
                cwd=REPO,
                env={**self._env, "DJANGO_SETTINGS_MODULE": "chatsite.settings"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def _send_clerk_home(self) -> None:
        clerk, self._clerk = self._clerk, None
        if clerk is not None:
            clerk.communicate()

    def _is_ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log_text()
        try:
            return httpx.get(f"{self.url}/health/ready", timeout=5).status_code == 200
        except httpx.TransportError:
            return False
