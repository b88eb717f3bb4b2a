"""Asks ten times a second how a server is, until its input ends; then prints how many seconds each answer took.

A process of its own: beside fifty readers in one Python it would measure how long it waits for its own turn.
"""

from __future__ import annotations

import http.client
import json
import select
import sys
import time


def main(port: int) -> None:
    """See the module."""
    waits_s = []
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    while not select.select([sys.stdin], [], [], 0.1)[0]:
        began = time.monotonic()
        connection.request("GET", "/health/live")
        answer = connection.getresponse()
        answer.read()
        waits_s.append(time.monotonic() - began)
        assert answer.status == 200
    print(json.dumps(waits_s))


if __name__ == "__main__":
    main(int(sys.argv[1]))
