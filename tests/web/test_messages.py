"""Posting, stopping, retrying, renaming and deleting by HTTP, with and without scripts."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from chat.models import Conversation, Message, Run, RunStatus, User
from chat.runtime import Runtime, close_runtime
from tests.conftest import long_answers, wait_for_end, wait_until
from tests.web.chatting import HTMX, finished_chat, read_stream, start_chat, url_of

ClientOf = Callable[[User], Client]


class TestPosting:
    def test_without_scripts_a_first_post_leads_to_the_conversation(
        self, runtime: Runtime, alice: User, client_of: ClientOf
    ) -> None:
        response = client_of(alice).post("/", {"text": "Hello there", "key": str(uuid.uuid4())})

        conversation = Conversation.objects.get()
        question = Message.objects.get(role="user")
        assert response.status_code == 303
        assert response["Location"] == f"/c/{conversation.pk}#message-{question.pk}"
        assert conversation.title == "Hello there"

    def test_with_htmx_a_first_post_turns_the_page(
        self, runtime: Runtime, alice: User, client_of: ClientOf
    ) -> None:
        response = client_of(alice).post("/", {"text": "Hello there"}, headers=HTMX)

        html = response.content.decode()
        run = Run.objects.get()
        assert response["HX-Push-Url"] == f"/c/{run.conversation_id}"
        assert f'hx-sse:connect="/runs/{run.pk}/events?after=' in html
        assert "Hello there · Parley" in html
        assert 'hx-target="#conversations"' in html

    def test_with_htmx_a_later_post_adds_a_turn(
        self, runtime: Runtime, alice: User, client_of: ClientOf
    ) -> None:
        client = client_of(alice)
        run = finished_chat(client)

        html = client.post(f"{url_of(run)}/messages", {"text": "And then?"}, headers=HTMX).content.decode()

        assert html.startswith('<hx-partial hx-target="#log" hx-swap="beforeend">')
        assert html.count("<article") == 2
        assert 'aria-label="Stop"' in html

    def test_another_model_can_answer_from_the_next_message_on(
        self, runtime: Runtime, client: Client, settings: Any, tiny_models_dir: Path, tmp_path: Path
    ) -> None:
        folder = tmp_path / "two-models"
        folder.mkdir()
        for name in ("first", "second"):
            shutil.copy(tiny_models_dir / "tiny.gguf", folder / f"{name}.gguf")
        settings.PARLEY_MODELS_DIR = folder
        close_runtime()
        run = finished_chat(client)

        client.post(f"{url_of(run)}/messages", {"text": "And you?", "model": "second"})
        html = client.get(url_of(run)).content.decode()

        answered = [wait_for_end(run).model for run in Run.objects.order_by("pk")]
        assert answered == ["first", "second"]
        assert "<option selected>second</option>" in html

    def test_the_same_form_twice_is_one_message(
        self, runtime: Runtime, alice: User, client_of: ClientOf
    ) -> None:
        client, form = client_of(alice), {"text": "Hello", "key": str(uuid.uuid4())}

        first, second = client.post("/", form), client.post("/", form)

        assert first["Location"] == second["Location"]
        assert Message.objects.filter(role="user").count() == 1

    @long_answers
    def test_a_second_message_while_one_is_answered_is_refused_in_place(
        self, runtime: Runtime, alice: User, client_of: ClientOf
    ) -> None:
        client = client_of(alice)
        run = start_chat(client)

        response = client.post(f"{url_of(run)}/messages", {"text": "Hurry"}, headers=HTMX)
        runtime.runs.cancel(run)

        assert response.status_code == 409
        assert response.content.decode().startswith('<hx-partial hx-target="#problem"')

    @long_answers
    def test_without_scripts_a_refused_text_is_given_back(
        self, runtime: Runtime, alice: User, client_of: ClientOf
    ) -> None:
        client = client_of(alice)
        run = start_chat(client)

        response = client.post(f"{url_of(run)}/messages", {"text": "My <precious> words"})
        runtime.runs.cancel(run)

        assert response.status_code == 409
        assert "My &lt;precious&gt; words" in response.content.decode()

    @pytest.mark.parametrize("text", ["", "  \n ", "x" * 100_001])
    def test_an_empty_or_endless_message_is_refused(
        self, runtime: Runtime, alice: User, client_of: ClientOf, text: str
    ) -> None:
        assert client_of(alice).post("/", {"text": text}, headers=HTMX).status_code == 400

    def test_a_get_cannot_post(self, runtime: Runtime, alice: User, client_of: ClientOf) -> None:
        client = client_of(alice)
        run = finished_chat(client)

        assert client.get(f"{url_of(run)}/messages?text=Hi").status_code == 405

    @pytest.mark.parametrize("path", ["/", "/theme", "/runs/1/stop", "/messages/1/continue"])
    def test_a_forged_post_is_refused(self, runtime: Runtime, path: str) -> None:
        assert Client(enforce_csrf_checks=True).post(path, {"text": "Hi", "theme": "dark"}).status_code == 403


class TestStream:
    def test_it_brings_what_the_page_shows_after_a_reload(
        self, runtime: Runtime, alice: User, client_of: ClientOf
    ) -> None:
        client = client_of(alice)
        run = start_chat(client)

        response, text = read_stream(client, f"/runs/{run.pk}/events?after=0")

        assert response["Content-Type"] == "text/event-stream"
        assert response["Content-Encoding"] == "identity"
        assert response["X-Accel-Buffering"] == "no"
        assert "no-transform" in response["Cache-Control"]
        assert text.endswith("event: done\ndata: \n\n")

    def test_a_reader_who_has_seen_the_end_is_told_to_close(
        self, runtime: Runtime, alice: User, client_of: ClientOf
    ) -> None:
        client = client_of(alice)
        run = finished_chat(client)
        last_seq = run.events.order_by("-seq").first().seq

        _, text = read_stream(client, f"/runs/{run.pk}/events?after=0", {"Last-Event-ID": str(last_seq)})

        assert text == "event: done\ndata: \n\n"

    def test_reading_changes_nothing(self, runtime: Runtime, alice: User, client_of: ClientOf) -> None:
        client = client_of(alice)
        run = finished_chat(client)
        before = Run.objects.count(), run.events.count()

        read_stream(client, f"/runs/{run.pk}/events")

        assert (Run.objects.count(), run.events.count()) == before

    def test_another_persons_stream_does_not_exist(
        self, runtime: Runtime, alice: User, charlie: User, client_of: ClientOf
    ) -> None:
        run = finished_chat(client_of(alice))

        response, text = read_stream(client_of(charlie), f"/runs/{run.pk}/events")

        assert response.status_code == 404
        assert "hx-partial" not in text


class TestStop:
    @long_answers
    def test_stop_keeps_the_text_and_offers_to_go_on(
        self, runtime: Runtime, alice: User, client_of: ClientOf
    ) -> None:
        client = client_of(alice)
        run = start_chat(client)
        wait_until(lambda: any("text" in event.kind for event in run.events.all()))

        response = client.post(f"/runs/{run.pk}/stop", headers=HTMX)
        run = wait_for_end(run)

        assert response.status_code == 204
        html = client.get(url_of(run)).content.decode()
        assert run.status == RunStatus.STOPPED
        assert "Stopped" in html
        assert f"/messages/{run.reply_id}/continue" in html

    def test_stopping_what_has_ended_is_no_error(
        self, runtime: Runtime, alice: User, client_of: ClientOf
    ) -> None:
        client = client_of(alice)
        run = finished_chat(client)

        assert client.post(f"/runs/{run.pk}/stop").status_code == 303

    def test_another_persons_answer_cannot_be_stopped(
        self, runtime: Runtime, alice: User, charlie: User, client_of: ClientOf
    ) -> None:
        run = start_chat(client_of(alice))

        assert client_of(charlie).post(f"/runs/{run.pk}/stop").status_code == 404
        assert wait_for_end(run).status == RunStatus.DONE


class TestRetry:
    def test_retry_shows_a_new_answer_and_keeps_the_old_as_another_version(
        self, runtime: Runtime, alice: User, client_of: ClientOf
    ) -> None:
        client = client_of(alice)
        run = finished_chat(client)

        html = client.post(f"/messages/{run.reply_id}/regenerate", headers=HTMX).content.decode()

        new = Run.objects.order_by("-pk").first()
        assert new.reply_id != run.reply_id
        assert html.startswith('<hx-partial hx-target="#log" hx-swap="innerHTML">')
        assert f'id="message-{new.reply_id}"' in html
        assert f'id="message-{run.reply_id}"' not in html
        assert "2/2" in html

    def test_continue_goes_on_in_the_same_message(
        self, runtime: Runtime, alice: User, client_of: ClientOf
    ) -> None:
        client = client_of(alice)
        run = finished_chat(client)
        written = run.reply.text

        response = client.post(f"/messages/{run.reply_id}/continue")
        new = wait_for_end(Run.objects.order_by("-pk").first())

        assert response.status_code == 303
        assert new.reply_id == run.reply_id
        assert new.reply.text.startswith(written)


class TestRenameAndDelete:
    def test_a_new_title_shows_in_the_list_and_on_the_page(
        self, runtime: Runtime, alice: User, client_of: ClientOf
    ) -> None:
        client = client_of(alice)
        run = finished_chat(client)
        here = HTMX | {"HX-Current-URL": f"http://testserver{url_of(run)}"}

        html = client.post(
            f"{url_of(run)}/rename", {"title": "  A <new> title "}, headers=here
        ).content.decode()

        assert Conversation.objects.get().title == "A <new> title"
        assert '<hx-partial hx-target="title" hx-swap="textContent">A &lt;new&gt; title · Parley' in html
        assert 'aria-current="page"' in html

    def test_an_empty_title_is_refused(self, runtime: Runtime, alice: User, client_of: ClientOf) -> None:
        client = client_of(alice)
        run = finished_chat(client)

        assert client.post(f"{url_of(run)}/rename", {"title": " "}).status_code == 400

    def test_deleting_asks_first_and_can_be_undone(
        self, runtime: Runtime, alice: User, client_of: ClientOf
    ) -> None:
        client = client_of(alice)
        run = finished_chat(client)

        question = client.get(f"{url_of(run)}/delete").content.decode()
        deleted = client.post(f"{url_of(run)}/delete")
        gone = client.get(url_of(run))
        offered = client.get(deleted["Location"]).content.decode()
        restored = client.post(f"{url_of(run)}/restore")

        assert "Delete this chat?" in question
        assert gone.status_code == 404
        assert "Undo" in offered
        assert client.get(restored["Location"]).status_code == 200

    def test_with_htmx_the_current_chat_leaves_for_a_new_one(
        self, runtime: Runtime, alice: User, client_of: ClientOf
    ) -> None:
        client = client_of(alice)
        run = finished_chat(client)
        here = HTMX | {"HX-Current-URL": f"http://testserver{url_of(run)}"}
        elsewhere = HTMX | {"HX-Current-URL": "http://testserver/"}

        away = client.post(f"{url_of(run)}/delete", headers=here)
        client.post(f"{url_of(run)}/restore")
        stays = client.post(f"{url_of(run)}/delete", headers=elsewhere)

        assert away["HX-Redirect"] == f"/?deleted={run.conversation_id}"
        assert 'hx-target="#toast"' in stays.content.decode()
