"""The page's routes."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpResponseBase
from django.urls import path
from django.views.decorators.http import require_http_methods

from chat.web import (
    account_data,
    branches,
    chat_settings,
    chats,
    collections,
    conversations,
    details,
    documents,
    downloads,
    feedback,
    flows,
    keys,
    messages,
    model_pages,
    numbers,
    pages,
    palette,
    review,
    runs,
    shared,
    shares,
    shelf,
)
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
    path("c/<uuid:conversation_id>/settings", chat_settings.chat_settings, name="chat_settings"),
    path("c/<uuid:conversation_id>/export.json", downloads.export_json, name="export_json"),
    path("c/<uuid:conversation_id>/export.md", downloads.export_markdown, name="export_markdown"),
    path("c/<uuid:conversation_id>/delete", conversations.delete, name="delete"),
    path("c/<uuid:conversation_id>/restore", conversations.restore, name="restore"),
    path("c/<uuid:conversation_id>/seen", pages.seen, name="seen"),
    path(
        "c/<uuid:conversation_id>/attachments",
        documents.conversation_attachments,
        name="conversation_attachments",
    ),
    path("attachments/", documents.attach_to_new, name="new_attachments"),
    path("attachments/<uuid:collection_id>/", documents.attachments, name="attachments"),
    path(
        "attachments/<uuid:collection_id>/<uuid:document_id>/remove",
        documents.remove_attachment,
        name="remove_attachment",
    ),
    path("documents/<uuid:document_id>", documents.document, name="document"),
    path("documents/<uuid:document_id>/file", documents.download, name="document_file"),
    path("c/<uuid:conversation_id>/share", shares.share, name="share"),
    path("links/", shares.links, name="links"),
    path("links/<int:link_id>", shares.share_link, name="share_link"),
    path("links/<int:link_id>/revoke", shares.revoke_link, name="revoke_link"),
    path("s/<str:token>", shared.shared, name="shared"),
    path("s/<str:token>/events", shared.shared_events, name="shared_events"),
    path("s/<str:token>/continue", shared.continue_shared, name="continue_shared"),
    path("messages/<int:message_id>", branches.message, name="message"),
    path("messages/<int:message_id>/edit", branches.edit, name="edit"),
    path("messages/<int:message_id>/show", branches.show, name="show_version"),
    path("messages/<int:message_id>/good", feedback.rate_answer, {"rating": "up"}, name="rate_good"),
    path("messages/<int:message_id>/bad", feedback.rate_answer, {"rating": "down"}, name="rate_bad"),
    path("messages/<int:message_id>/take-back", feedback.take_rating_back, name="take_rating_back"),
    path("messages/<int:message_id>/why", feedback.why, name="why"),
    path("messages/<int:message_id>/fork", branches.fork_message, name="fork"),
    path("messages/<int:message_id>/regenerate", messages.regenerate, name="regenerate"),
    path("messages/<int:message_id>/details", details.details, name="details"),
    path("messages/<int:message_id>/continue", messages.continue_message, name="continue"),
    path("runs/<int:run_id>/events", runs.events, name="run_events"),
    path("runs/<int:run_id>/stop", runs.stop, name="stop"),
    path("runs/<int:run_id>/replay", details.replay, name="replay"),
    path("runs/<int:run_id>/again", details.again, name="again"),
    path("runs/<int:run_id>/calls/<str:call_id>/approve", runs.approve, name="approve"),
    path("runs/<int:run_id>/calls/<str:call_id>/deny", runs.deny, name="deny"),
    path("c/<uuid:conversation_id>/pin", shelf.pin, name="pin"),
    path("c/<uuid:conversation_id>/unpin", shelf.unpin, name="unpin"),
    path("c/<uuid:conversation_id>/archive", shelf.archive, name="archive"),
    path("c/<uuid:conversation_id>/unarchive", shelf.unarchive, name="unarchive"),
    path("c/<uuid:conversation_id>/tags", shelf.tags, name="tags"),
    path("chats/", chats.chats, name="chats"),
    path("chats/delete", chats.delete_chosen, name="delete_chosen"),
    path("chats/restore", chats.restore_deleted, name="restore_deleted"),
    path("search", chats.search, name="search"),
    path("palette", palette.palette, name="palette"),
    path("palette/found", palette.entries, name="palette_entries"),
    path("shortcuts", palette.shortcuts, name="shortcuts"),
    path("sidebar", pages.sidebar, name="sidebar"),
    path("theme", pages.theme, name="theme"),
    path("flows/", flows.flows, name="flows"),
    path("flows/new", flows.new_flow, name="new_flow"),
    path("flows/<uuid:flow_id>/", flows.edit_flow, name="flow"),
    path("flows/<uuid:flow_id>/delete", flows.delete_flow, name="delete_flow"),
    path("collections/", collections.collections, name="collections"),
    path("collections/<uuid:collection_id>/", collections.collection, name="collection"),
    path(
        "collections/<uuid:collection_id>/documents",
        collections.collection_documents,
        name="collection_documents",
    ),
    path(
        "collections/<uuid:collection_id>/documents/<uuid:document_id>/remove",
        collections.remove_from_collection,
        name="remove_from_collection",
    ),
    path("collections/<uuid:collection_id>/delete", collections.delete_collection, name="delete_collection"),
    path("models/", model_pages.models, name="models"),
    path("models/pull", model_pages.plan_pull, name="plan_pull"),
    path("models/pulls", model_pages.begin_pull, name="begin_pull"),
    path("models/pulls/<str:name>/cancel", model_pages.cancel_pull, name="cancel_pull"),
    path("models/pulls/<str:name>/go-on", model_pages.go_on_with_pull, name="go_on_with_pull"),
    path("models/<str:name>/load", model_pages.load_model, name="load_model"),
    path("models/<str:name>/unload", model_pages.unload_model, name="unload_model"),
    path("models/<str:name>/remove", model_pages.remove_model, name="remove_model"),
    path("review/", review.queue, name="review_queue"),
    path("review/numbers", numbers.numbers, name="numbers"),
    path("review/numbers.csv", numbers.numbers_csv, name="numbers_csv"),
    path("review/audit", review.audit_log, name="audit_log"),
    path("review/<uuid:conversation_id>", review.review, name="review"),
    path("review/<uuid:conversation_id>/status", review.review_status, name="review_status"),
    path("review/<uuid:conversation_id>/notes", review.review_note, name="review_note"),
    path("account/data", account_data.account_data, name="account_data"),
    path("account/export.json", downloads.export_all_json, name="export_all_json"),
    path("account/export.zip", downloads.export_all_markdown, name="export_all_markdown"),
    path("account/import", account_data.import_file, name="import_file"),
    path("account/delete", account_data.leave, name="leave"),
    path("keys/", keys.keys, name="keys"),
    path("keys/<int:key_id>/revoke", keys.revoke_key, name="revoke_key"),
]
