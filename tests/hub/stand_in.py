"""A hub on loopback: the routes that pulling a model asks, with what goes wrong on the way to the real one."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
PIECE_BYTES = 4096


@dataclass
class Asked:
    """One request."""

    path: str
    range: str | None
    authorization: str | None
    user_agent: str


@dataclass
class StandIn:
    """`repos`: files by repository and path. `with` starts and ends it."""

    repos: dict[str, dict[str, bytes]] = field(default_factory=dict)
    claimed_sizes: dict[str, int] = field(
        default_factory=dict
    )  # by path: what the hub says, whatever is there
    claimed_hashes: dict[str, str] = field(default_factory=dict)
    gated: set[str] = field(default_factory=set)
    token: str = ""
    status: int = 0  # answers everything with it
    is_no_hub: bool = False
    ignores_ranges: bool = False
    breaks: list[int] = field(default_factory=list)  # each cuts off one download after so many bytes
    hold_at: int | None = None  # downloads wait here until `go_on` is set
    go_on: threading.Event = field(default_factory=threading.Event)
    holding: threading.Event = field(default_factory=threading.Event)
    asked: list[Asked] = field(default_factory=list)

    def __enter__(self) -> Self:
        stand_in = self

        class Handler(_Handler):
            hub = stand_in

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.go_on.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def downloads(self) -> list[Asked]:
        """The requests for the bytes of a file."""
        return [asked for asked in self.asked if asked.path.startswith("/cdn/")]


class _Handler(BaseHTTPRequestHandler):
    hub: StandIn
    protocol_version = "HTTP/1.1"

    def log_message(self, *_args: Any) -> None:
        """Tests read `asked`."""

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.hub.asked.append(
            Asked(path, self.headers["Range"], self.headers["Authorization"], self.headers["User-Agent"])
        )
        if self.hub.is_no_hub:
            self._answer(200, b"<html>Please log in to the hotel's network</html>", content_type="text/html")
        elif self.hub.status:
            self._answer(self.hub.status)
        elif found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/revision/[^/]+", path):
            self._list(found[1])
        elif found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            self._resolve(found[1], found[3])
        elif found := re.fullmatch(r"/cdn/([^/]+/[^/]+)/(.+)", path):
            self._send_file(self.hub.repos[found[1]][found[2]])
        else:
            self._refuse(404, "EntryNotFound")

    def _list(self, repo: str) -> None:
        if repo not in self.hub.repos:
            return self._refuse(401, "RepoNotFound")
        siblings = []
        for path, content in self.hub.repos[repo].items():
            size = self.hub.claimed_sizes.get(path, len(content))
            digest = self.hub.claimed_hashes.get(path, hashlib.sha256(content).hexdigest())
            entry: dict[str, Any] = {"rfilename": path, "size": size, "blobId": "0" * 40}
            if path.endswith(".gguf") and digest:
                entry["lfs"] = {"sha256": digest, "size": size, "pointerSize": 134}
            siblings.append(entry)
        body = {
            "id": repo,
            "modelId": repo,
            "sha": COMMIT,
            "tags": ["gguf", "license:mit"],
            "siblings": siblings,
        }
        return self._answer(200, json.dumps(body).encode(), content_type="application/json")

    def _resolve(self, repo: str, path: str) -> None:
        is_let_in = self.headers["Authorization"] == f"Bearer {self.hub.token}" and self.hub.token
        if repo in self.hub.gated and not is_let_in:
            return self._refuse(401, "GatedRepo")
        if path not in self.hub.repos.get(repo, {}):
            return self._refuse(404, "EntryNotFound")
        # Another origin, as the real one's: it must not be given the token.
        self.send_response(302)
        self.send_header("Location", f"http://localhost:{self.hub.port}/cdn/{repo}/{path}?signature=1")
        self.send_header("Content-Length", "0")
        return self.end_headers()

    def _send_file(self, content: bytes) -> None:
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers["Range"] or "")
        start = int(wanted[1]) if wanted and not self.hub.ignores_ranges else 0
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        end = start + self.hub.breaks.pop(0) if self.hub.breaks else len(content)
        for position in range(start, min(end, len(content)), PIECE_BYTES):
            if self.hub.hold_at is not None and position >= self.hub.hold_at:
                self.hub.holding.set()
                self.hub.go_on.wait(30)
            self._write(content[position : min(position + PIECE_BYTES, end)])
        self.close_connection = end < len(content)

    def _write(self, piece: bytes) -> None:
        try:
            self.wfile.write(piece)
            self.wfile.flush()
        except OSError:  # the client has left
            self.close_connection = True

    def _refuse(self, status: int, code: str) -> None:
        self._answer(status, code=code)

    def _answer(
        self, status: int, body: bytes = b"", content_type: str = "text/plain", code: str = ""
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        if code:
            self.send_header("X-Error-Code", code)
        self.end_headers()
        self.wfile.write(body)
