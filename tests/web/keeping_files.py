"""Exports of other programs, as small as they can be, with a branch each."""

from __future__ import annotations

from typing import Any


def chatgpt_chat(**changes: Any) -> dict[str, Any]:
    """A question, two answers to it of which the second is shown and called a tool, and a hidden system message."""
    mapping = {
        "root": _node(None, None),
        "sys": _node(
            "root", _message("system", "You are hidden.", {"is_visually_hidden_from_conversation": True})
        ),
        "q": _node("sys", _message("user", "What is 2 + 2?")),
        "a1": _node("q", _message("assistant", "Five.", {"model_slug": "gpt-4"})),
        "a2": _node("q", _message("assistant", "Let me see.", {"model_slug": "gpt-4o"})),
        "call": _node("a2", _message("assistant", "print(2+2)") | {"recipient": "python"}),
        "tool": _node("call", _message("tool", "4")),
        "a3": _node("tool", _message("assistant", "It is **4**.", {"model_slug": "gpt-4o"})),
    }
    return {
        "title": "Sums",
        "create_time": 1700000000.5,
        "update_time": 1700000100.0,
        "conversation_id": "aaaa-1",
        "current_node": "a3",
        "mapping": mapping,
        **changes,
    }


def _node(parent: str | None, message: dict[str, Any] | None) -> dict[str, Any]:
    return {"parent": parent, "children": [], "message": message}


def _message(role: str, text: str, metadata: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "author": {"role": role},
        "create_time": 1700000001.0,
        "content": {"content_type": "text", "parts": [text]},
        "metadata": metadata or {},
        "recipient": "all",
    }


def open_webui_chat(**changes: Any) -> dict[str, Any]:
    """A question in two versions; the first and its rated answer are shown."""
    messages = {
        "q1": {"id": "q1", "parentId": None, "role": "user", "content": "Hi", "timestamp": 1700000000},
        "q2": {"id": "q2", "parentId": None, "role": "user", "content": "Hello", "timestamp": 1700000050},
        "a1": {
            "id": "a1",
            "parentId": "q1",
            "role": "assistant",
            "content": "Good day",
            "model": "llama3",
            "timestamp": 1700000002,
            "annotation": {"rating": -1, "reason": "too short", "comment": None},
        },
        "a2": {"id": "a2", "parentId": "q2", "role": "assistant", "content": "Hey", "model": "llama3"},
    }
    return {
        "id": "owui-1",
        "title": "Greetings",
        "pinned": True,
        "meta": {"tags": ["Talk"]},
        "created_at": 1700000000,
        "updated_at": 1700000060,
        "chat": {"title": "Greetings", "history": {"messages": messages, "currentId": "a1"}},
        **changes,
    }
