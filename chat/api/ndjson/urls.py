"""Routes."""

from __future__ import annotations

from django.urls import path

from chat.api.ndjson import views

urlpatterns = [
    path("v1/generate_response", views.generate_response, name="ndjson_generate"),
    path("v1/train", views.train, name="ndjson_train"),
]
