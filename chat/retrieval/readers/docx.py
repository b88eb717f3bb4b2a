"""Word files, opened by python-docx and walked over in the order of their XML."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from docx import Document
from docx.document import Document as WordDocument
from docx.oxml.ns import nsmap, qn
from lxml import etree

from chat.retrieval.readers.archive import check_archive
from chat.retrieval.readers.clean import one_line

_PARAGRAPH, _TABLE, _ROW, _CELL = qn("w:p"), qn("w:tbl"), qn("w:tr"), qn("w:tc")
_TEXT = qn("w:t")
_LETTERS = {
    qn("w:tab"): "\t",
    qn("w:br"): "\n",
    qn("w:cr"): "\n",
    qn("w:noBreakHyphen"): "-",
    _PARAGRAPH: "\n",
}
_WRAPPERS = (qn("w:sdt"), qn("w:sdtContent"), qn("w:customXml"))
_STYLE, _VALUE = qn("w:pStyle"), qn("w:val")
# Second copies of text boxes for old programs, places that text was moved away from, and hidden text.
_NOT_SHOWN = etree.XPath(
    ".//mc:Fallback | .//w:moveFrom | .//w:r[w:rPr/w:vanish[not(@w:val = '0' or @w:val = 'false')]]",
    namespaces={"w": nsmap["w"], "mc": "http://schemas.openxmlformats.org/markup-compatibility/2006"},
)
_HEADING = re.compile(r"heading ([1-6])", re.IGNORECASE)


def read_docx(file: BinaryIO) -> Iterator[str]:
    """Paragraphs, headings as `# Title`, list items as `- item`, and tables as `| a | b |` rows.

    Raises: InvalidInput for an archive that is too large when unpacked.
    """
    check_archive(file)
    document = Document(file)
    prefixes = _prefixes(document)
    body = document.element.body
    for element in _NOT_SHOWN(body):
        element.getparent().remove(element)
    etree.strip_tags(body, *_WRAPPERS)
    walk = etree.iterwalk(body, events=("start",), tag=(_PARAGRAPH, _TABLE))
    for _, element in walk:
        walk.skip_subtree()
        yield from _rows(element) if element.tag == _TABLE else _paragraph(element, prefixes)


def _prefixes(document: WordDocument) -> Mapping[str, str]:
    """What stands before a paragraph, by the id of its style."""
    found: dict[str, str] = {}
    for style in document.styles:
        name = style.name or ""
        if heading := _HEADING.fullmatch(name):
            found[style.style_id] = "#" * int(heading[1]) + " "
        elif name == "Title":
            found[style.style_id] = "# "
        elif name.startswith("List "):
            found[style.style_id] = "- "
    return found


def _paragraph(element: Any, prefixes: Mapping[str, str]) -> Iterator[str]:
    text = _text_of(element).strip()
    if not text:
        return
    style = element.find(f"{qn('w:pPr')}/{_STYLE}")
    prefix = prefixes.get(style.get(_VALUE), "") if style is not None else ""
    if not prefix and element.find(f"{qn('w:pPr')}/{qn('w:numPr')}") is not None:
        prefix = "- "
    if prefix.startswith("#"):
        text = one_line(text)
    yield f"{prefix}{text}" + ("\n" if prefix == "- " else "\n\n")


def _rows(table: Any) -> Iterator[str]:
    for row in table.iterfind(_ROW):
        cells = [one_line(_text_of(cell)) for cell in row.iterfind(_CELL)]
        if any(cells):
            yield f"| {' | '.join(cells)} |\n"
    yield "\n"


def _text_of(element: Any) -> str:
    """Of a paragraph or a cell, with all that is in it."""
    pieces = (
        part.text if part.tag == _TEXT else _LETTERS[part.tag]
        for part in element.iterdescendants(_TEXT, *_LETTERS)
    )
    return "".join(piece or "" for piece in pieces)
