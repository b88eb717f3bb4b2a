"""What a person would read of a fetched page: HTML without its machinery, anything else as it is."""

from __future__ import annotations

import codecs
import io
import re

from chat.retrieval.readers.clean import clean
from chat.retrieval.readers.encoding import decoded

_HTML_KINDS = {"text/html", "application/xhtml+xml"}
_OTHER_KINDS = re.compile(r"text/(plain|markdown|x-markdown|csv)|application/(json|[\w.+-]+\+json)")


def is_readable(kind: str) -> bool:
    """Whether a page of this content type can be made text."""
    return kind in _HTML_KINDS or _OTHER_KINDS.fullmatch(kind) is not None


def readable_text(body: bytes, kind: str, charset: str | None) -> str:
    """The text of a page; `charset` is what the server says, None when it says nothing. Empty when there is none."""
    if charset and _is_known(charset):
        body = body.decode(charset, "replace").encode()
    elif _is_utf8(body):
        body = body.decode("utf-8", "ignore").encode()
    text = _html_text(body) if kind in _HTML_KINDS else decoded(body)
    return re.sub(r"\n{3,}", "\n\n", clean(text)).strip()


def _html_text(body: bytes) -> str:
    # Only in the child that fetches: the server reads this module too, for what the tool says of itself.
    from lxml.etree import LxmlError

    from chat.retrieval.readers.html import read_html

    try:
        return "".join(read_html(io.BytesIO(body)))
    except LxmlError:
        return ""  # nothing but white space, or nothing at all


def _is_known(charset: str) -> bool:
    try:
        b"".decode(charset)
    except LookupError:
        return False
    return True


def _is_utf8(body: bytes) -> bool:
    """Also when its last character is cut in two."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(body)
    except UnicodeDecodeError:
        return False
    return True
