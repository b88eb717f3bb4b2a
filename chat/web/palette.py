"""The command palette, which finds chats and pages by what one types, and the sheet of shortcuts."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from chat.web.finding import find
from chat.web.requests import PageRequest, current_conversation_id, is_htmx

THEMES = {"light": "Light theme", "dark": "Dark theme", "system": "Theme of the system"}

OF_A_CHAT = (
    ("Share this chat", "share"),
    ("Settings of this chat", "chat_settings"),
    ("Tags of this chat", "tags"),
)

# Ctrl is Cmd on a Mac. The keys are bound in static/js; what a browser needs itself (R, T, W, L) is left alone.
SHORTCUTS = (
    ("Everywhere", (
        ("Ctrl+K", "Find a chat or a command"),
        ("Ctrl+/", "This list"),
        ("Ctrl+Shift+O", "New chat"),
        ("Ctrl+Shift+S", "Open or close the sidebar"),
        ("Ctrl+Shift+;", "Copy the last code"),
        ("Esc", "Close what is open; else stop the answer"),
    )),
    ("Writing", (
        ("Enter", "Send"),
        ("Shift+Enter", "New line"),
        ("↑", "Edit the last question, where nothing is written yet"),
    )),
    ("At the beginning of a word", (
        ("/", "A prompt, in an empty message"),
        ("@", "Another model or assistant"),
        ("#", "A document of another chat"),
    )),
    ("In a list", (
        ("↓ ↑", "Next, previous"),
        ("Enter", "Open"),
        ("Double click", "Rename the open chat"),
    )),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Command:
    """A page to go to."""

    name: str
    url: str


@require_safe
def palette(request: PageRequest) -> HttpResponse:
    """The dialog, with all commands."""
    return render(request, "chat/_palette.html", _entries(request))


@require_safe
def entries(request: PageRequest) -> HttpResponse:
    """The dialog's list for the words that were typed."""
    return render(request, "chat/_palette_entries.html", _entries(request))


@require_safe
def shortcuts(request: PageRequest) -> HttpResponse:
    """All shortcuts: a dialog for htmx, a page for others."""
    template = "chat/_shortcuts.html" if is_htmx(request) else "chat/shortcuts.html"
    return render(request, template, {"shortcut_groups": SHORTCUTS})


def _entries(request: PageRequest) -> dict[str, object]:
    query = request.GET.get("q", "")
    words = query.casefold().split()
    return {
        "found": find(request.actor, query),
        "commands": [each for each in _commands(request) if _has(each.name, words)],
        "themes": {theme: name for theme, name in THEMES.items() if _has(name, words)},
    }


def _has(name: str, words: list[str]) -> bool:
    return all(word in name.casefold() for word in words)


def _commands(request: PageRequest) -> list[Command]:
    common = [("New chat", "home"), ("All chats", "chats"), ("Keyboard shortcuts", "shortcuts")]
    common += [("Shared links", "links"), ("Your data", "account_data")]
    own = [("API keys", "keys")]
    for_staff = [
        ("Models", "models"),
        ("Flows", "flows"),
        ("Collections", "collections"),
        ("Review", "review_queue"),
        ("Numbers", "numbers"),
        ("Engine", "engine"),
        ("Audit log", "audit_log"),
    ]
    user = request.actor.user
    names = [*common, *(own if user else []), *(for_staff if user and user.is_staff else [])]
    here = current_conversation_id(request)
    return [
        *(Command(name, reverse(route, args=[here])) for name, route in OF_A_CHAT if here),
        *(Command(name, reverse(route)) for name, route in names),
    ]
