"""Writes the beginning of a reply as its model would have: a stopped answer goes on only from a prefix in its own form.

A prefix comes as plain text, with thinking between `<think>` and `</think>` in front.
"""

from __future__ import annotations

import re

from chat.engine.channel_parser import MESSAGE, ChannelStyle
from chat.engine.families import STYLES
from chat.engine.marker_parser import MarkerStyle

_THOUGHTS = re.compile(r"<think>\n?(.*?)\n?</think>\s*", re.DOTALL)


def opens_thinking(family: str, prompt: str) -> bool:
    """True when a prompt ends inside a thinking block: its reply begins with reasoning, without a mark."""
    style = STYLES[family]
    return isinstance(style, MarkerStyle) and not style.lead and prompt.rstrip().endswith(style.think[0])


def fit_prefix(family: str, prompt: str, prefix: str) -> str:
    """The prefix to follow `prompt`, in the form of the family."""
    if not prefix:
        return ""
    match = _THOUGHTS.match(prefix)
    thoughts, words = (match[1], prefix[match.end() :]) if match else ("", prefix)
    style = STYLES[family]
    if isinstance(style, ChannelStyle):
        return _in_channels(style, thoughts, words)
    opening, closing = style.think
    words = style.answer + words
    if style.lead:  # what follows it names whom the words are for: there is no place for thoughts
        return words
    if opens_thinking(family, prompt):
        return f"{thoughts}\n{closing}\n\n{words}"
    return f"{opening}\n{thoughts}\n{closing}\n\n{words}" if match else words


def fit_answer(family: str, prompt: str, prefix: str) -> str:
    """The same where a grammar leaves no room for thinking: `prefix` is all answer, and its place is opened for it."""
    style = STYLES[family]
    if isinstance(style, ChannelStyle):
        return style.answer + MESSAGE + prefix
    closing = f"\n{style.think[1]}\n\n" if opens_thinking(family, prompt) else ""
    return closing + style.answer + prefix


def _in_channels(style: ChannelStyle, thoughts: str, words: str) -> str:
    messages = [f"{style.thinking}{MESSAGE}{thoughts}"] if thoughts else []
    messages += [f"{style.answer}{MESSAGE}{words}"] if words else []
    return style.next.join(messages)
