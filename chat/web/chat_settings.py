"""The settings of one chat: its assistant, its system prompt, its sampling. They count from the next answer on."""

from __future__ import annotations

import uuid
from typing import Any

from django import forms
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from chat.http.loaders import conversation_for
from chat.models import Conversation, Flow
from chat.web.flow_choice import flow_for, flows_for
from chat.web.flow_forms import SYSTEM_PROMPT_MAX_CHARS
from chat.web.news import tell_list_changed
from chat.web.requests import PageRequest
from chat.web.sampling_forms import SamplingFields


class ChatForm(SamplingFields):
    """What differs from the assistant's own settings."""

    flow = forms.ChoiceField(
        required=False,
        label="Assistant",
        error_messages={"invalid_choice": "There is no such assistant any more."},
    )
    system_prompt = forms.CharField(
        required=False,
        max_length=SYSTEM_PROMPT_MAX_CHARS,
        widget=forms.Textarea(attrs={"rows": 5}),
        help_text="Empty: the assistant’s own.",
    )

    def __init__(self, *args: Any, flows: list[Flow], **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["flow"].choices = [(str(flow.pk), flow.name) for flow in flows]  # type: ignore[attr-defined]


@require_http_methods(["GET", "HEAD", "POST"])
def chat_settings(request: PageRequest, conversation_id: uuid.UUID) -> HttpResponse:
    """The form, and its answer."""
    conversation = conversation_for(request.actor, conversation_id)
    form = ChatForm(request.POST or None, flows=flows_for(request.actor), initial=_initial(conversation))
    if request.method == "POST" and form.is_valid():
        conversation.flow = flow_for(request.actor, form.cleaned_data["flow"])
        conversation.system_prompt = form.cleaned_data["system_prompt"].replace("\x00", "")
        conversation.params = form.changed_sampling
        conversation.save(update_fields=["flow", "system_prompt", "params"])
        tell_list_changed(request.actor, conversation_id)
        response = redirect("conversation", conversation.pk)
        response.status_code = 303
        return response
    return render(request, "chat/settings.html", {"form": form, "conversation": conversation})


def _initial(conversation: Conversation) -> dict[str, Any]:
    return {
        "flow": str(conversation.flow_id or Flow.objects.default().pk),
        "system_prompt": conversation.system_prompt,
        **conversation.params,
    }
