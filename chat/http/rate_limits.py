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


def client_address(request: HttpRequest) -> str:
    """The client's own address, also behind the proxy of PARLEY_HTTPS: what logins are counted by too."""
    try:
        return str(get_adapter().get_client_ip(request))
    except PermissionDenied:  # a proxy that tells none: all its clients count as one
        return str(request.META.get("REMOTE_ADDR", ""))


def _count(name: str, limit: int, window_s: int) -> None:
    now = time.time()
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
