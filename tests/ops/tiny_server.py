"""A hardened Daphne around a tiny app with one path for each way to go wrong. Run with the port as argument."""

import asyncio
import sys
import threading

from daphne.server import Server  # noqa: F401  (first: it installs the reactor)

from chat.http.limits import Limits
from chat.ops.daphne_requests import Bounds
from chat.ops.daphne_server import GuardedServer

stopping = threading.Event()
BOUNDS = Bounds(
    max_body_bytes=1_000_000,
    max_upload_bytes=5_000_000,
    max_uploads=2,
    min_upload_bytes_per_s=100_000,
    max_connections=40,
    receive_timeout_s=1.0,
    write_stall_s=1.0,
    stream_grace_s=0.5,
    exit_timeout_s=3.0,
)


async def app(scope, receive, send):
    if scope["type"] == "http":
        await PATHS[scope["path"]](scope, receive, send)
    else:
        await send({"type": "websocket.accept"})
        while (await receive())["type"] != "websocket.disconnect":
            pass


async def hello(scope, receive, send):
    await answer(send, b"hello")


async def mounted_at(scope, receive, send):
    await answer(send, scope["root_path"].encode())


async def size(scope, receive, send):
    total, more = 0, True
    while more:
        message = await receive()
        total += len(message.get("body", b""))
        more = message.get("more_body", False)
    await answer(send, str(total).encode())


async def raise_at_once(scope, receive, send):
    raise RuntimeError("before the answer")


async def raise_in_the_middle(scope, receive, send):
    await start(send)
    await send({"type": "http.response.body", "body": b"first\n", "more_body": True})
    raise RuntimeError("in the middle of the answer")


async def flood(scope, receive, send):
    await start(send)
    for _ in range(1000):
        await send({"type": "http.response.body", "body": b"x" * 100_000, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def stream(scope, receive, send):
    await start(send)
    while not stopping.is_set():
        await send({"type": "http.response.body", "body": b"tick\n", "more_body": True})
        await asyncio.sleep(0.02)
    await send({"type": "http.response.body", "body": b"interrupted\n"})


async def endless_stream(scope, receive, send):
    await start(send)
    while True:
        await send({"type": "http.response.body", "body": b"tick\n", "more_body": True})
        await asyncio.sleep(0.02)


async def hold_a_thread(scope, receive, send):
    await asyncio.get_running_loop().run_in_executor(None, threading.Event().wait)


async def start(send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})


async def answer(send, text):
    await start(send)
    await send({"type": "http.response.body", "body": text})


PATHS = {
    "/hello": hello,
    "/mounted-at": mounted_at,
    "/size": size,
    "/attachments/": size,
    "/raise": raise_at_once,
    "/raise-in-the-middle": raise_in_the_middle,
    "/flood": flood,
    "/stream": stream,
    "/endless": endless_stream,
    "/hold-a-thread": hold_a_thread,
}

if __name__ == "__main__":
    limited = Limits(app, max_body_bytes=BOUNDS.max_body_bytes, max_upload_bytes=BOUNDS.max_upload_bytes)
    server = GuardedServer(
        limited,
        host="127.0.0.1",
        port=int(sys.argv[1]),
        bounds=BOUNDS,
        on_ready=lambda: print("ready"),
        on_stop=stopping.set,
    )
    server.run()
