"""How log lines look: JSON for machines, plain text on a terminal. One line each, whatever a client sent."""

from __future__ import annotations

import json
import logging
import re
import sys
from datetime import UTC, datetime

from chat.domain.trace import current_run_id

# What `extra=` may add to a line.
FIELDS = ("method", "path", "status", "duration_ms", "num_bytes", "client")

# Line ends and other control characters, also those of Unicode, become visible escapes: nobody can forge a line.
_VISIBLE = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))}
_VISIBLE |= {0x2028: "\\u2028", 0x2029: "\\u2029"}


# Setup, reset and shared links carry a secret in the path.
_SECRET = re.compile(r"(/(?:setup|key|s)/)[\w-]{16,}")


def hide_secrets(text: str) -> str:
    """The text without the secret part of links."""
    return _SECRET.sub(r"\1...", text)


def make_formatter() -> logging.Formatter:
    """Plain text where a person looks on, else JSON."""
    return PlainFormatter() if sys.stderr.isatty() else JsonFormatter()


class ReportedOnce(logging.Filter):
    """For Django's own loggers: it reports each 4xx and 5xx answer, which the access log has already."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is written: with a traceback only for what is our fault, not for a client's odd request."""
        is_exception = bool(record.exc_info)
        if record.name.startswith("django.security."):
            record.exc_info = None
        return is_exception


class JsonFormatter(logging.Formatter):
    """One JSON object a line, ASCII only."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": hide_secrets(record.getMessage()),
        }
        if (run_id := current_run_id.get()) is not None:
            line["run"] = run_id
        line |= {name: getattr(record, name) for name in FIELDS if hasattr(record, name)}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class PlainFormatter(logging.Formatter):
    """Time, level, words."""

    def format(self, record: logging.LogRecord) -> str:
        """The line; a traceback follows indented."""
        at = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S")
        run_id = current_run_id.get()
        where = f" [run {run_id}]" if run_id is not None else ""
        message = hide_secrets(record.getMessage()).translate(_VISIBLE)
        text = f"{at} {record.levelname.lower():7} {message}{where}"
        if record.exc_info:
            lines = self.formatException(record.exc_info).splitlines()
            text += "".join(f"\n    {line.translate(_VISIBLE)}" for line in lines)
        return text
