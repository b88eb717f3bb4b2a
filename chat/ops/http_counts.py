"""How many HTTP requests were answered, and how, for `/metrics`; streams count when they end."""

from __future__ import annotations

from prometheus_client import Counter

from chat.http.limits import METHODS

# In no registry of its own: `/metrics` puts it beside what the runtime counts.
HTTP_REQUESTS = Counter(
    "parley_http_requests",
    "HTTP requests by method and class of status; none for a client that left before the answer.",
    ["method", "status"],
    registry=None,
)


def count_request(method: str, status: int) -> None:
    """Status 0: the client left. Methods that are not ours count as one, so that nobody can make up new ones."""
    HTTP_REQUESTS.labels(
        method if method in METHODS else "other", f"{status // 100}xx" if status else "none"
    ).inc()
