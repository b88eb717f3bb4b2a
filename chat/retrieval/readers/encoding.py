"""From bytes to text, whatever the encoding."""

from __future__ import annotations

import codecs
import re

from charset_normalizer import from_bytes

# It tries dozens of encodings on what it is given.
GUESSED_BYTES = 100_000
_COMMONEST = "cp1252"
# Those of the web and its languages: among all that Python knows, some exotic one fits any short text.
# Source: WHATWG Encoding Standard, https://encoding.spec.whatwg.org.
_ENCODINGS = """
    cp1252 cp1250 cp1251 koi8_r cp1253 cp1254 cp1255 cp1256 cp1257 cp874 cp932 euc_jp gb18030 big5 cp949 utf_16_le
    utf_16_be
""".split()

_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_NAMED = re.compile(
    rb"""<(?:meta|\?xml)[^>]{0,200}?(?:charset|encoding)\s*=\s*["']?([\w.:-]{1,40})""", re.IGNORECASE
)


def decoded(body: bytes) -> str:
    """By its byte order mark, else as UTF-8, else as what its bytes look like."""
    for mark, encoding in _MARKS.items():
        if body.startswith(mark):
            return body.decode(encoding, "replace")
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        return body.decode(_guessed(body), "replace")


def decoded_html(body: bytes) -> str:
    """As `decoded`, but a page that is not UTF-8 knows its encoding itself."""
    named = _NAMED.search(body[:2048])
    if named is None or body.startswith(tuple(_MARKS)) or _is_utf8(body):
        return decoded(body)
    try:
        return body.decode(named[1].decode("ascii"), "replace")
    except (LookupError, UnicodeError):
        return decoded(body)


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _guessed(body: bytes) -> str:
    matches = from_bytes(body[:GUESSED_BYTES], cp_isolation=_ENCODINGS)
    best = matches.best()
    if best is None:
        return _COMMONEST
    as_likely = {
        match.encoding for match in matches if (match.chaos, match.coherence) == (best.chaos, best.coherence)
    }
    return _COMMONEST if _COMMONEST in as_likely else best.encoding
