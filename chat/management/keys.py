"""API keys for the command line: whose a new one is, and keys as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.management.base import CommandError
from django.db import transaction

from chat.management.flows import flow_of_id
from chat.models import ApiKey, User
from chat.models.api_key import NAME_MAX_CHARS


def issued_secret(name: str, username: str, flow_ids: Sequence[str]) -> str:
    """Make a key with all rights and tell its secret. Raises: CommandError."""
    name = name.strip()
    if not 0 < len(name) <= NAME_MAX_CHARS:
        raise CommandError(f"NAME must have 1 to {NAME_MAX_CHARS} characters.")
    user, flows = _user_for(username), [flow_of_id(flow_id) for flow_id in flow_ids]
    with transaction.atomic():
        key, secret = ApiKey.objects.issue(user, name)
        key.flows.set(flows)
    return secret


def key_of_id(text: str) -> ApiKey:
    """Raises: CommandError when there is none."""
    key = ApiKey.objects.filter(pk=int(text)).first() if text.isdecimal() and len(text) < 19 else None
    if key is None:
        raise CommandError(f"There is no API key {text}. manage.py apikey list shows them.")
    return key


def all_keys() -> list[ApiKey]:
    """Everybody's, newest first."""
    return list(ApiKey.objects.select_related("user").prefetch_related("flows"))


def key_as_json(key: ApiKey) -> dict[str, Any]:
    """All but the secret, which nobody has."""
    return {
        "id": key.pk,
        "name": key.name,
        "shown": key.shown,
        "user": key.user.get_username(),
        "rights": key.rights,
        "flows": [str(flow.pk) for flow in key.flows.all()],
        "created_at": key.created_at.isoformat(),
        "last_used_at": key.last_used_at.isoformat() if key.last_used_at else None,
        "revoked_at": key.revoked_at.isoformat() if key.revoked_at else None,
    }


def _user_for(username: str) -> User:
    """The named account, or the only administrator. Raises: CommandError."""
    if username:
        if user := User.objects.filter(username=username).first():
            return user
        raise CommandError(f"--user: there is no account {username}.")
    superusers = User.objects.filter(is_superuser=True, is_active=True)[:2]
    if len(superusers) == 1:
        return superusers[0]
    found = "more than one administrator" if superusers else "no administrator"
    raise CommandError(f"There is {found}: say whose key it is with --user NAME.")
