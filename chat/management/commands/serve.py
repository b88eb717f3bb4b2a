"""`manage.py serve`: checks, migrates, and serves on HOST and PORT."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import autoreload

from chat.ops.serve import Address, prepare, serve
from chat.ops.startup import CannotStart


class Command(BaseCommand):
    """See the module."""

    help = "Start the server."
    requires_system_checks = []  # `prepare` runs ours; Django's belong to `make check`

    def add_arguments(self, parser: ArgumentParser) -> None:
        """--host, --port and --reload."""
        parser.add_argument("--host", default=os.environ.get("HOST", "127.0.0.1"))
        parser.add_argument("--port", default=os.environ.get("PORT", "8000"))
        parser.add_argument("--reload", action="store_true", help="start again when a file changes")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Serve until a signal."""
        if options["reload"]:
            autoreload.run_with_reloader(self._run, options, has_signal_handlers=False)
        else:
            self._run(options, has_signal_handlers=True)

    def _run(self, options: dict[str, Any], *, has_signal_handlers: bool) -> None:
        try:
            address = Address(options["host"], _port(options["port"]))
            prepare(address)
            serve(address, self._say, has_signal_handlers=has_signal_handlers)
        except CannotStart as exc:
            sys.exit(f"parley: {exc.message} {exc.hint}".strip())

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()


def _port(text: str) -> int:
    if text.isdigit() and 1 <= int(text) <= 65535:
        return int(text)
    raise CannotStart(f"PORT={text} is no port number.", hint="Choose one from 1 to 65535.")
