"""What kind of file something is, by its name and by how it begins. Whether it can be read shows when it is read."""

from __future__ import annotations

import re
import unicodedata
from enum import StrEnum
from pathlib import PurePosixPath

from chat.domain.errors import InvalidInput

NAME_MAX_CHARS = 255
# A PDF may have some bytes before its mark. Source: ISO 32000-1, annex H.3.4.2.
HEAD_BYTES = 1024

READABLE = "PDF, Word (.docx), Markdown, plain text, HTML, CSV and source code"


class Kind(StrEnum):
    """How a file is read; the value names the reader."""

    PDF = "pdf"
    DOCX = "docx"
    HTML = "html"
    TABLE = "table"
    MARKDOWN = "markdown"
    TEXT = "text"


MEDIA_TYPES = {
    Kind.PDF: "application/pdf",
    Kind.DOCX: "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    Kind.HTML: "text/html",
    Kind.TABLE: "text/csv",
    Kind.MARKDOWN: "text/markdown",
    Kind.TEXT: "text/plain",
}
KINDS = {media_type: kind for kind, media_type in MEDIA_TYPES.items()}

_TEXT_EXTENSIONS = """
    txt text log rst adoc org tex bib srt vtt json jsonl ndjson yaml yml toml ini cfg conf properties env
    xml xsd xsl po py pyi pyx ipynb rb pl pm php lua r jl m sh bash zsh fish ps1 bat cmd awk sed c h cc
    cpp cxx hh hpp hxx cs java kt kts scala groovy gradle go rs swift mm zig nim d dart js mjs cjs jsx ts
    tsx vue svelte css scss sass less sql graphql gql proto hs ml mli elm ex exs erl hrl clj cljs lisp el
    scm f f90 for pas vb asm s v sv vhd tf hcl nix cmake mk diff patch dockerfile makefile
""".split()
_EXTENSIONS = {
    "pdf": Kind.PDF,
    "docx": Kind.DOCX,
    **dict.fromkeys(("html", "htm", "xhtml"), Kind.HTML),
    **dict.fromkeys(("csv", "tsv"), Kind.TABLE),
    **dict.fromkeys(("md", "markdown", "mdx"), Kind.MARKDOWN),
    **dict.fromkeys(_TEXT_EXTENSIONS, Kind.TEXT),
}
_WHOLE_NAMES = {"readme", "license", "licence", "copying", "authors", "changelog", "news", "notice", "todo"}
_WHOLE_NAMES |= {"makefile", "dockerfile", "gemfile", "rakefile", "procfile", "vagrantfile", "jenkinsfile"}

_ZIP = b"PK\x03\x04"
_OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_MARKS = {
    b"%PDF-": "a PDF",
    _ZIP: "a zip archive",
    b"PK\x05\x06": "an empty zip archive",
    _OLD_OFFICE: "an old Office file, or one with a password",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"GIF8": "a picture",
    b"II*\x00": "a picture",
    b"MM\x00*": "a picture",
    b"RIFF": "a picture or a recording",
    b"\x7fELF": "a program",
    b"\x1f\x8b": "a packed file",
    b"BZh": "a packed file",
    b"\xfd7zXZ": "a packed file",
    b"7z\xbc\xaf": "a packed file",
    b"Rar!": "a packed file",
    b"{\\rtf": "a rich text file",
    b"SQLite format 3": "a database",
}
_WIDE_TEXT_MARKS = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")


def kind_of(filename: str) -> Kind:
    """What a file says it is. Raises: InvalidInput saying what can be read."""
    stem, dot, extension = filename.lower().rpartition(".")
    if not dot and extension in _WHOLE_NAMES:
        return Kind.TEXT
    kind = _EXTENSIONS.get(extension) if dot else None
    if kind is None:
        what = f"“.{extension}” files" if stem else f"“{filename}”"
        raise InvalidInput(f"Parley cannot read {what}.", hint=f"It reads {READABLE}.")
    return kind


def check_head(filename: str, kind: Kind, head: bytes) -> None:
    """Is a file what its name says? `head` is its first `HEAD_BYTES`. Raises: InvalidInput saying what it is."""
    if not head:
        raise InvalidInput(f"{filename} is empty.")
    found = next((words for mark, words in _MARKS.items() if head.startswith(mark)), "")
    match kind:
        case Kind.PDF:
            is_good = b"%PDF-" in head[:HEAD_BYTES] and found in ("", "a PDF")
        case Kind.DOCX:
            is_good = head.startswith(_ZIP)
        case _:
            found = found or ("no text" if _is_binary(head) else "")
            is_good = not found
    if not is_good:
        raise InvalidInput(f"{filename} is not what its name says: it is {found or 'something else'}.")


def display_name(filename: str) -> str:
    """The name as it is shown: without folders, control characters and marks that turn the direction of writing."""
    letters = (" " if letter.isspace() else letter for letter in filename.replace("\\", "/"))
    shown = "".join(letter for letter in letters if unicodedata.category(letter)[0] != "C")
    name = re.sub(r"^[A-Za-z]:", "", shown.rstrip("/").rpartition("/")[2])
    name = " ".join(name.split())
    if not name.strip(". "):
        return "unnamed"
    extension = PurePosixPath(name).suffix[:20]
    return name if len(name) <= NAME_MAX_CHARS else name[: NAME_MAX_CHARS - len(extension)] + extension


def _is_binary(head: bytes) -> bool:
    return b"\x00" in head and not head.startswith(_WIDE_TEXT_MARKS)
