"""The parts of the chat page that change when something was posted, for htmx."""

from __future__ import annotations

from collections.abc import Sequence

from django.http import HttpResponse
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import escape

from chat.models import Actor, Conversation, Run
from chat.web.attachments import attachments_of
from chat.web.chat_page import live_context
from chat.web.partials import partial
from chat.web.sidebar import sidebar_of
from chat.web.transcript import Item, Transcript, transcript_of


def fragments(*partials: str, headers: dict[str, str] | None = None) -> HttpResponse:
    """All of them in one answer."""
    return HttpResponse("".join(partials), headers=headers)


def rendered(items: Sequence[Item]) -> str:
    """Messages in order."""
    return render_to_string("chat/_turn.html", {"items": items})


def log_partials(conversation: Conversation) -> list[str]:
    """The shown branch anew, its last messages, and what belongs to a reply that is being written."""
    transcript = transcript_of(conversation)
    html = render_to_string("chat/_earlier.html", {"conversation": conversation, "transcript": transcript})
    return [partial("#log", "innerHTML", html), *live_partials(transcript)]


def live_partials(transcript: Transcript) -> list[str]:
    """The status line and the Stop button for a reply that is being written."""
    live = live_context(transcript)
    action = "chat/_stop.html" if live["run_id"] else "chat/_send.html"
    return [
        partial("#status-text", "innerHTML", escape(live["status"])),
        partial("#announcement", "innerHTML", escape(live["announcement"])),
        partial("#composer-action", "innerHTML", render_to_string(action, live)),
        partial("#context", "innerHTML", render_to_string("chat/_context.html", {"usage": transcript.usage})),
        partial("#problem", "innerHTML", ""),
    ]


def attachments_partial(conversation: Conversation) -> list[str]:
    """The chips anew: pictures have gone along with a message."""
    html = render_to_string("chat/_attachments.html", {"attachments": attachments_of(conversation)})
    return [partial("#attachments", "outerMorph", html)]


def title_partials(conversation: Conversation) -> list[str]:
    """The conversation's title wherever the page shows it."""
    title = escape(str(conversation))
    return [
        partial("title", "textContent", f"{title} · Parley"),
        partial(".page-title", "textContent", title),
    ]


def sidebar_partial(actor: Actor, conversation: Conversation) -> str:
    """The list of conversations, with this one as the one on the page."""
    sidebar = sidebar_of(actor, conversation.pk)
    html = render_to_string("chat/_conversations.html", {"sidebar": sidebar})
    return partial("#conversations", "innerHTML", html)


def to_question(run: Run) -> HttpResponse:
    """The conversation's page, at the question that the run answers. See `to_message`."""
    return to_message(run.conversation, run.reply.parent_id)


def to_message(conversation: Conversation, message_id: int | None) -> HttpResponse:
    """The conversation's page, at a message. The reader comes by GET, so that a reload posts nothing."""
    response = redirect(f"{reverse('conversation', args=[conversation.pk])}#message-{message_id}")
    response.status_code = 303
    return response
