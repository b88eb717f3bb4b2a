"""How often a caller may ask: a fixed window of a minute for each name, in the process's cache."""

from __future__ import annotations

import time

from allauth.account.adapter import get_adapter
from django.conf import settings
from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from chat.domain.errors import RateLimited
from chat.models import Flow

WINDOW_S = 60
UPLOADS_PER_MINUTE = 120
IMPORTS_PER_MINUTE = 10
ACCOUNT_PASSWORDS_PER_MINUTE = 5
SHARE_PASSWORDS_PER_MINUTE = 10
# From all addresses together: who can use many shall not try faster.
SHARE_PASSWORDS_OF_LINK_PER_MINUTE = 60
SHARE_COPIES_PER_MINUTE = 10


def check_rate(*names: str) -> None:
    """Count a request for each name. Raises: RateLimited past PARLEY_API_REQUESTS_PER_MINUTE."""
    limit = settings.PARLEY_API_REQUESTS_PER_MINUTE
    for name in names:
        _count(name, limit, WINDOW_S)


def check_flow_rate(request: HttpRequest, flow: Flow) -> None:
    """Count a request of the client's address to the flow. Raises: RateLimited past the flow's own limit."""
    if flow.rate_limit_requests is not None:
        _count(
            f"flow:{flow.pk}:{client_address(request)}",
            flow.rate_limit_requests,
            max(1, flow.rate_limit_window_s),
        )


def check_upload_rate(request: HttpRequest, scope: str) -> None:
    """Count an upload of a person (their `Actor.scope`) and of their address, because a guest can become another.

    Raises: RateLimited past `UPLOADS_PER_MINUTE`.
    """
    for name in (scope, client_address(request)):
        _count(f"upload:{name}", UPLOADS_PER_MINUTE, WINDOW_S)


def check_import_rate(request: HttpRequest, scope: str) -> None:
    """Count an import as `check_upload_rate` counts uploads. Raises: RateLimited past `IMPORTS_PER_MINUTE`."""
    for name in (scope, client_address(request)):
        _count(f"import:{name}", IMPORTS_PER_MINUTE, WINDOW_S)


def check_account_password_rate(scope: str) -> None:
    """Count a password that is asked for again. Raises: RateLimited past `ACCOUNT_PASSWORDS_PER_MINUTE`."""
    _count(f"account-password:{scope}", ACCOUNT_PASSWORDS_PER_MINUTE, WINDOW_S)


def check_share_password_rate(request: HttpRequest, token: str) -> None:
    """Count a password tried for a link. Raises: RateLimited past the bounds for an address and for the link."""
    _count(f"share-password:{client_address(request)}", SHARE_PASSWORDS_PER_MINUTE, WINDOW_S)
    _count(f"share-password-of:{token}", SHARE_PASSWORDS_OF_LINK_PER_MINUTE, WINDOW_S)


def check_share_copy_rate(request: HttpRequest) -> None:
    """Count a copy made of a shared chat. Raises: RateLimited past `SHARE_COPIES_PER_MINUTE`."""
    _count(f"share-copy:{client_address(request)}", SHARE_COPIES_PER_MINUTE, WINDOW_S)


def client_address(request: HttpRequest) -> str:
    """The client's own address, also behind the proxy of PARLEY_HTTPS: what logins are counted by too."""
    try:
        return str(get_adapter().get_client_ip(request))
    except PermissionDenied:  # a proxy that tells none: all its clients count as one
        return str(request.META.get("REMOTE_ADDR", ""))


def now_s() -> float:
    """Seconds since 1970: the windows begin at whole multiples of their length."""
    return time.time()


def _count(name: str, limit: int, window_s: int) -> None:
    now = now_s()
    window = int(now // window_s)
    entry = f"rate:{name}:{window}"
    cache.add(entry, 0, timeout=window_s + 1)
    try:
        count = cache.incr(entry)
    except ValueError:  # expired between the two
        return
    if count > limit:
        wait_s = max(1, int((window + 1) * window_s - now) + 1)
        raise RateLimited(
            f"Too many requests: {limit} are allowed in {window_s} seconds.",
            hint=f"Try again in {wait_s} seconds.",
            retry_after_s=wait_s,
        )
