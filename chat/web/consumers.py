"""The WebSocket of an open page: it hears of runs that began elsewhere, and when they end."""

from __future__ import annotations

import asyncio
from typing import Any

from asgiref.sync import sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.conf import settings
from django.http import HttpRequest

from chat.http.actor import Guest
from chat.models import Actor, Conversation, Run
from chat.models.run import LIVE
from chat.runtime import get_runtime
from chat.web.news import group_of


class NewsConsumer(AsyncJsonWebsocketConsumer):
    """One page of one person. It only talks; what the page then fetches is checked like any request."""

    async def connect(self) -> None:
        """Join the person's group and watch the runs that live already."""
        self._watches: dict[int, asyncio.Task[None]] = {}
        actor = actor_of(self.scope)
        if actor is None:
            await self.close()
            return
        self._group = group_of(actor)
        await self.channel_layer.group_add(self._group, self.channel_name)
        await self.accept()
        for run in await sync_to_async(_live_runs)(actor):
            self._watch(run.pk, str(run.conversation_id))

    async def disconnect(self, _code: int) -> None:
        """Leave; runs do not notice."""
        if group := getattr(self, "_group", None):
            await self.channel_layer.group_discard(group, self.channel_name)
        for task in self._watches.values():
            task.cancel()

    async def receive(
        self, text_data: str | None = None, bytes_data: bytes | None = None, **_kwargs: Any
    ) -> None:
        """Pages have nothing to say here."""

    async def run_started(self, message: dict[str, Any]) -> None:
        """From the group."""
        await self._say(message["conversation"], message["run"])
        self._watch(message["run"], message["conversation"])

    async def list_changed(self, message: dict[str, Any]) -> None:
        """From the group."""
        await self._say(message["conversation"], None)

    def _watch(self, run_id: int, conversation_id: str) -> None:
        if run_id in self._watches:
            return
        task = asyncio.create_task(self._tell_end(run_id, conversation_id))
        self._watches[run_id] = task
        task.add_done_callback(lambda _: self._watches.pop(run_id, None))

    async def _tell_end(self, run_id: int, conversation_id: str) -> None:
        async for _ in get_runtime().log.follow(run_id):
            pass
        await self._say(conversation_id, None)

    async def _say(self, conversation_id: str, run_id: int | None) -> None:
        await self.send_json({"conversation": conversation_id, "run": run_id})


def actor_of(scope: dict[str, Any]) -> Actor | None:
    """Who opened the page; None for strangers."""
    user = scope["user"]
    if user.is_authenticated:
        return Actor(user=user)
    request = HttpRequest()
    request.COOKIES = scope["cookies"]
    guest = Guest.of(request)
    return Actor(guest_key=guest.key) if guest.is_known and settings.PARLEY_ACCESS == "open" else None


def _live_runs(actor: Actor) -> list[Run]:
    mine = Conversation.objects.visible_to(actor).kept()
    return list(Run.objects.filter(conversation__in=mine, status__in=LIVE))
