"""Runs the scripts of the tests beside a server, one after the other: `python -m tests.e2e.clerk`.

A line on standard input names a module and what its `main` is to read; a line on standard output is what it printed.
One process for all of them: to load Django takes a second, to store a chat a few milliseconds.
"""

from __future__ import annotations

import importlib
import io
import json
import sys
from contextlib import redirect_stdout

from django.db import connections


def main() -> None:
    """Serve until the input ends."""
    for line in sys.stdin:
        module, given = json.loads(line)
        print(json.dumps(_printed_by(module, given)), flush=True)


def _printed_by(module: str, given: str) -> str:
    commands, sys.stdin = sys.stdin, io.StringIO(given)
    try:
        with redirect_stdout(io.StringIO()) as printed:
            importlib.import_module(module).main()
    finally:
        sys.stdin = commands
        connections.close_all()
    return printed.getvalue()


if __name__ == "__main__":
    main()
