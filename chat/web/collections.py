"""The pages on which staff keep the server's collections: documents that flows draw on."""

from __future__ import annotations

import uuid
from typing import Any

from django import forms
from django.db.models import Count, F, Q, QuerySet, Sum
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.views.decorators.http import require_http_methods, require_POST

from chat.models import Collection, Document, DocumentStatus, Flow
from chat.models.documents import COLLECTION_NAME_MAX_CHARS, PENDING
from chat.runtime import get_runtime
from chat.web.attachments import upload_context
from chat.web.documents import add_files, remove_document
from chat.web.flows import for_staff
from chat.web.partials import partial
from chat.web.requests import PageRequest, is_htmx


class CollectionForm(forms.ModelForm):  # type: ignore[type-arg]
    """The name of a new collection, or another name for one."""

    name = forms.CharField(
        max_length=COLLECTION_NAME_MAX_CHARS,
        error_messages={"unique": "Another collection has this name already."},
    )

    class Meta:
        model = Collection
        fields = ("name",)


@require_http_methods(["GET", "HEAD", "POST"])
@for_staff
def collections(request: PageRequest) -> HttpResponse:
    """All of them with what they hold, and the form for a new one."""
    form = CollectionForm(request.POST or None)
    if form.is_valid():
        return redirect("collection", form.save().pk)
    counts = {
        "num_documents": Count("documents"),
        "num_bytes": Sum("documents__num_bytes", default=0),
        "num_pending": Count("documents", filter=Q(documents__status__in=PENDING)),
        "num_failed": Count("documents", filter=Q(documents__status=DocumentStatus.FAILED)),
    }
    rows = Collection.objects.named().annotate(**counts).order_by("name")
    return render(
        request, "collections/collections.html", {"here": "collections", "rows": rows, "form": form}
    )


@require_http_methods(["GET", "HEAD", "POST"])
@for_staff
def collection(request: PageRequest, collection_id: uuid.UUID) -> HttpResponse:
    """One collection with its documents; a POST gives it another name."""
    shown = _named(collection_id)
    form = CollectionForm(request.POST or None, instance=shown)
    if form.is_valid():
        form.save()
        return redirect("collection", shown.pk)
    context = {"here": "collections", "form": form, "flows": _flows_of(shown)}
    context |= {**_documents_context(shown), **upload_context()}
    return render(request, "collections/collection.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@for_staff
def collection_documents(request: PageRequest, collection_id: uuid.UUID) -> HttpResponse:
    """The list of a collection's documents, as a fragment, and more files for it."""
    shown = _named(collection_id)
    if request.method != "POST":
        return render(request, "collections/_documents.html", _documents_context(shown))
    add_files(request, shown)
    return _changed(request, shown)


@require_POST
@for_staff
def remove_from_collection(
    request: PageRequest, collection_id: uuid.UUID, document_id: uuid.UUID
) -> HttpResponse:
    """Take a document out."""
    shown = _named(collection_id)
    remove_document(shown, document_id)
    return _changed(request, shown)


@require_http_methods(["GET", "HEAD", "POST"])
@for_staff
def delete_collection(request: PageRequest, collection_id: uuid.UUID) -> HttpResponse:
    """The question whether to delete, and its answer."""
    shown = _named(collection_id)
    if request.method == "POST":
        shown.delete()
        get_runtime().library.remove_orphans()
        return redirect("collections")
    context = {"here": "collections", "collection": shown, "flows": _flows_of(shown)}
    return render(request, "collections/delete.html", context)


def _named(collection_id: uuid.UUID) -> Collection:
    """One of the server's. Raises: Http404, also for a person's."""
    found: Collection = get_object_or_404(Collection.objects.named(), pk=collection_id)
    return found


def _flows_of(shown: Collection) -> QuerySet[Flow]:
    return Flow.objects.filter(collection=shown)


def _documents_context(shown: Collection) -> dict[str, Any]:
    documents: list[Document] = list(shown.documents.defer("text").order_by(F("placements__added_at").desc()))
    return {
        "collection": shown,
        "documents": documents,
        "is_pending": any(document.is_pending for document in documents),
    }


def _changed(request: PageRequest, shown: Collection) -> HttpResponse:
    """The new list for the script, the collection's page for a form."""
    if not is_htmx(request):
        response = redirect("collection", shown.pk)
        response.status_code = 303
        return response
    html = render_to_string("collections/_documents.html", _documents_context(shown), request)
    return HttpResponse(partial("#documents", "outerMorph", html))
