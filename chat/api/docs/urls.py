"""Routes."""

from __future__ import annotations

from django.urls import path

from chat.api.docs import views

urlpatterns = [
    path("api/openapi.json", views.openapi, name="openapi"),
    path("api/docs", views.docs, name="api_docs"),
]
