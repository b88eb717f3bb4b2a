"""The two families that write in channels: gpt-oss ("harmony") and Muse. Source: OpenAI, "harmony response format"."""

from __future__ import annotations

import re
from dataclasses import dataclass

from chat.engine.call_format import CallFormat, CallRules
from chat.engine.call_formats import invokes
from chat.engine.calls import Calls, json_start, make_call
from chat.engine.channel_parser import MESSAGE, ChannelStyle
from chat.engine.grammar_rules import quoted
from chat.engine.json_notation import JSON, Notation

_NAME = re.compile(r"\s*(?:functions\.)?([^\s<]+)")


@dataclass(frozen=True, slots=True)
class HarmonyCall:
    """Behind `to=`: `functions.look<|channel|>commentary json<|message|>{...}`."""

    notation: Notation = JSON
    marks: tuple[str, ...] = ("<|channel|>", "<|constrain|>", MESSAGE)

    def read(self, body: str) -> Calls | None:
        """See `CallSyntax.read`."""
        head, _, written = body.partition(MESSAGE)
        name = _NAME.match(head)
        decoded = json_start(written.lstrip() or "{}")
        call = name and decoded and make_call(name[1], decoded[0])
        return Calls((call,), decoded[1]) if decoded and call else None

    def is_inside(self, body: str) -> bool:
        """See `CallSyntax.is_inside`."""
        return False

    def expression(self, rules: CallRules) -> str:
        """See `CallSyntax.expression`."""
        channel = '" "? "<|channel|>" ("commentary" | "analysis")'
        kind = '(" "? "<|constrain|>" | " ") "json"'
        rest = rules.add(f"({channel})? ({kind})? {quoted(MESSAGE)}")
        return rules.each_tool(
            lambda tool: f"{quoted('functions.' + tool.name)} {rest} {rules.arguments(tool)} {rules.space}"
        )


_HARMONY_ENDS = ("<|end|>", "<|return|>", "<|call|>", "<|start|>", "<|channel|>")
_MUSE_ENDS = ("<|eom|>", "<|eot|>", "<|start|>")

HARMONY = ChannelStyle(
    call=CallFormat("to=", "<|call|>", HarmonyCall(), _HARMONY_ENDS),
    ends=_HARMONY_ENDS,
    thinking="<|channel|>analysis",
    answer="<|channel|>final",
    next="<|end|><|start|>assistant",
)
MUSE = ChannelStyle(
    call=invokes("atem:function_calls", "atem:", breaks=_MUSE_ENDS),
    ends=_MUSE_ENDS,
    thinking=" to=self",
    answer=" to=user",
    next="<|eom|><|start|>assistant",
)
