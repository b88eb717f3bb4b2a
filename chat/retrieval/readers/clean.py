"""Text as everything after the readers may take it for granted."""

from __future__ import annotations

import re

_LINE_ENDS = re.compile(r"\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
_UNWANTED = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f\ufeff\ufffe\uffff]")
_SURROGATES = re.compile(r"[\ud800-\udfff]")
_EMPTY_LINES = re.compile(r"\n{4,}")


def clean(text: str) -> str:
    """Without control characters and halves of characters; lines end with `\\n` alone, few in a row are empty."""
    if _SURROGATES.search(text):  # pypdf leaves pairs of them where a font maps to UTF-16
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")
    text = _UNWANTED.sub("", _LINE_ENDS.sub("\n", text))
    text = "\n".join(line.rstrip(" \t") for line in text.split("\n"))
    return _EMPTY_LINES.sub("\n\n\n", text)


def one_line(text: str) -> str:
    """With single spaces in place of all white space."""
    return " ".join(text.split())
