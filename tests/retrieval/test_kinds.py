"""What a file is taken for, and how its name is shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.domain.errors import InvalidInput
from chat.retrieval.kinds import NAME_MAX_CHARS, Kind, check_head, display_name, kind_of


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Report.PDF", Kind.PDF),
        ("letter.docx", Kind.DOCX),
        ("index.htm", Kind.HTML),
        ("prices.tsv", Kind.TABLE),
        ("README.md", Kind.MARKDOWN),
        ("main.rs", Kind.TEXT),
        ("archive.tar.py", Kind.TEXT),
        ("Makefile", Kind.TEXT),
    ],
)
def test_the_extension_says_how_to_read_it(name: str, kind: Kind) -> None:
    assert kind_of(name) is kind


@pytest.mark.parametrize(
    "name", ["old.doc", "picture.png", "sheet.xlsx", "unnamed", "pdf", ".pdf.exe", "a.", ".env.key"]
)
def test_what_is_not_read_is_refused_with_what_is(name: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        kind_of(name)

    assert "Word (.docx)" in refusal.value.hint


@pytest.mark.parametrize(
    ("name", "head", "reason"),
    [
        ("x.pdf", b"PK\x03\x04......%PDF-1.4", "a zip archive"),
        ("x.pdf", b"<html><script>alert(1)</script>", "something else"),
        ("x.pdf", b"<svg onload=alert(1)>", "something else"),
        ("x.pdf", b"MZ\x90\x00", "something else"),
        ("x.docx", b"%PDF-1.7", "a PDF"),
        ("x.docx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office file, or one with a password"),
        ("x.docx", b"hello", "something else"),
        ("x.txt", b"%PDF-1.7", "a PDF"),
        ("x.md", b"\x89PNG\r\n", "a picture"),
        ("x.csv", b"PK\x03\x04", "a zip archive"),
        ("x.py", b"\x7fELF\x02", "a program"),
        ("x.txt", b"abc\x00def", "no text"),
    ],
)
def test_a_file_that_is_not_what_its_name_says_is_refused_by_what_it_is(
    name: str, head: bytes, reason: str
) -> None:
    with pytest.raises(InvalidInput, match=f"it is {reason}"):
        check_head(name, kind_of(name), head)


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("x.pdf", b"%PDF-1.7"),
        ("x.pdf", b"\xef\xbb\xbf junk %PDF-1.7"),
        ("x.docx", b"PK\x03\x04"),
        ("x.txt", "wide".encode("utf-16")),
        ("x.txt", "Caf\xe9".encode("latin-1")),
    ],
)
def test_a_good_file_passes(name: str, head: bytes) -> None:
    check_head(name, kind_of(name), head)


@pytest.mark.parametrize("name", ["x.pdf", "x.docx", "x.txt"])
def test_an_empty_file_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="is empty"):
        check_head(name, kind_of(name), b"")


@pytest.mark.parametrize(
    ("given_name", "shown"),
    [
        ("../../etc/passwd.txt", "passwd.txt"),
        ("..\\..\\boot.txt", "boot.txt"),
        ("C:notes.txt", "notes.txt"),
        ("/", "unnamed"),
        (".", "unnamed"),
        ("..", "unnamed"),
        ("", "unnamed"),
        ("a\x00b\x1b[31m.txt", "ab[31m.txt"),
        ("line\none.txt", "line one.txt"),
        ("invoice\u202efdp.txt", "invoicefdp.txt"),
        ("\ud800half.txt", "half.txt"),
        ("  Jahres\u00a0bericht  2025.pdf ", "Jahres bericht 2025.pdf"),
        ("<img src=x onerror=alert(1)>.md", "<img src=x onerror=alert(1)>.md"),
    ],
)
def test_names_are_shown_without_folders_and_tricks(given_name: str, shown: str) -> None:
    assert display_name(given_name) == shown


def test_a_name_of_4_kb_keeps_its_extension() -> None:
    shown = display_name("x" * 4096 + ".pdf")

    assert len(shown) == NAME_MAX_CHARS
    assert shown.endswith("x.pdf")


@given(st.text(max_size=600))
def test_any_name_is_shown_in_one_printable_line(name: str) -> None:
    shown = display_name(name)

    assert 0 < len(shown) <= NAME_MAX_CHARS
    assert "/" not in shown
    assert "\\" not in shown
    assert shown.isprintable() or " " in shown or not shown.isascii()
    assert display_name(shown) == shown
