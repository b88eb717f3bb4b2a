"""Starts Parley as a program of its own, on a data folder of its own, for the benchmarks to ask."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
START_TIMEOUT_S = 180.0
_ISSUE_KEYS = """
import django, json, sys
django.setup()
from chat.models import ApiKey, Flow, User
people = [User.objects.create(username=f"person-{number}") for number in range(int(sys.argv[1]))]
keys = [ApiKey.objects.issue(person, "bench")[1] for person in people]
print(json.dumps([str(Flow.objects.default().pk), keys]))
"""


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A server that answers, its default flow, and `keys` of people of its own. `env` is what it was started with."""

    port: int
    pid: int
    keys: tuple[str, ...]
    flow_id: str
    env: dict[str, str]
    log: Path


@contextmanager
def parley(folder: Path, model: Path, num_people: int, **settings: object) -> Iterator[RunningServer]:
    """Everything that it keeps is in `folder`; `settings` are README's, in small letters and without `PARLEY_`."""
    models_dir, port = folder / "models", free_port()
    models_dir.mkdir(parents=True)
    (models_dir / model.name).symlink_to(model.resolve())
    env = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "chatsite.settings",
        "PARLEY_DATA_DIR": str(folder / "data"),
        "PARLEY_MODELS_DIR": str(models_dir),
        "PARLEY_API_REQUESTS_PER_MINUTE": "1000000",
        **{f"PARLEY_{name.upper()}": str(value) for name, value in settings.items()},
    }
    command = [sys.executable, "manage.py", "serve", "--port", str(port)]
    with program(command, env, folder / "log", port, "/health/ready") as pid:
        flow_id, keys = _issue_keys(env, num_people)
        yield RunningServer(port, pid, tuple(keys), flow_id, env, folder / "log")


@contextmanager
def program(command: list[str], env: dict[str, str], log: Path, port: int, path: str) -> Iterator[int]:
    """A program that serves on `port`, from when it answers at `path` on; its process id. Ends it afterwards."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
        try:
            _wait_until_ready(process, port, path, log)
            yield process.pid
        finally:
            process.terminate()
            process.wait()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _issue_keys(env: dict[str, str], num_people: int) -> tuple[str, list[str]]:
    command = [sys.executable, "-c", _ISSUE_KEYS, str(num_people)]
    answer = subprocess.run(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True, check=True)
    flow_id, keys = json.loads(answer.stdout.splitlines()[-1])
    return flow_id, keys


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, path: str, log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        if _answers(port, path):
            return
        time.sleep(0.2)
    raise SystemExit(
        f"a server does not start; the end of its log:\n{log.read_text(errors='replace')[-2000:]}"
    )


def _answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
