"""Documents and the collections that they are in."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Count, Model, QuerySet
from django.http import HttpRequest

from chat.admin.look_only import LookOnly
from chat.models import Chunk, Collection, Document, Placement
from chat.runtime import get_runtime


@admin.register(Collection)
class CollectionAdmin(LookOnly):
    """Whose they are; the server's own have a page."""

    list_display = ("__str__", "name", "who", "num_documents", "created_at")
    list_select_related = ("owner", "conversation")
    list_filter = (("name", admin.EmptyFieldListFilter), ("conversation", admin.EmptyFieldListFilter))
    search_fields = ("name", "owner__username", "conversation__title")
    ordering = ("-created_at",)
    fields = ("id", "name", "owner", "guest_key", "conversation", "num_documents", "version", "created_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Model]:
        """With the number of documents."""
        rows: QuerySet[Model] = super().get_queryset(request).annotate(num_documents=Count("placements"))
        return rows

    def delete_model(self, request: HttpRequest, obj: Collection) -> None:
        """With the documents that only it holds."""
        super().delete_model(request, obj)
        get_runtime().library.remove_orphans()

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Collection]) -> None:
        """The same for several."""
        super().delete_queryset(request, queryset)
        get_runtime().library.remove_orphans()

    @admin.display(description="owner")
    def who(self, collection: Collection) -> str:
        """The account's name, "guest", or "server"."""
        if collection.name is not None:
            return "server"
        return collection.owner.get_username() if collection.owner else "guest"

    @admin.display(description="documents", ordering="num_documents")
    def num_documents(self, collection: Any) -> int:
        """How many it holds."""
        number: int = collection.num_documents
        return number


@admin.register(Document)
class DocumentAdmin(LookOnly):
    """What there is and how far it is read; the texts are their owners' business."""

    list_display = ("filename", "status", "num_bytes", "num_pages", "num_chunks", "embedder", "created_at")
    list_filter = ("status", "media_type", "embedder")
    search_fields = ("filename", "=sha256")
    ordering = ("-created_at",)
    fields = (
        "id",
        "filename",
        "sha256",
        "media_type",
        "num_bytes",
        "num_pages",
        "status",
        "num_chunks",
        "num_indexed",
        "embedder",
        "error_message",
        "created_at",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Model]:
        """Without the texts, which may be long."""
        return super().get_queryset(request).defer("text")

    def has_delete_permission(self, *_args: Any) -> bool:
        """Never: a document goes with the last collection that holds it, and its file with it."""
        return False


@admin.register(Placement)
class PlacementAdmin(LookOnly):
    """Which document is in which collection."""

    list_display = ("document", "collection")
    list_select_related = ("document", "collection", "collection__conversation")
    search_fields = ("document__filename", "collection__name")
    ordering = ("-pk",)
    fields = ("document", "collection")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Model]:
        """Without the texts, which may be long."""
        return super().get_queryset(request).defer("document__text")


@admin.register(Chunk)
class ChunkAdmin(LookOnly):
    """The passages of documents; they come and go with them."""

    list_display = ("id", "document", "position", "start", "end", "page")
    list_select_related = ("document",)
    search_fields = ("document__filename",)
    ordering = ("-pk",)
    fields = ("document", "position", "start", "end", "page")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Model]:
        """Without the texts: they are their owners' business."""
        return super().get_queryset(request).defer("text", "document__text")

    def has_delete_permission(self, *_args: Any) -> bool:
        """Never: the index would not know."""
        return False
