"""LoRA adapters and the memory of models through the whole product: page, API, answers."""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from django.test import Client

from chat.domain.events import StatusChanged
from chat.engine.config import MIB
from chat.models import ApiKey, Flow, Run, User
from chat.runs.rounds import events_of
from chat.runtime import Runtime, close_runtime, get_runtime
from tests.conftest import long_answers, wait_for_end, wait_until
from tests.engine.tiny_adapter import write_tiny_adapter

ClientOf = Callable[[User], Client]


@pytest.fixture
def folder(settings: object, runtime: Runtime, tmp_path: Path, tiny_models_dir: Path) -> Path:
    """The runtime again on a model, an adapter for it and one for another."""
    close_runtime()
    folder = tmp_path / "own-models"
    shutil.copytree(tiny_models_dir, folder)
    write_tiny_adapter(folder / "pirate.gguf")
    write_tiny_adapter(folder / "strange.gguf", width=32)
    settings.PARLEY_MODELS_DIR = folder
    settings.PARLEY_TEMPERATURE = 0.0
    return folder


def ask(browser: Client, model: str) -> Run:
    browser.post("/", {"text": "Hello", "key": str(uuid.uuid4()), "model": model})
    return Run.objects.order_by("-pk").first()


def test_it_is_chosen_in_the_menu_and_written_down_with_the_answer(
    folder: Path, alice: User, client_of: ClientOf
) -> None:
    browser = client_of(alice)
    menu = browser.get("/").content.decode()

    plain, pirate = (wait_for_end(ask(browser, model)) for model in ("tiny", "tiny+pirate"))

    assert "<option>tiny+pirate</option>" in menu
    assert "strange" not in menu.partition("model-choice")[2].partition("</select>")[0]
    assert (plain.status, pirate.status) == ("done", "done")
    assert pirate.reply.text != plain.reply.text
    assert pirate.model == "tiny+pirate"
    assert [file["name"] for file in pirate.recipe["files"]] == ["tiny.gguf", "pirate.gguf"]
    assert list(get_runtime().registry.loaded()) == ["tiny"]


def test_programs_see_and_name_it(folder: Path, alice: User) -> None:
    client = Client(headers={"Authorization": f"Bearer {ApiKey.objects.issue(alice, 'test')[1]}"})

    def completion(model: str) -> str:
        body = {"model": model, "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 20}
        response = client.post("/v1/chat/completions", json.dumps(body), content_type="application/json")
        return response.json()["choices"][0]["message"]["content"]

    listed = {entry["id"]: entry for entry in client.get("/v1/models").json()["data"]}

    assert list(listed)[:2] == ["tiny", "tiny+pirate"]
    assert listed["tiny+pirate"]["parent_model"] == "tiny"
    assert client.get("/v1/models/tiny+pirate").json() == listed["tiny+pirate"]
    assert completion("tiny+pirate") != completion("tiny")
    refused = client.post(
        "/v1/chat/completions",
        json.dumps({"model": "tiny+strange", "messages": [{"role": "user", "content": "Hello"}]}),
        content_type="application/json",
    )
    assert "has another shape in this model" in refused.json()["error"]["message"]


def test_the_models_page_tells_with_which_models_it_goes(folder: Path, client_of: ClientOf) -> None:
    boss = client_of(User.objects.create_user("boss", password="a-long-password-4", is_staff=True))
    Flow.objects.create(name="Captain", model="tiny+pirate")

    rows = {row.name: row for row in boss.get("/models/").context["rows"]}
    warning = boss.get("/models/pirate/remove").content.decode()

    assert (rows["pirate"].kind, rows["pirate"].problem, rows["pirate"].need) == ("Adapter", "", None)
    assert dict(rows["pirate"].facts)["To be chosen as"] == "tiny+pirate"
    assert dict(rows["pirate"].facts)["Rank"] == "4"
    assert "for a model of the kind llama that is not here" in rows["strange"].problem
    assert "These flows use it and cannot answer without: Captain" in warning


@long_answers
def test_a_model_that_has_no_room_waits_and_says_so(
    settings: object, folder: Path, alice: User, client_of: ClientOf
) -> None:
    settings.PARLEY_MODEL_MEMORY = 140 * MIB
    shutil.copy(folder / "tiny.gguf", folder / "other.gguf")
    browser = client_of(alice)
    busy = ask(browser, "tiny")
    wait_until(lambda: any(status.num_running for status in get_runtime().registry.status()))

    waiting = ask(browser, "other")
    wait_until(lambda: get_runtime().registry.loaded().get("other") == "waiting")
    wait_until(lambda: "Waiting for memory" in browser.get(f"/c/{waiting.conversation_id}").content.decode())
    browser.post(f"/runs/{busy.pk}/stop")
    wait_for_end(busy)

    wait_until(lambda: get_runtime().registry.loaded() == {"other": "ready"})
    browser.post(f"/runs/{waiting.pk}/stop")
    assert wait_for_end(waiting).status != "error"
    assert StatusChanged("waiting") in [each.event for each in events_of(waiting)]


def test_a_model_that_can_never_have_room_is_refused_with_the_figures(
    settings: object, folder: Path, alice: User, client_of: ClientOf
) -> None:
    settings.PARLEY_MODEL_MEMORY = 100 * MIB

    run = wait_for_end(ask(client_of(alice), "tiny"))

    assert (run.status, run.error_code) == ("error", "out_of_memory")
    html = client_of(alice).get(f"/c/{run.conversation_id}").content.decode()
    assert "models may take 105 MB" in html
    assert "PARLEY_MODEL_MEMORY" in html
