"""Routes."""

from __future__ import annotations

from django.urls import URLPattern, path, re_path

from chat.api.openai.chat import chat_completions
from chat.api.openai.completions import completions
from chat.api.openai.embeddings import embeddings
from chat.api.openai.models import model, models
from chat.api.openai.responses import responses
from chat.api.openai.unknown import unknown_path

urlpatterns: list[URLPattern] = [
    path("v1/chat/completions", chat_completions, name="openai_chat"),
    path("v1/completions", completions, name="openai_completions"),
    path("v1/responses", responses, name="openai_responses"),
    path("v1/embeddings", embeddings, name="openai_embeddings"),
    path("v1/models", models, name="openai_models"),
    path("v1/models/<path:name>", model, name="openai_model"),
]

# Stands behind the routes of all other APIs under /v1/.
unknown_urlpatterns: list[URLPattern] = [
    re_path(r"^v1/(?P<path>(?s:.*))\Z", unknown_path, name="openai_unknown")
]
