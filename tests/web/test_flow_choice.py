"""Flows: taking one away, and choosing one for a new chat."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from chat.models import ApiKey, Conversation, Flow, Run, User
from chat.models.flow import DEFAULT_FLOW_ID
from chat.runtime import Runtime, close_runtime
from tests.conftest import wait_for_end
from tests.web.chatting import HTMX, finished_chat, url_of

ClientOf = Callable[[User], Client]
EVIL = "<script>alert(1)</script>"


@pytest.fixture
def boss(transactional_db: None, client_of: ClientOf) -> Client:
    return client_of(User.objects.create_user("boss", password="a-long-password-4", is_staff=True))


class TestDelete:
    def test_it_asks_and_then_deletes(self, runtime: Runtime, boss: Client) -> None:
        flow = Flow.objects.create(name="Clerk")

        assert "Delete Clerk?" in boss.get(f"/flows/{flow.pk}/delete").content.decode()
        response = boss.post(f"/flows/{flow.pk}/delete")

        assert response["Location"] == "/flows/"
        assert not Flow.objects.filter(pk=flow.pk).exists()

    def test_the_default_flow_can_be_edited_but_not_deleted(self, runtime: Runtime, boss: Client) -> None:
        flow = Flow.objects.default()

        assert boss.post(f"/flows/{flow.pk}/delete").status_code == 400
        boss.post(f"/flows/{flow.pk}/", {"name": "House", "all_tools": "on"})

        assert Flow.objects.get(pk=flow.pk).name == "House"
        assert "/delete" not in boss.get(f"/flows/{flow.pk}/").content.decode()

    def test_a_key_for_this_flow_alone_is_revoked_and_gains_nothing(
        self, runtime: Runtime, boss: Client, alice: User
    ) -> None:
        flow, other = Flow.objects.create(name="Clerk"), Flow.objects.create(name="Other")
        narrow, _ = ApiKey.objects.issue(alice, "narrow")
        wider, _ = ApiKey.objects.issue(alice, "wider")
        narrow.flows.set([flow])
        wider.flows.set([flow, other])

        assert "One API key is for this flow alone" in boss.get(f"/flows/{flow.pk}/delete").content.decode()
        boss.post(f"/flows/{flow.pk}/delete")

        narrow.refresh_from_db()
        wider.refresh_from_db()
        assert narrow.revoked_at is not None
        assert wider.revoked_at is None
        assert wider.covers(other)
        assert not wider.covers(Flow.objects.default())


class TestChoice:
    def test_a_single_flow_is_no_choice(self, runtime: Runtime, client: Client) -> None:
        assert 'name="flow" autocomplete' not in client.get("/").content.decode()

    def test_a_new_chat_offers_the_flows_with_the_default_chosen(
        self, runtime: Runtime, client: Client
    ) -> None:
        flow = Flow.objects.create(name="Clerk")
        html = client.get("/").content.decode()

        assert f'<option value="{DEFAULT_FLOW_ID}" selected>Parley</option>' in html
        assert f'<option value="{flow.pk}">Clerk</option>' in html

    def test_the_chosen_flow_answers(
        self, runtime: Runtime, client: Client, settings: Any, tiny_models_dir: Path, tmp_path: Path
    ) -> None:
        folder = tmp_path / "two-models"
        folder.mkdir()
        for name in ("first", "second"):
            shutil.copy(tiny_models_dir / "tiny.gguf", folder / f"{name}.gguf")
        settings.PARLEY_MODELS_DIR = folder
        close_runtime()
        flow = Flow.objects.create(name="Clerk", model="second")
        page = client.get("/").content.decode()

        client.post("/", {"text": "Hello", "flow": str(flow.pk), "model": ""})

        run = wait_for_end(Run.objects.get())
        assert '<option value="" selected>Assistant’s model</option>' in page
        assert (run.model, run.conversation.flow) == ("second", flow)

    def test_without_a_choice_the_default_flow_answers(self, runtime: Runtime, client: Client) -> None:
        run = finished_chat(client)

        assert run.conversation.flow_id == DEFAULT_FLOW_ID

    @pytest.mark.parametrize("flow_id", ["342f167e-d57b-4e43-8456-a56bebf0361b", "parley", "7c6f", "\x00"])
    def test_an_unknown_flow_is_refused_in_words(
        self, runtime: Runtime, client: Client, flow_id: str
    ) -> None:
        response = client.post("/", {"text": "Hello", "flow": flow_id}, headers=HTMX)

        assert response.status_code == 400
        assert "There is no such assistant." in response.content.decode()
        assert not Conversation.objects.exists()

    def test_a_guest_is_not_offered_a_flow_that_asks_for_a_key(
        self, runtime: Runtime, client: Client, alice: User, client_of: ClientOf
    ) -> None:
        flow = Flow.objects.create(name="Clerk", requires_key=True)

        assert "Clerk" not in client.get("/").content.decode()
        assert client.post("/", {"text": "Hello", "flow": str(flow.pk)}).status_code == 400
        assert "Clerk" in client_of(alice).get("/").content.decode()

    def test_starter_prompts_are_those_of_the_chosen_flow(self, runtime: Runtime, client: Client) -> None:
        flow = Flow.objects.create(name="Clerk", starter_prompts=["Which shoes?"])

        page = client.get("/").content.decode()
        chosen = client.get(f"/?flow={flow.pk}").content.decode()
        fragment = client.get(f"/?flow={flow.pk}", headers=HTMX).content.decode()

        assert "What can you do?" in page
        assert "Which shoes?" not in page
        assert f'<input type="hidden" name="flow" value="{flow.pk}">' in chosen
        assert "Which shoes?" in chosen
        assert fragment.startswith('<div id="empty"')
        assert "Which shoes?" in fragment

    def test_a_conversation_names_its_flow_and_offers_no_other(
        self, runtime: Runtime, client: Client
    ) -> None:
        flow = Flow.objects.create(name="Clerk")
        client.post("/", {"text": "Hello", "flow": str(flow.pk)})
        run = wait_for_end(Run.objects.get())

        html = client.get(url_of(run)).content.decode()

        assert "Clerk</span>" in html
        assert 'name="flow"' not in html

    def test_the_default_flow_needs_no_name(self, runtime: Runtime, client: Client) -> None:
        html = client.get(url_of(finished_chat(client))).content.decode()

        assert "Assistant: " not in html

    def test_a_conversation_outlives_its_flow(self, runtime: Runtime, client: Client, boss: Client) -> None:
        flow = Flow.objects.create(name="Clerk")
        client.post("/", {"text": "Hello", "flow": str(flow.pk)})
        run = wait_for_end(Run.objects.get())

        boss.post(f"/flows/{flow.pk}/delete")
        client.post(f"{url_of(run)}/messages", {"text": "Still there?"})

        assert wait_for_end(Run.objects.latest("pk")).status == "done"
