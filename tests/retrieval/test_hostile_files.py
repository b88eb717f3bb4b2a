"""Files that are made to do harm cost little and are told plainly."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import pytest

from chat.domain.errors import InvalidInput
from chat.retrieval.extract import Extracted, Extractor
from chat.retrieval.kinds import Kind
from chat.retrieval.sandbox import Limits
from tests.conftest import REPO, wait_until
from tests.retrieval.file_makers import docx_with, pdf_bomb, pdf_of, pdf_with_pages, word_paragraph


def extracted(kind: Kind, content: bytes, limits: Limits | None = None) -> Extracted:
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.seek(0)
        return Extractor(limits).extract(file, kind)


def refusal_of(kind: Kind, content: bytes, limits: Limits | None = None) -> str:
    with pytest.raises(InvalidInput) as refusal:
        extracted(kind, content, limits)
    return refusal.value.message


class TestBombs:
    def test_a_pdf_that_takes_for_ever_is_ended(self) -> None:
        assert "too long" in refusal_of(Kind.PDF, pdf_bomb(60_000_000), Limits(cpu_s=2))

    def test_a_file_that_needs_much_memory_is_ended(self) -> None:
        limits = Limits(memory_bytes=160 * 2**20)

        assert "more memory" in refusal_of(Kind.HTML, b"<p>a</p>" * 1_000_000, limits)

    def test_a_pdf_with_too_many_pages_is_refused(self) -> None:
        assert refusal_of(Kind.PDF, pdf_with_pages(2001)).startswith("This PDF has 2,001 pages")

    def test_a_text_that_is_too_long_is_refused(self) -> None:
        assert "more than 2 million characters" in refusal_of(Kind.TEXT, b"word " * 400_001)

    def test_an_archive_that_unpacks_to_much_is_refused_before_it_is_unpacked(self) -> None:
        bomb = docx_with(b"<w:p/>" * 2_000_000, packing=zipfile.ZIP_DEFLATED)

        assert len(bomb) < 100_000
        assert "unpacks to" in refusal_of(Kind.DOCX, bomb)

    def test_an_archive_of_many_parts_is_refused(self) -> None:
        many = docx_with(b"", more={f"part{number}": b"" for number in range(200)})

        assert "parts" in refusal_of(Kind.DOCX, many)

    def test_an_archive_in_an_archive_stays_packed(self) -> None:
        inner = io.BytesIO()
        with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("zeros", bytes(20_000_000))

        found = extracted(
            Kind.DOCX, docx_with(word_paragraph("outside"), more={"word/inner.zip": inner.getvalue()})
        )

        assert found.text.strip() == "outside"

    def test_a_hundred_thousand_empty_paragraphs_are_no_text(self) -> None:
        assert refusal_of(Kind.DOCX, docx_with(b"<w:p/>" * 100_000)) == "The file holds no text."


class TestXml:
    def test_a_word_file_cannot_bring_in_another_file(self) -> None:
        doctype = f'<!DOCTYPE d [<!ENTITY x SYSTEM "file://{Path(__file__)}">]>'.encode()

        found = extracted(Kind.DOCX, docx_with(word_paragraph("before &x;"), doctype=doctype))

        assert found.text.strip() == "before"

    def test_a_billion_laughs_are_not_laughed(self) -> None:
        laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
        doctype = f'<!DOCTYPE d [<!ENTITY l0 "haha">{laughs}]>'.encode()

        assert "damaged" in refusal_of(Kind.DOCX, docx_with(word_paragraph("&l9;"), doctype=doctype))

    def test_a_page_nested_without_end_does_no_harm(self) -> None:
        found = extracted(Kind.HTML, b"<p>shallow</p>" + b"<div>" * 50_000 + b"deep")

        assert "shallow" in found.text


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        (Kind.PDF, pdf_of("a page")[:150]),
        (Kind.PDF, b"%PDF-1.7\n" + bytes(range(256)) * 20),
        (Kind.DOCX, b"PK\x03\x04" + b"garbage" * 50),
        (Kind.DOCX, docx_with(b"<w:p>")),
    ],
    ids=["cut PDF", "garbage PDF", "garbage archive", "broken XML"],
)
def test_a_damaged_file_says_so(kind: Kind, content: bytes) -> None:
    assert "damaged" in refusal_of(kind, content)


class TestTheChild:
    def test_one_that_waits_for_ever_is_ended(self) -> None:
        end, other_end = os.pipe()
        with os.fdopen(end, "rb") as file, pytest.raises(InvalidInput, match="too long"):
            Extractor(Limits(wall_s=1)).extract(file, Kind.TEXT)
        os.close(other_end)

    def test_it_ends_with_its_parent(self) -> None:
        code = """
import os, threading
from chat.retrieval.extract import Extractor
from chat.retrieval.kinds import Kind
extractor = Extractor()
file = os.fdopen(os.pipe()[0], "rb")
thread = threading.Thread(target=extractor.extract, args=(file, Kind.TEXT))
thread.start()
while extractor._child is None: pass
print(extractor._child.pid, flush=True)
"""
        parent = subprocess.Popen([sys.executable, "-c", code], cwd=REPO, stdout=subprocess.PIPE, text=True)
        assert parent.stdout
        child = Path("/proc", parent.stdout.readline().strip())
        wait_until(lambda: "parley-reader" in (child / "cmdline").read_text())

        parent.kill()

        parent.communicate()
        wait_until(lambda: not child.exists() or "\nState:\tZ" in (child / "status").read_text())

    def test_it_has_no_network_starts_no_program_and_writes_no_file(self, tmp_path: Path) -> None:
        tries = {
            "network": "socket.create_connection(('127.0.0.1', 9))",
            "program": "subprocess.run(['true'])",
            "shell": "os.system('true')",
            "file": f"open({str(tmp_path / 'x')!r}, 'w')",
            "removal": f"os.remove({__file__!r})",
            "memory": "bytearray(2**30)",
        }
        lines = [
            "import os, socket, subprocess",
            "from chat.retrieval.sandbox import Limits, confine",
            "confine(Limits())",
        ]
        for name, attempt in tries.items():
            lines.append(f"try: {attempt}\nexcept (PermissionError, MemoryError): print({name!r})")

        done = subprocess.run(
            [sys.executable, "-c", "\n".join(lines)], cwd=REPO, capture_output=True, text=True
        )

        assert done.stdout.split() == list(tries), done.stderr
