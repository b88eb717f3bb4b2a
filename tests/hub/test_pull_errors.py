"""What is told when a model cannot be pulled, and that nothing wrong gets a name."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from chat.domain.errors import InvalidInput, PullFailed
from chat.hub.table import PullTable
from tests.hub.pulling import FILE, NAME, REPO, ended, error_of
from tests.hub.stand_in import StandIn


class TestErrors:
    def test_a_wrong_checksum(self, hub: StandIn, table: PullTable, folder: Path) -> None:
        hub.claimed_hashes[FILE] = "0" * 64

        assert "its checksum differs" in error_of(table)[0]
        assert list(folder.glob("*.gguf*")) == []

    def test_a_file_that_is_no_model_gets_no_name(self, hub: StandIn, table: PullTable, folder: Path) -> None:
        hub.repos[REPO][FILE] = b"#!/bin/sh\n" * 100

        assert "is not a GGUF file" in error_of(table)[0]
        assert list(folder.glob("*.gguf*")) == []

    def test_a_disk_that_is_too_small(self, hub: StandIn, table: PullTable, folder: Path) -> None:
        hub.claimed_sizes[FILE] = 10**16

        message, hint = error_of(table)

        assert message.startswith("The disk is too full: Tiny-Q4_K_M needs 10.0 PB, ")
        assert hint == "Remove a model, or choose a smaller one."
        assert not hub.downloads()

    def test_a_disk_that_fills_up_meanwhile(
        self, table: PullTable, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(_descriptor: int) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr("chat.hub.download.os.fsync", fail)

        assert error_of(table) == ("The disk is full.", "Make room, then go on.")
        monkeypatch.undo()
        assert ended(table.go_on(NAME)).state == "finished"

    def test_another_file_of_that_name(self, table: PullTable, folder: Path) -> None:
        folder.mkdir()
        (folder / FILE).write_bytes(b"mine")

        assert "There is another file named Tiny-Q4_K_M.gguf" in error_of(table)[0]
        assert (folder / FILE).read_bytes() == b"mine"

    def test_another_file_of_that_name_and_length(self, hub: StandIn, table: PullTable, folder: Path) -> None:
        folder.mkdir()
        (folder / FILE).write_bytes(bytes(len(hub.repos[REPO][FILE])))

        assert "There is another file named" in error_of(table)[0]

    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("maker/Nothing", "There is no repository maker/Nothing on the hub, or it is private."),
            ("maker/Tiny-GGUF/no.gguf", "maker/Tiny-GGUF has no file no.gguf."),
            ("maker/Tiny-GGUF:Q2_K", "maker/Tiny-GGUF has no model in Q2_K."),
        ],
    )
    def test_what_is_not_there(self, table: PullTable, name: str, message: str) -> None:
        assert error_of(table, name)[0] == message

    def test_a_gated_model_says_where_to_accept_its_terms(self, hub: StandIn, table: PullTable) -> None:
        hub.gated = {REPO}

        message, hint = error_of(table)

        assert message == "maker/Tiny-GGUF is given only to those who accepted its terms."
        assert f"{hub.url}/{REPO}" in hint
        assert "PARLEY_HUB_TOKEN" in hint

    @pytest.mark.parametrize(
        ("status", "words"), [(403, "refuses the token"), (429, "too many requests"), (503, "an error (503)")]
    )
    def test_a_hub_that_refuses(self, hub: StandIn, table: PullTable, status: int, words: str) -> None:
        hub.status = status

        assert words in error_of(table)[0]

    def test_something_else_than_a_hub(self, hub: StandIn, table: PullTable) -> None:
        hub.is_no_hub = True

        assert "is not a model hub" in error_of(table)[0]

    def test_no_network(self, folder: Path, hub: StandIn) -> None:
        table = PullTable(folder, "http://127.0.0.1:1")

        assert "The hub at http://127.0.0.1:1 cannot be reached" in error_of(table)[0]

    def test_a_folder_that_may_not_be_written_to(self, table: PullTable, folder: Path) -> None:
        folder.write_text("not a folder")

        assert "Writing failed" in error_of(table)[0]

    def test_a_hub_without_checksums(self, hub: StandIn, table: PullTable) -> None:
        hub.claimed_hashes[FILE] = ""

        assert "tells no checksum" in error_of(table)[0]

    def test_switched_off(self, folder: Path) -> None:
        assert error_of(PullTable(folder, ""))[0] == "Downloads are switched off."

    def test_a_name_that_is_none(self, table: PullTable) -> None:
        with pytest.raises(InvalidInput):
            table.look_up("../../etc/passwd")
        with pytest.raises((InvalidInput, PullFailed)):
            table.look_up("a--b/c..d")
