"""Pulling from a hub on loopback: what arrives, what is taken up again, and what is told when it fails."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from chat.domain.errors import Conflict, NotFound
from chat.engine.checksums import known_checksums
from chat.engine.model_folder import ModelFolder
from chat.hub.plan import part_of
from chat.hub.table import PullTable
from tests.conftest import wait_until
from tests.hub.conftest import OpenTable
from tests.hub.pulling import FILE, NAME, REPO, ended, error_of, pulled
from tests.hub.stand_in import COMMIT, PIECE_BYTES, StandIn


class TestArrival:
    def test_the_model_is_there_under_its_name_and_nothing_else(
        self, hub: StandIn, table: PullTable, folder: Path
    ) -> None:
        status = pulled(table)

        assert (status.state, status.done_bytes, status.share) == ("finished", status.plan.size_bytes, 1)
        assert (folder / FILE).read_bytes() == hub.repos[REPO][FILE]
        assert sorted(path.name for path in folder.iterdir()) == ["SHA256SUMS", FILE]
        assert known_checksums(folder)[FILE] == hashlib.sha256(hub.repos[REPO][FILE]).hexdigest()
        assert ModelFolder(folder).find(NAME).file

    def test_before_it_begins_the_plan_tells_what_it_is(self, table: PullTable, folder: Path) -> None:
        plan = table.look_up(REPO)

        assert (plan.name, plan.commit, plan.license) == (NAME, COMMIT, "mit")
        assert [file.path for file in plan.files] == [FILE]
        assert [other.quantization for other in plan.others] == ["F16", "Q8_0"]
        assert table.look_up(plan.source) == plan
        assert not folder.exists()

    def test_a_split_model_appears_when_all_its_files_are_there(
        self, hub: StandIn, table: PullTable, folder: Path, tiny_bytes: bytes
    ) -> None:
        parts = [f"Big-Q8_0-0000{number}-of-00002.gguf" for number in (1, 2)]
        hub.repos["maker/Big"] = {f"Q8_0/{part}": tiny_bytes + part.encode() for part in parts}
        hub.breaks = [len(tiny_bytes) * 2, *[0] * 20]

        assert pulled(table, "maker/Big").state == "failed"
        assert ModelFolder(folder).scan() == []
        hub.breaks = []

        assert ended(table.go_on("Big-Q8_0")).state == "finished"
        assert sorted(path.name for path in folder.glob("*.gguf*")) == parts
        assert sorted(known_checksums(folder)) == parts

    def test_what_is_there_already_is_not_fetched_again(
        self, hub: StandIn, table: PullTable, folder: Path
    ) -> None:
        pulled(table)

        assert pulled(table).state == "finished"
        assert len(hub.downloads()) == 1

    def test_no_one_is_told_more_than_needed(self, hub: StandIn, open_table: OpenTable) -> None:
        hub.token = "hf_secret"
        hub.gated = {REPO}

        assert pulled(open_table(token="hf_secret")).state == "finished"

        assert {asked.authorization for asked in hub.asked if asked not in hub.downloads()} == {
            "Bearer hf_secret"
        }
        assert [asked.authorization for asked in hub.downloads()] == [None]
        assert not any("torch" in asked.user_agent for asked in hub.asked)


class TestBrokenConnections:
    def test_it_goes_on_from_the_byte_where_it_broke_off(
        self, hub: StandIn, table: PullTable, folder: Path
    ) -> None:
        hub.breaks = [2 * PIECE_BYTES, PIECE_BYTES]

        assert pulled(table).state == "finished"

        assert [asked.range for asked in hub.downloads()] == [
            None,
            f"bytes={2 * PIECE_BYTES}-",
            f"bytes={3 * PIECE_BYTES}-",
        ]
        assert (folder / FILE).read_bytes() == hub.repos[REPO][FILE]

    def test_a_server_without_ranges_sends_it_all_again(
        self, hub: StandIn, table: PullTable, folder: Path
    ) -> None:
        hub.breaks, hub.ignores_ranges = [2 * PIECE_BYTES], True

        status = pulled(table)

        assert (status.state, status.done_bytes) == ("finished", status.plan.size_bytes)
        assert (folder / FILE).read_bytes() == hub.repos[REPO][FILE]

    def test_when_nothing_comes_any_more_it_gives_up_and_keeps_what_is_there(
        self, hub: StandIn, table: PullTable, folder: Path
    ) -> None:
        hub.breaks = [PIECE_BYTES, *[0] * 20]

        assert "connection to the hub is lost" in error_of(table)[0]
        assert part_of(folder, table.look_up(REPO).files[0]).stat().st_size == PIECE_BYTES
        hub.breaks = []

        assert ended(table.go_on(NAME)).state == "finished"
        assert hub.downloads()[-1].range == f"bytes={PIECE_BYTES}-"


class TestRestart:
    def test_a_server_that_starts_goes_on(self, hub: StandIn, open_table: OpenTable, folder: Path) -> None:
        hub.hold_at = 2 * PIECE_BYTES
        before = open_table()
        before.start(before.look_up(REPO))
        assert hub.holding.wait(20)
        wait_until(lambda: before.statuses()[0].done_bytes == 2 * PIECE_BYTES)
        hub.hold_at = None
        hub.go_on.set()
        before.close()

        after = open_table()
        after.go_on_after_restart()

        wait_until(lambda: (folder / FILE).exists())
        assert hub.downloads()[-1].range is not None or len(hub.downloads()) == 1

    def test_what_a_command_left_behind_waits_for_a_person(
        self, hub: StandIn, open_table: OpenTable, folder: Path
    ) -> None:
        hub.breaks = [PIECE_BYTES, *[0] * 20]
        pulled(open_table(is_server=False))
        hub.breaks = []

        table = open_table()
        table.go_on_after_restart()

        (status,) = table.statuses()
        assert (status.state, status.done_bytes) == ("failed", PIECE_BYTES)
        assert status.error is not None
        assert "lost" in status.error.message
        table.cancel(NAME)
        assert (table.statuses(), list(folder.iterdir())) == ([], [])

    def test_a_part_of_another_version_is_not_taken_up(
        self, hub: StandIn, open_table: OpenTable, folder: Path, tiny_bytes: bytes
    ) -> None:
        hub.breaks = [PIECE_BYTES, *[0] * 20]
        pulled(open_table())
        hub.repos[REPO][FILE] = tiny_bytes + b"a newer version"
        hub.breaks = []

        assert pulled(open_table()).state == "finished"
        assert (folder / FILE).read_bytes().endswith(b"a newer version")
        assert hub.downloads()[-1].range is None


class TestOneAtATime:
    def test_the_same_model_is_pulled_once_and_cancelled_without_a_trace(
        self, hub: StandIn, open_table: OpenTable, folder: Path
    ) -> None:
        hub.hold_at = PIECE_BYTES
        table, other_process = open_table(), open_table()
        pull = table.start(table.look_up(REPO))
        assert hub.holding.wait(20)

        with pytest.raises(Conflict, match="is being downloaded already"):
            table.start(pull.plan)
        with pytest.raises(Conflict, match="is being downloaded already"):
            other_process.start(pull.plan)
        with pytest.raises(Conflict):
            other_process.cancel(NAME)
        assert [status.state for status in other_process.statuses()] == ["elsewhere"]
        assert [status.state for status in table.statuses()] == ["downloading"]

        table.cancel(NAME)
        hub.go_on.set()
        assert pull.wait(20)
        assert (table.statuses(), list(folder.iterdir())) == ([], [])

    def test_an_unknown_name_is_not_found(self, table: PullTable) -> None:
        with pytest.raises(NotFound):
            table.cancel("nobody")
        with pytest.raises(NotFound):
            table.go_on("nobody")
