"""Turns a conversation into the prompt that a model was trained on, by the chat template of its file.

Knows no tokens and no llama.cpp. The template is a stranger's program: `template_sandbox` holds it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

from chat.domain.errors import TemplateFailed
from chat.domain.messages import ChatMessage, ToolSpec
from chat.engine.call_writer import WRITERS, WriteCalls, as_json, tagged_calls
from chat.engine.families import family_of
from chat.engine.template_dialect import USER, Dialect, TemplateDict, find_dialect, find_no_tools
from chat.engine.template_messages import template_messages, template_tools
from chat.engine.template_sandbox import TemplateSandbox

CHATML_TEMPLATE = (
    "{%- for message in messages %}"
    "{{- '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' }}"
    "{%- endfor %}"
    "{{- '<|im_start|>assistant\n' }}"
)
PLAIN_TEMPLATE = (
    "{%- for message in messages %}"
    "{{- {'system': '', 'user': 'User: ', 'assistant': 'Assistant: '}[message.role] + message.content + '\n' }}"
    "{%- endfor %}"
    "{{- 'Assistant:' }}"
)
PLAIN_STOP_STRINGS = ("\nUser:",)

_FIREFUNCTION_SIGN = "functools["  # Firefunction's template takes its tools as text, under another name


@dataclass(frozen=True, slots=True)
class _Ready:
    sandbox: TemplateSandbox
    dialect: Dialect
    no_tools: Sequence[TemplateDict] | None
    write_calls: WriteCalls


class ChatTemplate:
    """A model's chat template, compiled and tried out at the first render. Any thread may render."""

    def __init__(self, source: str, bos_token: str = "", eos_token: str = "") -> None:
        self.source = source
        self._bos_token = bos_token
        self._eos_token = eos_token

    @property
    def stop_strings(self) -> tuple[str, ...]:
        """What ends a turn beside the model's own end token; only the plain fallback needs any."""
        return PLAIN_STOP_STRINGS if self.source == PLAIN_TEMPLATE else ()

    def render(self, messages: Sequence[ChatMessage], tools: Sequence[ToolSpec] = ()) -> str:
        """The prompt, up to where the assistant's next words begin.

        Raises: TemplateFailed when the template cannot be read, raises, or would not end.
        """
        ready = self._ready
        if isinstance(ready, TemplateFailed):
            raise TemplateFailed(ready.message, hint=ready.hint) from ready
        try:
            return self._render_as(messages, tools, ready, ready.dialect)
        except TemplateFailed:
            if not (tools and ready.dialect.takes_tools):
                raise
        # A few templates understand some schemas only: such tools are described in words.
        return self._render_as(messages, tools, ready, replace(ready.dialect, takes_tools=False))

    @cached_property
    def _ready(self) -> _Ready | TemplateFailed:
        """A failure is kept too: a hostile template is tried once."""
        try:
            sandbox = TemplateSandbox(self.source)
            no_tools = find_no_tools(lambda tools: self._render(sandbox, [USER], tools))
            dialect = find_dialect(
                lambda messages, tools: self._render(sandbox, messages, tools or no_tools), self.source
            )
        except TemplateFailed as exc:
            return exc
        writer = WRITERS.get(family_of(self.source))
        if not dialect.takes_calls and writer is None:
            dialect = replace(dialect, takes_tools=False)
        return _Ready(sandbox, dialect, no_tools, writer or tagged_calls)

    def _render_as(
        self, messages: Sequence[ChatMessage], tools: Sequence[ToolSpec], ready: _Ready, dialect: Dialect
    ) -> str:
        dicts = template_messages(messages, tools, dialect, ready.write_calls)
        return self._render(ready.sandbox, dicts, template_tools(tools, dialect) or ready.no_tools)

    def _render(
        self, sandbox: TemplateSandbox, messages: Sequence[TemplateDict], tools: Sequence[TemplateDict] | None
    ) -> str:
        variables: dict[str, object] = {
            "messages": messages,
            "tools": tools,
            "add_generation_prompt": True,
            "bos_token": self._bos_token,
            "eos_token": self._eos_token,
        }
        if _FIREFUNCTION_SIGN in self.source:
            variables |= {
                "functions": as_json(tools or []),
                "datetime": f"{datetime.now().astimezone():%B %d, %Y}",
            }
        return sandbox.render(variables)


def template_source(chat_template: str | None, has_token: Callable[[str], bool]) -> str:
    """The file's own template; without one ChatML when the vocabulary has its marks, else plain words."""
    if chat_template and chat_template.strip():
        return chat_template
    return CHATML_TEMPLATE if has_token("<|im_start|>") else PLAIN_TEMPLATE
