"""System checks: settings that contradict each other or give away safety. `manage.py check` and the start run them."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error

from chat.domain.errors import InvalidInput
from chat.domain.mcp import read_mcp_config
from chat.domain.tools import TOOL_NAMES

_LOOPBACK = {"localhost", "127.0.0.1", "[::1]"}
_MIN_SECRET_CHARS = 50
_MIN_TOKEN_CHARS = 20


@checks.register("parley")
def check_settings(*_args: object, **_kwargs: object) -> list[CheckMessage]:
    """Everything that is wrong at once, so that one start is enough to mend it."""
    return [
        *_check_hosts(),
        *_check_production(),
        *_check_folders(),
        *_check_streams(),
        *_check_hub(),
        *_check_mcp(),
        *_check_tools(),
        *_check_uploads(),
        *_check_metrics(),
    ]


def _check_hosts() -> list[CheckMessage]:
    """E001, I001: which names the server answers to."""
    found: list[CheckMessage] = []
    if any(host.startswith("*") for host in settings.ALLOWED_HOSTS):
        hint = "List the names: with '*' a web page elsewhere can reach this server through DNS rebinding."
        found.append(Error("PARLEY_HOSTS contains '*'.", hint=hint, id="chat.E001"))
    if settings.PARLEY_HTTPS and set(settings.ALLOWED_HOSTS) <= _LOOPBACK:
        hint = "Add the name that people type into their browser."
        found.append(
            checks.Info("PARLEY_HTTPS is on, but PARLEY_HOSTS has no public name.", hint=hint, id="chat.I001")
        )
    return found


def _check_production() -> list[CheckMessage]:
    """E002, E003, E004: what must not meet the public."""
    found: list[CheckMessage] = []
    if settings.PARLEY_HTTPS and settings.PARLEY_DEBUG:
        hint = "Debug pages show settings and source code: set PARLEY_DEBUG=0."
        found.append(Error("PARLEY_DEBUG is on together with PARLEY_HTTPS.", hint=hint, id="chat.E002"))
    if len(settings.SECRET_KEY) < _MIN_SECRET_CHARS:
        hint = "Use 50 random characters or more, or unset PARLEY_SECRET_KEY to have one made."
        found.append(Error("The secret key is short.", hint=hint, id="chat.E003"))
    for origin in settings.CSRF_TRUSTED_ORIGINS:
        if urlsplit(origin).scheme not in ("http", "https"):
            hint = "Write it as https://chat.example.org."
            found.append(Error(f"PARLEY_ORIGINS has no scheme: {origin}", hint=hint, id="chat.E004"))
    return found


def _check_folders() -> list[CheckMessage]:
    """E005, E006: private data must not be where files are served from."""
    data_dir, models_dir = Path(settings.PARLEY_DATA_DIR), Path(settings.PARLEY_MODELS_DIR)
    found: list[CheckMessage] = []
    if any(_is_inside(data_dir, Path(folder)) for folder in settings.STATICFILES_DIRS):
        hint = "Set PARLEY_DATA_DIR to a folder of its own."
        found.append(Error("The data folder lies inside the static files.", hint=hint, id="chat.E005"))
    for name, folder in (("PARLEY_DATA_DIR", data_dir), ("PARLEY_MODELS_DIR", models_dir)):
        if folder.exists() and not folder.is_dir():
            hint = "Name a folder, or move the file away."
            found.append(Error(f"{name} is not a folder: {folder}", hint=hint, id="chat.E006"))
    return found


def _check_streams() -> list[CheckMessage]:
    """E007, E008: settings under which streams break or the database locks up."""
    found: list[CheckMessage] = []
    if "django.middleware.gzip.GZipMiddleware" in settings.MIDDLEWARE:
        hint = (
            "It packs every event of a stream for itself, which browsers cannot read. Let a proxy compress."
        )
        found.append(Error("GZipMiddleware breaks streaming.", hint=hint, id="chat.E007"))
    database: dict[str, Any] = settings.DATABASES["default"]
    is_sqlite = database["ENGINE"] == "django.db.backends.sqlite3"
    if is_sqlite and database.get("OPTIONS", {}).get("transaction_mode") != "IMMEDIATE":
        hint = 'Set OPTIONS["transaction_mode"] = "IMMEDIATE".'
        message = "SQLite without IMMEDIATE transactions fails under load."
        found.append(Error(message, hint=hint, id="chat.E008"))
    return found


def _check_hub() -> list[CheckMessage]:
    """E009: where models are pulled from."""
    url = urlsplit(settings.PARLEY_HUB_URL)
    if not settings.PARLEY_HUB_URL or (url.scheme in ("http", "https") and url.netloc):
        return []
    hint = "Write it as https://huggingface.co, or leave it empty to switch downloads off."
    return [Error(f"PARLEY_HUB_URL is no address: {settings.PARLEY_HUB_URL}", hint=hint, id="chat.E009")]


def _check_mcp() -> list[CheckMessage]:
    """E010: the file of MCP servers, whose programs are run."""
    if not settings.PARLEY_MCP_CONFIG:
        return []
    path = Path(settings.PARLEY_MCP_CONFIG).expanduser()
    try:
        read_mcp_config(path)
    except InvalidInput as exc:
        hint = "docs/operations.md has an example; without PARLEY_MCP_CONFIG there are no MCP servers."
        return [Error(f"PARLEY_MCP_CONFIG, {path}: {exc.message}", hint=hint, id="chat.E010")]
    if path.stat().st_mode & stat.S_IWOTH:
        hint = f"Run: chmod o-w {path}."
        return [Error(f"PARLEY_MCP_CONFIG, {path}: everybody may write to it.", hint=hint, id="chat.E010")]
    return []


def _check_tools() -> list[CheckMessage]:
    """E011: the tools that are built in."""
    unknown = [name for name in settings.PARLEY_TOOLS if name not in TOOL_NAMES]
    if not unknown:
        return []
    hint = f"There are: {', '.join(TOOL_NAMES)}."
    return [Error(f"PARLEY_TOOLS names no tool: {', '.join(unknown)}.", hint=hint, id="chat.E011")]


def _check_uploads() -> list[CheckMessage]:
    """E012: files that nobody could keep."""
    if settings.PARLEY_UPLOAD_MAX_MB <= settings.PARLEY_UPLOAD_QUOTA_MB:
        return []
    hint = "Raise PARLEY_UPLOAD_QUOTA_MB, which is for all files of a person together."
    return [Error("PARLEY_UPLOAD_MAX_MB is more than PARLEY_UPLOAD_QUOTA_MB.", hint=hint, id="chat.E012")]


def _check_metrics() -> list[CheckMessage]:
    """E013: a token that can be guessed."""
    if not settings.PARLEY_METRICS_TOKEN or len(settings.PARLEY_METRICS_TOKEN) >= _MIN_TOKEN_CHARS:
        return []
    hint = f"Use {_MIN_TOKEN_CHARS} random characters or more, for instance of: openssl rand -hex 20."
    return [Error("PARLEY_METRICS_TOKEN is short.", hint=hint, id="chat.E013")]


def _is_inside(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())
