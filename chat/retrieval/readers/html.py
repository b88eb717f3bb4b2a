"""HTML pages: what a person would read of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, BinaryIO

from lxml import etree, html

from chat.retrieval.readers.clean import one_line
from chat.retrieval.readers.encoding import decoded_html

_SKIPPED = set("script style noscript template svg math canvas iframe object embed audio video head".split())
_SKIPPED |= set("button select textarea input datalist dialog".split())
_BLOCKS = set(
    "p div section article main header footer aside nav blockquote pre table ul ol dl form fieldset figure"
    " figcaption address details summary hr h1 h2 h3 h4 h5 h6".split()
)
_LINES = {"li", "tr", "br", "dt", "dd", "option"}
_CELLS = {"td", "th"}
_PREFIXES = {**{f"h{level}": "#" * level + " " for level in range(1, 7)}, "li": "- ", "tr": "| "}
_HIDING = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0|opacity\s*:\s*0(?![.\d])", re.IGNORECASE
)
_SPACES = re.compile(r"\s+")


def read_html(file: BinaryIO) -> Iterator[str]:
    """The title, headings as `# Title`, list items as `- item`, tables as `| a | b |` rows; links keep their words."""
    # lxml refuses text that names an encoding itself, so it gets bytes.
    body = decoded_html(file.read()).encode("utf-8", "replace")
    parser = html.HTMLParser(
        encoding="utf-8", no_network=True, remove_comments=True, remove_pis=True, huge_tree=True
    )
    root = html.document_fromstring(body, parser=parser)
    if title := one_line(root.findtext("head/title") or ""):
        yield f"{title}\n\n"
    yield _Page().text_of(root).strip()


class _Page:
    """Walks step by step, never into itself: a page may be nested as deep as it likes."""

    def __init__(self) -> None:
        self._pieces: list[str] = [""]
        self._num_pre = 0

    def text_of(self, root: Any) -> str:
        walk = etree.iterwalk(root, events=("start", "end"))
        skipped = None
        for event, element in walk:
            if event == "end":
                if element is not skipped:
                    self._close(element.tag)
                self._add(element.tail)
            elif _is_hidden(element):
                walk.skip_subtree()
                skipped = element
            else:
                self._open(element.tag)
                self._add(element.text)
        return "".join(self._pieces)

    def _open(self, tag: str) -> None:
        self._num_pre += tag == "pre"
        if tag in _BLOCKS:
            self._break("\n\n")
        elif tag in _LINES:
            self._break("\n")
        if tag in _PREFIXES:
            self._pieces.append(_PREFIXES[tag])

    def _close(self, tag: str) -> None:
        self._num_pre -= tag == "pre"
        if tag in _CELLS:
            self._pieces.append(" | ")
        elif tag in _BLOCKS:
            self._break("\n\n")

    def _break(self, line_end: str) -> None:
        if not self._pieces[-1].endswith(line_end):
            self._pieces.append(line_end)

    def _add(self, text: str | None) -> None:
        if not text:
            return
        if not self._num_pre:
            text = _SPACES.sub(" ", text)
            if self._pieces[-1].endswith(("\n", " ")):
                text = text.lstrip()
        if text:
            self._pieces.append(text)


def _is_hidden(element: Any) -> bool:
    if element.tag in _SKIPPED:
        return True
    attributes = element.attrib
    if "hidden" in attributes or attributes.get("aria-hidden") == "true":
        return True
    return bool(_HIDING.search(attributes.get("style", "")))
