"""The page's routes."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpResponseBase
from django.urls import path
from django.views.decorators.http import require_http_methods

from chat.web import conversations, flows, keys, messages, pages, runs
from chat.web.requests import PageRequest


@require_http_methods(["GET", "HEAD", "POST"])
def home(request: PageRequest) -> HttpResponseBase:
    """GET shows the empty chat, POST begins one."""
    view: Callable[[PageRequest], HttpResponseBase]
    view = messages.create_conversation if request.method == "POST" else pages.new_chat
    return view(request)


urlpatterns = [
    path("", home, name="home"),
    path("c/<uuid:conversation_id>", pages.conversation, name="conversation"),
    path("c/<uuid:conversation_id>/messages", messages.post_message, name="post"),
    path("c/<uuid:conversation_id>/changes", messages.changes, name="changes"),
    path("c/<uuid:conversation_id>/rename", conversations.rename, name="rename"),
    path("c/<uuid:conversation_id>/delete", conversations.delete, name="delete"),
    path("c/<uuid:conversation_id>/restore", conversations.restore, name="restore"),
    path("c/<uuid:conversation_id>/seen", pages.seen, name="seen"),
    path("messages/<int:message_id>/regenerate", messages.regenerate, name="regenerate"),
    path("messages/<int:message_id>/continue", messages.continue_message, name="continue"),
    path("runs/<int:run_id>/events", runs.events, name="run_events"),
    path("runs/<int:run_id>/stop", runs.stop, name="stop"),
    path("sidebar", pages.sidebar, name="sidebar"),
    path("theme", pages.theme, name="theme"),
    path("flows/", flows.flows, name="flows"),
    path("flows/new", flows.new_flow, name="new_flow"),
    path("flows/<uuid:flow_id>/", flows.edit_flow, name="flow"),
    path("flows/<uuid:flow_id>/delete", flows.delete_flow, name="delete_flow"),
    path("keys/", keys.keys, name="keys"),
    path("keys/<int:key_id>/revoke", keys.revoke_key, name="revoke_key"),
]
