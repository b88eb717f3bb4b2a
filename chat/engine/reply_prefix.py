"""Writes the beginning of a reply as its model would have: a stopped answer goes on only from a prefix in its own form.

A prefix comes as plain text, with thinking between `<think>` and `</think>` in front.
"""

from __future__ import annotations

import re

from chat.engine.tool_calls import CHANNEL_FAMILY, STYLES

_THOUGHTS = re.compile(r"<think>\n?(.*?)\n?</think>\s*", re.DOTALL)


def opens_thinking(family: str, prompt: str) -> bool:
    """True when a prompt ends inside a thinking block: its reply begins with reasoning, without a mark."""
    return family != CHANNEL_FAMILY and prompt.rstrip().endswith(STYLES[family].think[0])


def fit_prefix(family: str, prompt: str, prefix: str) -> str:
    """The prefix to follow `prompt`, in the form of the family."""
    if not prefix:
        return ""
    match = _THOUGHTS.match(prefix)
    thoughts, words = (match[1], prefix[match.end() :]) if match else ("", prefix)
    if family == CHANNEL_FAMILY:
        return _in_channels(thoughts, words)
    opening, closing = STYLES[family].think
    if opens_thinking(family, prompt):
        return f"{thoughts}\n{closing}\n\n{words}"
    return f"{opening}\n{thoughts}\n{closing}\n\n{words}" if match else prefix


def fit_answer(family: str, prompt: str, prefix: str) -> str:
    """The same where a grammar leaves no room for thinking: `prefix` is all answer, and its place is opened for it."""
    if family == CHANNEL_FAMILY:
        return f"<|channel|>final<|message|>{prefix}"
    return f"\n{STYLES[family].think[1]}\n\n{prefix}" if opens_thinking(family, prompt) else prefix


def _in_channels(thoughts: str, words: str) -> str:
    messages = [f"<|channel|>analysis<|message|>{thoughts}<|end|>"] if thoughts else []
    messages += [f"<|channel|>final<|message|>{words}"] if words else []
    return "<|start|>assistant".join(messages)
