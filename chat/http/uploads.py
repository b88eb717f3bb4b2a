"""Which requests may bring files: they alone have room for more than a form."""

from __future__ import annotations

import re

_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
# The routes of `chat/web/urls.py` that take files; a test holds the two together.
_PATHS = re.compile(
    rf"/attachments/(?:{_UUID}/)?"
    rf"|/c/{_UUID}/attachments"
    rf"|/collections/{_UUID}/documents"
    r"|/account/import"
)


def may_upload(method: str, path: str) -> bool:
    """Whether such a request may carry a file. `path` is without the query."""
    return method == "POST" and _PATHS.fullmatch(path) is not None
