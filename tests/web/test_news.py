"""The WebSocket that tells a person's other tabs that something began or ended."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.test import AsyncClient, Client

from chat.models import Actor, Run, User
from chat.runs.shelf import delete_many
from chat.runtime import Runtime
from chat.web.routing import websocket_application
from tests.conftest import wait_for_end
from tests.web.chatting import HTMX, finished_chat, url_of

ClientOf = Callable[[User], Client]
ORIGIN = b"http://localhost"


@asynccontextmanager
async def tab_of(client: Client, origin: bytes = ORIGIN) -> AsyncIterator[WebsocketCommunicator | None]:
    """A page that listens; None when it is turned away."""
    cookies = "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items())
    headers = [(b"origin", origin), (b"cookie", cookies.encode())]
    communicator = WebsocketCommunicator(websocket_application, "/news", headers=headers)
    is_connected, _ = await communicator.connect()
    yield communicator if is_connected else None
    await communicator.disconnect()


async def post(client: Client, path: str, **form: str) -> None:
    poster = AsyncClient()
    poster.cookies = client.cookies
    response = await poster.post(path, form)
    assert response.status_code == 303, response.content


def test_another_tab_hears_when_a_run_begins_and_when_it_ends(
    runtime: Runtime, alice: User, client_of: ClientOf
) -> None:
    client = client_of(alice)

    async def listen() -> list[dict[str, object]]:
        async with tab_of(client) as tab:
            await post(client, "/", text="Hello", key=str(uuid.uuid4()))
            return [await tab.receive_json_from(timeout=20) for _ in range(2)]

    began, ended = asyncio.run(listen())

    run = Run.objects.get()
    assert began == {"conversation": str(run.conversation_id), "run": run.pk}
    assert ended == {"conversation": str(run.conversation_id), "run": None}


def test_a_tab_opened_in_the_middle_hears_the_end(runtime: Runtime, alice: User, client_of: ClientOf) -> None:
    client = client_of(alice)

    async def listen() -> dict[str, object]:
        await post(client, "/", text="Hello", key=str(uuid.uuid4()))
        async with tab_of(client) as tab:
            await sync_to_async(wait_for_end)(await Run.objects.aget())
            return await tab.receive_json_from(timeout=20)

    assert asyncio.run(listen())["run"] is None


def test_nobody_hears_of_another_persons_chats(
    runtime: Runtime, alice: User, charlie: User, client_of: ClientOf
) -> None:
    outsider = client_of(charlie)

    async def listen() -> bool:
        async with tab_of(outsider) as tab:
            await post(client_of_alice, "/", text="Hello", key=str(uuid.uuid4()))
            return await tab.receive_nothing(timeout=1)

    client_of_alice = client_of(alice)

    assert asyncio.run(listen())


def test_strangers_and_foreign_pages_are_turned_away(
    runtime: Runtime, alice: User, client_of: ClientOf
) -> None:
    async def is_welcome(client: Client, origin: bytes = ORIGIN) -> bool:
        async with tab_of(client, origin) as tab:
            return tab is not None

    assert not asyncio.run(is_welcome(Client()))
    assert not asyncio.run(is_welcome(client_of(alice), b"https://evil.example"))
    assert asyncio.run(is_welcome(client_of(alice)))


def test_a_guest_hears_of_their_own(runtime: Runtime, client: Client) -> None:
    client.get("/")

    async def listen() -> dict[str, object]:
        async with tab_of(client) as tab:
            await post(client, "/", text="Hello", key=str(uuid.uuid4()))
            return await tab.receive_json_from(timeout=20)

    assert asyncio.run(listen())["run"] == Run.objects.get().pk


def test_another_tab_hears_of_versions_settings_and_deletions(
    runtime: Runtime, alice: User, client_of: ClientOf
) -> None:
    client = client_of(alice)
    run = finished_chat(client)
    version = f"/messages/{run.reply_id}"

    async def heard_of(path: str, **form: str) -> object:
        async with tab_of(client) as tab:
            await post(client, path, **form)
            return await tab.receive_json_from(timeout=20)

    for path, form in (
        (f"{version}/edit", {"text": "Other words"}),
        (f"{version}/show", {}),
        (f"{url_of(run)}/settings", {"system_prompt": "Be kind."}),
        (f"{url_of(run)}/rename", {"title": "Title"}),
        (f"{url_of(run)}/delete", {}),
    ):
        told = asyncio.run(heard_of(path, **form))
        assert told == {"conversation": str(run.conversation_id), "run": None}, path


def test_another_tab_hears_that_a_deletion_of_many_is_undone(
    runtime: Runtime, alice: User, client_of: ClientOf
) -> None:
    client = client_of(alice)
    run = finished_chat(client)
    moment = delete_many(runtime.runs, Actor(user=alice), [run.conversation_id])

    async def heard() -> object:
        async with tab_of(client) as tab:
            await post(client, "/chats/restore", deleted=moment.isoformat())
            return await tab.receive_json_from(timeout=20)

    assert asyncio.run(heard()) == {"conversation": str(run.conversation_id), "run": None}


class TestChanges:
    def test_a_page_that_is_behind_is_given_the_new_turn(
        self, runtime: Runtime, alice: User, client_of: ClientOf
    ) -> None:
        client = client_of(alice)
        first = finished_chat(client)
        client.post(f"{url_of(first)}/messages", {"text": "Next"})
        second = wait_for_end(Run.objects.order_by("-pk")[0])

        html = client.get(f"{url_of(first)}/changes?after={first.reply_id}", headers=HTMX).content.decode()

        assert html.startswith('<hx-partial hx-target="#log" hx-swap="beforeend">')
        assert html.count("<article") == 2
        assert f'id="message-{second.reply_id}"' in html

    def test_a_page_that_shows_a_replaced_answer_is_given_all(
        self, runtime: Runtime, alice: User, client_of: ClientOf
    ) -> None:
        client = client_of(alice)
        run = finished_chat(client)
        client.post(f"/messages/{run.reply_id}/regenerate")
        wait_for_end(Run.objects.order_by("-pk")[0])

        html = client.get(f"{url_of(run)}/changes?after={run.reply_id}", headers=HTMX).content.decode()

        assert '<hx-partial hx-target="#log" hx-swap="innerHTML">' in html
        assert f'id="message-{run.reply_id}"' not in html

    def test_a_page_that_lacks_nothing_is_told_the_title_alone(
        self, runtime: Runtime, alice: User, client_of: ClientOf
    ) -> None:
        client = client_of(alice)
        run = finished_chat(client)
        client.post(f"{url_of(run)}/rename", {"title": "A <b> title"})

        html = client.get(f"{url_of(run)}/changes?after={run.reply_id}", headers=HTMX).content.decode()

        assert html.count("<hx-partial") == 2
        assert 'hx-target=".page-title" hx-swap="textContent">A &lt;b&gt; title<' in html

    def test_a_page_that_shows_another_version_is_given_the_shown_one(
        self, runtime: Runtime, alice: User, client_of: ClientOf
    ) -> None:
        client = client_of(alice)
        run = finished_chat(client)
        client.post(f"/messages/{run.reply_id}/edit", {"text": "My own words"})

        html = client.get(f"{url_of(run)}/changes?after={run.reply_id}", headers=HTMX).content.decode()

        assert 'hx-target="#log" hx-swap="innerHTML">' in html
        assert "My own words" in html

    def test_a_page_of_a_deleted_chat_says_so(
        self, runtime: Runtime, alice: User, client_of: ClientOf
    ) -> None:
        client = client_of(alice)
        run = finished_chat(client)
        client.post(f"{url_of(run)}/delete")

        html = client.get(f"{url_of(run)}/changes?after={run.reply_id}", headers=HTMX).content.decode()

        assert html.startswith('<hx-partial hx-target="#problem"')
        assert "This chat was deleted" in html
        assert f'action="{url_of(run)}/restore"' in html

    def test_an_outsider_is_given_nothing(
        self, runtime: Runtime, alice: User, charlie: User, client_of: ClientOf
    ) -> None:
        run = finished_chat(client_of(alice))

        assert client_of(charlie).get(f"{url_of(run)}/changes").status_code == 404
