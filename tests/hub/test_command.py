"""`manage.py models`, on a folder of tiny models and a hub on loopback."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests.engine.tiny_gguf import BROKEN_TEMPLATE, write_tiny_bert, write_tiny_gguf
from tests.hub.stand_in import PIECE_BYTES, StandIn


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def our_folder(settings: Any, hub: StandIn, folder: Path, tmp_path: Path) -> None:
    settings.PARLEY_MODELS_DIR = folder
    settings.PARLEY_DATA_DIR = tmp_path
    settings.PARLEY_HUB_URL = hub.url


def said(*words: str, out: StringIO | None = None) -> str:
    out = out or StringIO()
    call_command("models", *words, stdout=out)
    return out.getvalue()


class TestList:
    def test_each_model_is_a_line_and_an_object(self, folder: Path) -> None:
        write_tiny_gguf(folder / "tiny.gguf")
        write_tiny_bert(folder / "small-bert.gguf")
        (folder / "broken.gguf").write_text("nothing")

        lines = said("list").splitlines()
        found = json.loads(said("list", "--json"))

        assert [line.split()[:2] for line in lines] == [
            ["broken", "unusable"],
            ["small-bert", "embedding"],
            ["tiny", "chat"],
        ]
        assert lines[0].endswith("broken.gguf is not a GGUF file.")
        assert (found[2]["architecture"], found[2]["quantization"], found[2]["has_template"]) == (
            "llama",
            "F32",
            True,
        )
        assert found[2]["memory_bytes"] > found[2]["size_bytes"]

    def test_an_absent_folder_is_empty(self) -> None:
        assert json.loads(said("list", "--json")) == []


class TestPull:
    def test_it_arrives_with_plain_lines(self, folder: Path) -> None:
        printed = said("pull", "maker/Tiny-GGUF")

        assert printed.splitlines()[0].startswith("Tiny-Q4_K_M from maker/Tiny-GGUF: ")
        assert printed.splitlines()[-1] == f"Tiny-Q4_K_M is in {folder}."
        assert "\r" not in printed
        assert (folder / "Tiny-Q4_K_M.gguf").exists()

    def test_a_terminal_gets_a_bar(self) -> None:
        assert "████ 100%" in said("pull", "maker/Tiny-GGUF", "--file", "Tiny-Q8_0.gguf", out=Terminal())

    def test_a_second_try_goes_on(self, hub: StandIn) -> None:
        hub.breaks = [PIECE_BYTES, *[0] * 20]
        with pytest.raises(CommandError, match="The connection to the hub is lost"):
            said("pull", "maker/Tiny-GGUF")
        hub.breaks = []

        assert "4 kB of it are there" in said("pull", "maker/Tiny-GGUF")
        assert hub.downloads()[-1].range == f"bytes={PIECE_BYTES}-"

    @pytest.mark.parametrize("name", ["nonsense", "maker/Nothing"])
    def test_a_wrong_name_ends_with_an_error(self, name: str) -> None:
        with pytest.raises(CommandError):
            said("pull", name)


class TestCheck:
    def test_good_models_say_a_word(self, folder: Path) -> None:
        write_tiny_gguf(folder / "tiny.gguf")
        write_tiny_bert(folder / "small-bert.gguf")

        assert said("check") == "small-bert: ok\ntiny: ok\n"

    def test_what_is_wrong_is_printed_and_counted(self, folder: Path) -> None:
        said("pull", "maker/Tiny-GGUF")
        with (folder / "Tiny-Q4_K_M.gguf").open("r+b") as file:
            file.seek(-10, 2)
            file.write(b"\xff")
        write_tiny_gguf(folder / "template.gguf", template=BROKEN_TEMPLATE)
        broken = write_tiny_gguf(folder / "weights.gguf")
        broken.write_bytes(broken.read_bytes().replace(b"blk.0.attn_q.weight", b"blk.0.attn_x.weight"))
        write_tiny_gguf(folder / "cut.gguf").write_bytes(b"GGUF")
        out = StringIO()

        with pytest.raises(CommandError, match="4 of them cannot be used"):
            said("check", out=out)

        lines = dict(line.split(": ", 1) for line in out.getvalue().splitlines())
        assert "has changed since it was downloaded" in lines["Tiny-Q4_K_M"]
        assert "template" in lines["template"]
        assert "ok" not in (lines["weights"], lines["cut"])

    def test_an_unknown_name_is_told(self, folder: Path) -> None:
        with pytest.raises(CommandError, match="There is no model “nobody”"):
            said("check", "nobody")


class TestRemove:
    def test_the_file_goes_and_so_does_its_checksum(self, folder: Path) -> None:
        said("pull", "maker/Tiny-GGUF")

        said("remove", "Tiny-Q4_K_M")

        assert list(folder.glob("*.gguf")) == []
        assert (folder / "SHA256SUMS").read_text() == ""

    def test_an_unknown_name_is_told(self) -> None:
        with pytest.raises(CommandError, match="There is no model"):
            said("remove", "../../etc/passwd")
