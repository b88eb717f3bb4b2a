"""Routes: those that clients of Flowise call, without slashes at the end."""

from __future__ import annotations

from django.urls import path, re_path

from chat.api.prediction import attachments, feedback, flows, messages, site, views

_FLOWISE = {"framing": "flowise"}
_NAMED = {"framing": "named"}

urlpatterns = [
    path("api/v1/prediction/<str:flow_id>", views.prediction, _FLOWISE, name="prediction"),
    path("api/v1/predictions/<str:flow_id>", views.prediction, _NAMED, name="predictions"),
    path("api/v1/prediction/<str:flow_id>/runs/<str:run_id>", views.resume, _FLOWISE, name="prediction_run"),
    path("api/v1/predictions/<str:flow_id>/runs/<str:run_id>", views.resume, _NAMED, name="predictions_run"),
    re_path(r"^api/v1/predictions?/?$", site.no_flow_named),
    path("api/v1/chatflows-streaming/<str:flow_id>", flows.is_streaming, name="chatflows_streaming"),
    path("api/v1/chatflows-uploads/<str:flow_id>", flows.uploads, name="chatflows_uploads"),
    path("api/v1/public-chatbotConfig/<str:flow_id>", flows.chatbot_config, name="chatbot_config"),
    path("api/v1/chatflows", flows.listed, name="chatflows"),
    path("api/v1/chatflows/<str:flow_id>", flows.one, name="chatflow"),
    path("api/v1/chatmessage/abort/<str:flow_id>/<path:chat_id>", messages.abort, name="chatmessage_abort"),
    path("api/v1/chatmessage/<str:flow_id>", messages.chat_messages, name="chatmessage"),
    path("api/v1/feedback/<str:feedback_or_flow_id>", feedback.feedback, name="feedback"),
    path("api/v1/attachments/<str:flow_id>/<path:chat_id>", attachments.attachments, name="attachments"),
    path("api/v1/ping", site.ping, name="ping"),
    path("api/v1/version", site.version, name="version"),
    re_path(r"^api/v1/(?P<rest>[\s\S]*)$", site.nothing_here),
]
