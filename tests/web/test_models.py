"""The models page: what is in the folder, in memory, and on the way from a hub on loopback."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import huggingface_hub
import pytest
from django.test import Client

from chat.models import Flow, User
from chat.runtime import Runtime, close_runtime, get_runtime
from tests.conftest import long_answers, wait_for_end, wait_until
from tests.engine.tiny_gguf import write_tiny_bert, write_tiny_gguf
from tests.hub.stand_in import PIECE_BYTES, StandIn
from tests.web.chatting import HTMX, start_chat

ClientOf = Callable[[User], Client]
REPO = "maker/Tiny-GGUF"
PULLED = "Tiny-Q4_K_M"


@pytest.fixture
def boss(transactional_db: None, client_of: ClientOf) -> Client:
    return client_of(User.objects.create_user("boss", password="a-long-password-4", is_staff=True))


@pytest.fixture
def hub(tiny_models_dir: Path) -> Iterator[StandIn]:
    content = (tiny_models_dir / "tiny.gguf").read_bytes()
    with StandIn({REPO: {"Tiny-Q4_K_M.gguf": content, "Tiny-Q8_0.gguf": content}}) as stand_in:
        yield stand_in
    huggingface_hub.close_session()


@pytest.fixture
def folder(settings: object, hub: StandIn, runtime: Runtime, tmp_path: Path, tiny_models_dir: Path) -> Path:
    """The runtime again on a models folder of our own, with the hub on loopback."""
    close_runtime()
    folder = tmp_path / "own-models"
    shutil.copytree(tiny_models_dir, folder)
    settings.PARLEY_MODELS_DIR = folder
    settings.PARLEY_HUB_URL = hub.url
    return folder


def page_of(browser: Client) -> str:
    response = browser.get("/models/")
    assert response.status_code == 200
    return response.content.decode()


def states_of(browser: Client) -> dict[str, str]:
    return {row.name: row.state for row in browser.get("/models/").context["rows"]}


class TestAccess:
    ADDRESSES = (
        "",
        "pull?name=maker/Tiny-GGUF",
        "pulls",
        "pulls/tiny/cancel",
        "pulls/tiny/go-on",
        "tiny/load",
        "tiny/unload",
        "tiny/remove",
    )

    @pytest.mark.parametrize("verb", ["get", "post"])
    @pytest.mark.parametrize("address", ADDRESSES)
    def test_for_an_outsider_the_pages_do_not_exist(
        self,
        folder: Path,
        hub: StandIn,
        charlie: User,
        client_of: ClientOf,
        address: str,
        verb: str,
    ) -> None:
        for browser in (Client(), client_of(charlie)):
            response = getattr(browser, verb)(f"/models/{address}", {"name": REPO})

            assert response.status_code in (404, 405)
        assert (folder / "tiny.gguf").exists()
        assert (get_runtime().registry.loaded(), hub.asked) == ({}, [])

    def test_what_changes_something_needs_the_token_of_our_own_page(self, folder: Path, boss: Client) -> None:
        strict = Client(enforce_csrf_checks=True)
        strict.cookies = boss.cookies

        for address in self.ADDRESSES[2:]:
            assert strict.post(f"/models/{address}", {"name": REPO}).status_code == 403
        assert (folder / "tiny.gguf").exists()

    def test_the_way_to_it_is_shown_to_staff_only(
        self, runtime: Runtime, boss: Client, charlie: User, client_of: ClientOf
    ) -> None:
        assert 'href="/models/"' in boss.get("/").content.decode()
        assert 'href="/models/"' not in client_of(charlie).get("/").content.decode()
        assert 'href="/models/"' not in client_of(charlie).get("/keys/").content.decode()

    def test_an_empty_chat_without_a_model_leads_staff_here(
        self, folder: Path, boss: Client, charlie: User, client_of: ClientOf
    ) -> None:
        (folder / "tiny.gguf").unlink()

        assert "Get a model" in boss.get("/").content.decode()
        html = client_of(charlie).get("/").content.decode()
        assert "There is no model yet" in html
        assert str(folder) not in html


class TestList:
    def test_it_shows_what_each_file_is(self, folder: Path, boss: Client) -> None:
        write_tiny_bert(folder / "small-bert.gguf")
        write_tiny_gguf(folder / "mute.gguf", template=None)
        (folder / "broken.gguf").write_bytes(b"GGUF<script>alert(1)</script>")

        html = page_of(boss)

        rows = {row.name: row for row in boss.get("/models/").context["rows"]}
        facts = {name: dict(row.facts) for name, row in rows.items()}
        assert facts["tiny"] | {"Size": "", "Parameters": ""} == {
            "Size": "",
            "Architecture": "llama",
            "Parameters": "",
            "Quantisation": "F32",
            "Context": "2,048 tokens",
            "Chat template": "its own",
            "Licence": "MIT",
        }
        assert facts["mute"]["Chat template"] == "none, a common one stands in"
        assert [rows[name].kind for name in ("tiny", "small-bert", "broken")] == ["Chat", "Search", ""]
        assert (rows["broken"].need, bool(rows["broken"].problem)) == (None, True)
        assert [name for name, row in rows.items() if row.is_default] == ["mute"]
        assert "<script>alert" not in html

    def test_memory_needed_stands_against_memory_there_is(self, folder: Path, boss: Client) -> None:
        (row,) = boss.get("/models/").context["rows"]

        kv_bytes = 4 * 2048 * (2 * 2 * (16 + 16) * 2)  # slots x tokens x layers x heads x (key + value) x f16
        assert (row.need.context_tokens, row.need.context_bytes) == (2048, kv_bytes)
        assert row.need.weights_bytes == (folder / "tiny.gguf").stat().st_size
        assert 0 < row.memory.available_bytes <= row.memory.limit_bytes
        assert row.fits
        assert "<meter" in page_of(boss)

    def test_odd_names_are_shown_and_can_be_removed(self, folder: Path, boss: Client) -> None:
        odd = "a#b?c %2f<b>é"
        shutil.copy(folder / "tiny.gguf", folder / f"{odd}.gguf")
        shutil.copy(folder / "tiny.gguf", folder / "b\udcff.gguf")

        html = page_of(boss)
        boss.post(f"/models/{quote(odd, safe='')}/remove")

        assert "<b>é" not in html
        assert not (folder / f"{odd}.gguf").exists()


class TestMemory:
    def test_a_model_is_loaded_and_unloaded(self, folder: Path, boss: Client) -> None:
        write_tiny_bert(folder / "small-bert.gguf")

        for name in ("tiny", "small-bert"):
            assert boss.post(f"/models/{name}/load").status_code == 302
        wait_until(lambda: states_of(boss) == {"tiny": "Loaded", "small-bert": "Loaded"})
        assert "hx-trigger" not in page_of(boss)
        for name in ("tiny", "small-bert"):
            boss.post(f"/models/{name}/unload")

        assert states_of(boss) == {"tiny": "", "small-bert": ""}

    @long_answers
    def test_a_model_that_writes_is_not_unloaded(self, folder: Path, boss: Client) -> None:
        run = start_chat(boss)
        wait_until(lambda: any(status.num_running for status in get_runtime().registry.status()))

        for verb in ("unload", "remove"):
            response = boss.post(f"/models/tiny/{verb}")

            assert response.status_code == 409
            assert "tiny is writing an answer" in response.content.decode()
        boss.post(f"/runs/{run.pk}/stop")
        assert wait_for_end(run).status != "failed"
        assert (folder / "tiny.gguf").exists()

    def test_an_unknown_model_is_told(self, folder: Path, boss: Client) -> None:
        response = boss.post("/models/nobody/load")

        assert "There is no model “nobody”" in response.content.decode()
        assert boss.get("/models/nobody/remove").status_code == 404


class TestRemoval:
    def test_it_asks_and_says_what_follows(self, folder: Path, boss: Client) -> None:
        Flow.objects.create(name="Clerk", model="tiny")

        html = boss.get("/models/tiny/remove").content.decode()

        assert "It is the only model to chat with" in html
        assert "These flows use it and cannot answer without: Clerk." in html
        assert (folder / "tiny.gguf").exists()

    def test_the_answer_deletes_the_file(self, folder: Path, boss: Client) -> None:
        boss.post("/models/tiny/load")

        assert boss.post("/models/tiny/remove").status_code == 302

        assert states_of(boss) == {}
        assert not (folder / "tiny.gguf").exists()
        assert get_runtime().registry.loaded() == {}

    @pytest.mark.parametrize("name", ["..%2f..%2fetc%2fpasswd", "tiny.gguf", "%2e%2e", "tiny%00"])
    def test_nothing_but_models_can_be_removed(self, folder: Path, boss: Client, name: str) -> None:
        assert boss.post(f"/models/{name}/remove").status_code in (404, 503)
        assert (folder / "tiny.gguf").exists()


class TestPull:
    def test_before_the_click_the_page_tells_what_will_come(
        self, folder: Path, hub: StandIn, boss: Client
    ) -> None:
        html = boss.get("/models/pull", {"name": REPO}).content.decode()

        assert f'name="name" value="{REPO}/{PULLED}.gguf"' in html
        assert "<meter" in html
        assert "Tiny-Q8_0" in html
        assert hub.downloads() == []

    def test_from_the_click_to_a_model_that_answers(self, folder: Path, boss: Client) -> None:
        (folder / "tiny.gguf").unlink()

        response = boss.post("/models/pulls", {"name": f"{REPO}/{PULLED}.gguf"})
        assert (response.status_code, response["Location"]) == (302, "/models/")
        wait_until(lambda: "Downloaded" in page_of(boss))

        assert states_of(boss) == {PULLED: ""}
        assert wait_for_end(start_chat(boss)).status == "done"
        boss.post(f"/models/pulls/{PULLED}/cancel")
        assert "Downloaded" not in page_of(boss)

    def test_the_bar_moves_and_cancel_leaves_nothing(self, folder: Path, hub: StandIn, boss: Client) -> None:
        hub.hold_at = PIECE_BYTES
        boss.post("/models/pulls", {"name": REPO})
        assert hub.holding.wait(20)

        fragment = boss.get("/models/", headers=HTMX).content.decode()
        assert fragment.startswith('<div id="models" hx-get="/models/"')
        assert 'hx-trigger="every 1s"' in fragment
        assert '<noscript><meta http-equiv="refresh"' in page_of(boss)
        boss.post(f"/models/pulls/{PULLED}/cancel")
        hub.go_on.set()

        wait_until(lambda: PULLED not in page_of(boss))
        assert [path.name for path in folder.iterdir()] == ["tiny.gguf"]

    def test_what_went_wrong_is_told_and_can_be_taken_up(
        self, folder: Path, hub: StandIn, boss: Client
    ) -> None:
        hub.claimed_hashes[f"{PULLED}.gguf"] = "0" * 64
        boss.post("/models/pulls", {"name": REPO})

        wait_until(lambda: "its checksum differs" in page_of(boss))
        assert "Stopped at 0 bytes of" in page_of(boss)
        assert f"/models/pulls/{PULLED}/go-on" in page_of(boss)
        boss.post(f"/models/pulls/{PULLED}/cancel")
        assert PULLED not in page_of(boss)

    @pytest.mark.parametrize(
        ("name", "words"),
        [
            ("", "Which model?"),
            ("<b>x</b>", "&lt;b&gt;x&lt;/b&gt;” names no model."),
            ("maker/Nothing", "There is no repository maker/Nothing on the hub"),
        ],
    )
    def test_a_wrong_name_is_told_beside_the_field(
        self, folder: Path, boss: Client, name: str, words: str
    ) -> None:
        for response in (
            boss.get("/models/pull", {"name": name}),
            boss.post("/models/pulls", {"name": name}),
        ):
            assert response.status_code == 400
            assert words in response.content.decode()

    def test_without_a_hub_nothing_is_offered(self, folder: Path, boss: Client, settings: object) -> None:
        settings.PARLEY_HUB_URL = ""
        close_runtime()

        assert "Downloads are switched off" in page_of(boss)
        assert boss.post("/models/pulls", {"name": REPO}).status_code == 400
