"""Reading settings from environment variables, with one clear line when a value is wrong."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

_SIZE = re.compile(r"(?P<number>\d+(\.\d+)?) ?(?P<unit>[KMGT])?i?B?", re.ASCII | re.IGNORECASE)
_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off", ""}


def env_str(name: str, default: str = "") -> str:
    """The variable's text, or the content of the file that `NAME_FILE` names (for secrets)."""
    if path := os.environ.get(f"{name}_FILE"):
        try:
            return Path(path).read_text(encoding="utf-8").strip()
        except OSError as exc:
            raise ImproperlyConfigured(f"{name}_FILE: cannot read {path}: {exc.strerror}.") from exc
    return os.environ.get(name, default)


def env_choice(name: str, choices: Sequence[str]) -> str:
    """One of `choices`; the first is the default."""
    value = env_str(name, choices[0])
    if value not in choices:
        raise ImproperlyConfigured(f"{name} is {value!r}; it must be one of: {', '.join(choices)}.")
    return value


def env_bool(name: str, *, default: bool) -> bool:
    """1/true/yes/on or 0/false/no/off."""
    value = env_str(name, str(default)).strip().lower()
    if value in _TRUE:
        return True
    if value in _FALSE:
        return False
    raise ImproperlyConfigured(f"{name} is {value!r}; write 1 or 0.")


def env_int(name: str, default: int, *, low: int, high: int) -> int:
    """A whole number within bounds."""
    text = env_str(name, str(default))
    try:
        value = int(text)
    except ValueError:
        raise ImproperlyConfigured(f"{name} is {text!r}; write a whole number.") from None
    if not low <= value <= high:
        raise ImproperlyConfigured(f"{name} is {value}; it must be from {low} to {high}.")
    return value


def env_bytes(name: str) -> int:
    """A size: a number of bytes, or with K, M, G or T behind it. 0 when it is not set."""
    text = env_str(name).strip()
    if not text:
        return 0
    if (match := _SIZE.fullmatch(text)) is None:
        raise ImproperlyConfigured(f"{name} is {text!r}; write a size such as 12G or 800M.")
    return int(float(match["number"]) * 1024 ** " KMGT".index((match["unit"] or " ").upper()))


def env_float(name: str, default: float, *, low: float, high: float) -> float:
    """A number within bounds."""
    text = env_str(name, str(default))
    try:
        value = float(text)
    except ValueError:
        raise ImproperlyConfigured(f"{name} is {text!r}; write a number.") from None
    if not low <= value <= high:
        raise ImproperlyConfigured(f"{name} is {text}; it must be from {low:g} to {high:g}.")
    return value


def env_path(name: str, default: Path) -> Path:
    """An absolute path; `~` is the home folder."""
    return Path(os.environ.get(name) or default).expanduser().resolve()


def env_list(name: str, default: Sequence[str] = ()) -> list[str]:
    """Values separated by commas."""
    return [item.strip() for item in env_str(name, ",".join(default)).split(",") if item.strip()]


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail is handed in; an empty host means that none is sent."""

    host: str = ""
    port: int = 25
    user: str = ""
    password: str = ""
    is_tls_from_start: bool = False


def env_mail_server(name: str) -> MailServer:
    """`smtp://user:password@host:587` (TLS by STARTTLS when there is a user) or `smtps://...:465`."""
    if not (text := env_str(name)):
        return MailServer()
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError:
        port, url = None, urlsplit("")
    if url.scheme not in ("smtp", "smtps") or not url.hostname:
        raise ImproperlyConfigured(f"{name} must look like smtp://user:password@host:587 or smtps://...")
    is_tls = url.scheme == "smtps"
    default_port = 465 if is_tls else 587
    user, password = unquote(url.username or ""), unquote(url.password or "")
    return MailServer(url.hostname, port or default_port, user, password, is_tls)


def env_secret(name: str, path: Path) -> str:
    """The variable, or the key kept in `path`, which is made on the first run (readable by its owner only)."""
    if value := env_str(name):
        return value
    try:
        return path.read_text(encoding="ascii").strip() or _make_secret(path)
    except FileNotFoundError:
        return _make_secret(path)
    except OSError as exc:
        raise ImproperlyConfigured(f"Cannot read the secret key {path}: {exc.strerror}.") from exc


def _make_secret(path: Path) -> str:
    """Write a new key. Two processes that start together end with the same one: the second finds the file."""
    secret = secrets.token_urlsafe(48)
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(secret, encoding="ascii")
        temporary.chmod(0o600)
        try:
            os.link(temporary, path)
        except FileExistsError:
            secret = path.read_text(encoding="ascii").strip()
        finally:
            temporary.unlink()
    except OSError as exc:
        raise ImproperlyConfigured(
            f"The data folder {path.parent} is not writable: {exc.strerror}. Set PARLEY_DATA_DIR to another."
        ) from exc
    return secret
