"""`manage.py ingest`: the same from the command line."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from chat.models import Collection, Document
from chat.runtime import Runtime
from tests.retrieval.file_makers import pdf_of
from tests.retrieval.shelf import stored_files


def said(*words: str | Path) -> str:
    """What the command prints."""
    out = StringIO()
    call_command("ingest", *map(str, words), stdout=out)
    return out.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "papers"
    (folder / "more").mkdir(parents=True)
    (folder / ".git").mkdir()
    (folder / ".git" / "config.txt").write_text("hidden")
    (folder / "a.md").write_text("# Beacons\n\nThe lighthouse was built of limestone.")
    (folder / "more" / "b.pdf").write_bytes(pdf_of("A page"))
    (folder / "more" / "c.png").write_bytes(b"\x89PNG")
    return folder


def test_a_folder_goes_into_a_new_collection_and_a_running_server_finds_it(
    runtime: Runtime, folder: Path
) -> None:
    printed = said("Handbook", folder)

    handbook = Collection.objects.get(name="Handbook")
    assert printed == f"{folder / 'a.md'}: 1 passage\n{folder / 'more' / 'b.pdf'}: 1 passage\n"
    assert handbook.documents.count() == len(stored_files()) == 2
    assert [hit.title for hit in runtime.retriever.search([handbook.pk], "limestone", 5).hits] == ["a.md"]


def test_again_it_stores_nothing_twice(runtime: Runtime, folder: Path) -> None:
    first = said("Handbook", folder / "a.md")

    assert said("Handbook", folder / "a.md") == first
    assert Document.objects.count() == len(stored_files()) == 1


def test_what_fails_is_told_with_the_reason_and_the_rest_is_read(runtime: Runtime, folder: Path) -> None:
    (folder / "bad.pdf").write_bytes(pdf_of(""))
    out = StringIO()
    files = [folder / name for name in ("bad.pdf", "more/c.png", "a.md", "none.txt")]

    with pytest.raises(CommandError, match="3 of the files could not be read"):
        call_command("ingest", "Handbook", *map(str, files), stdout=out)

    lines = dict(line.split(": ", 1) for line in out.getvalue().splitlines())
    assert "holds only pictures" in lines[str(folder / "bad.pdf")]
    assert "cannot read “.png” files" in lines[str(folder / "more/c.png")]
    assert lines[str(folder / "none.txt")] == "No such file or directory"
    assert lines[str(folder / "a.md")] == "1 passage"


def test_a_collection_needs_a_name(runtime: Runtime, folder: Path) -> None:
    with pytest.raises(CommandError, match="1 to 80 characters"):
        said(" ", folder)
