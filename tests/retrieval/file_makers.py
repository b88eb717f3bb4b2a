"""Files as people have them, and as attackers make them."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Callable, Mapping

import docx
from pypdf import PdfWriter

WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_FONT = b"<< /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >>"
_MEDIA_BOX = b"[0 0 600 800]"


def pdf_of(*pages: str) -> bytes:
    """A PDF with a line of text on each page; none on an empty one."""
    return _pdf_of_streams(
        [f"BT /F1 12 Tf 50 700 Td ({page}) Tj ET".encode() if page else b"" for page in pages]
    )


def pdf_bomb(num_bytes: int) -> bytes:
    """One page of drawing instructions that unpack to this much."""
    instruction = b"(words) Tj 1 0 0 1 5 5 Tm "
    packed = zlib.compress(b"BT /F1 12 Tf " + instruction * (num_bytes // len(instruction)) + b"ET", 9)
    return _pdf_of_streams([packed], extra=b" /Filter /FlateDecode")


def pdf_with_pages(num_pages: int) -> bytes:
    """The same page over and over."""
    objects = {
        1: b"<< /Type /Catalog /Pages 2 0 R >>",
        2: b"<< /Type /Pages /Count %d /Kids [%s] >>" % (num_pages, b"3 0 R " * num_pages),
        3: b"<< /Type /Page /Parent 2 0 R /MediaBox %s >>" % _MEDIA_BOX,
    }
    return _pdf_of_objects(objects)


def encrypted(pdf: bytes, password: str) -> bytes:
    writer = PdfWriter(clone_from=io.BytesIO(pdf))
    writer.encrypt(password, owner_password="owner", algorithm="AES-128")
    return _written(writer.write)


def docx_of(fill: Callable[[docx.document.Document], object]) -> bytes:
    document = docx.Document()
    fill(document)
    return _written(document.save)


def docx_with(
    body: bytes,
    *,
    doctype: bytes = b"",
    more: Mapping[str, bytes] | None = None,
    packing: int = zipfile.ZIP_STORED,
) -> bytes:
    """A Word file whose text is this XML, with more files in its archive."""
    empty = io.BytesIO(docx_of(lambda _: None))
    target = io.BytesIO()
    with zipfile.ZipFile(empty) as source, zipfile.ZipFile(target, "w", packing) as archive:
        parts = {name: source.read(name) for name in source.namelist()}
        xml = b'%s<w:document xmlns:w="%s"><w:body>%s</w:body></w:document>'
        parts["word/document.xml"] = xml % (doctype, WORD.encode(), body)
        for name, content in {**parts, **(more or {})}.items():
            archive.writestr(name, content)
    return target.getvalue()


def word_paragraph(text: str) -> bytes:
    return f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>".encode()


def _pdf_of_streams(streams: list[bytes], extra: bytes = b"") -> bytes:
    objects = {1: b"<< /Type /Catalog /Pages 2 0 R >>"}
    kids = []
    for number, stream in enumerate(streams):
        page, content = 3 + 2 * number, 4 + 2 * number
        kids.append(b"%d 0 R" % page)
        objects[page] = b"<< /Type /Page /Parent 2 0 R /MediaBox %s /Contents %d 0 R /Resources %s >>" % (
            _MEDIA_BOX,
            content,
            _FONT,
        )
        objects[content] = b"<< /Length %d%s >>\nstream\n%s\nendstream" % (len(stream), extra, stream)
    objects[2] = b"<< /Type /Pages /Count %d /Kids [%s] >>" % (len(kids), b" ".join(kids))
    return _pdf_of_objects(objects)


def _pdf_of_objects(objects: Mapping[int, bytes]) -> bytes:
    out, offsets = b"%PDF-1.4\n", []
    for number, content in sorted(objects.items()):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size = len(objects) + 1
    end = b"xref\n0 %d\n0000000000 65535 f \n%strailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF"
    return out + end % (size, table, size, len(out))


def _written(write: Callable[[io.BytesIO], object]) -> bytes:
    target = io.BytesIO()
    write(target)
    return target.getvalue()
