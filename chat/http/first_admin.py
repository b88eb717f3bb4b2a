"""The one-time link that makes the first administrator. Only a hash of its token is kept, in the data folder."""

from __future__ import annotations

import hashlib
import secrets
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.http import Http404
from django.urls import reverse

from chat.models import User


def needs_first_admin() -> bool:
    """Whether nobody can administer the server yet."""
    return not User.objects.filter(is_superuser=True, is_active=True).exists()


def issue_setup_path() -> str:
    """Make a new link and forget the one before; its path is told only here."""
    token = secrets.token_urlsafe(32)
    path = _hash_file()
    path.touch(mode=0o600)
    path.write_text(_digest(token), encoding="ascii")
    return reverse("first_admin", args=[token])


def withdraw_setup_link() -> None:
    """Make a link that may be about worthless."""
    _hash_file().unlink(missing_ok=True)


def check_setup_token(token: str) -> None:
    """Raises: Http404 when the token is not that of the last link, or the link has done its work."""
    try:
        kept = _hash_file().read_text(encoding="ascii")
    except FileNotFoundError:
        raise Http404 from None
    if not secrets.compare_digest(kept, _digest(token)) or not needs_first_admin():
        raise Http404


def create_first_admin(token: str, username: str, password: str) -> User:
    """Make the account and end the link; of two at the same time one wins.

    Raises: Http404 when the link is no longer good.
    """
    with transaction.atomic():
        check_setup_token(token)
        user = User.objects.create_superuser(username, password=password)
        try:
            _hash_file().unlink()
        except FileNotFoundError:
            raise Http404 from None
    return user


def _hash_file() -> Path:
    return Path(settings.PARLEY_DATA_DIR) / "setup_link"


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
