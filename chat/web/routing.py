"""The one WebSocket address."""

from __future__ import annotations

from channels.auth import AuthMiddlewareStack
from channels.routing import URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.urls import path, re_path

from chat.http.limits import refuse_websocket
from chat.web.consumers import NewsConsumer

# Django's types know views only; without the second route Channels would write a traceback for each odd address.
_ROUTES = [
    path("news", NewsConsumer.as_asgi()),
    re_path("", refuse_websocket),  # type: ignore[arg-type]
]

websocket_application = AllowedHostsOriginValidator(AuthMiddlewareStack(URLRouter(_ROUTES)))
