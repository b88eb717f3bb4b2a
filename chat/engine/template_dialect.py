"""Finds out by trial renders what a chat template understands, as llama.cpp does: templates do not say it.

Knows only the dicts that templates take, in OpenAI's shape.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chat.domain.errors import TemplateFailed
from chat.engine.template_budget import BudgetExceeded

TemplateDict = Mapping[str, Any]
Render = Callable[[Sequence[TemplateDict], Sequence[TemplateDict]], str]

_NEEDLE = "Needle7Q"
USER: TemplateDict = {"role": "user", "content": "Hi"}
_TOOL: TemplateDict = {
    "type": "function",
    "function": {
        "name": "look",
        "description": _NEEDLE,
        "parameters": {"type": "object", "properties": {"spot": {"type": "string", "description": "Where"}}},
    },
}


@dataclass(frozen=True, slots=True)
class CallForm:
    """How a template wants tool calls: arguments as an object or as JSON text, and what is the content beside them.

    `content` is None for the few templates that look for calls only where there is no content.
    """

    has_text_arguments: bool = False
    content: str | None = ""

    def call(self, call_id: str, name: str, arguments: TemplateDict) -> TemplateDict:
        """One tool call in this form."""
        written = json.dumps(arguments, ensure_ascii=False) if self.has_text_arguments else arguments
        return {"type": "function", "id": call_id, "function": {"name": name, "arguments": written}}


CALL_FORMS = (
    CallForm(),
    CallForm(content=None),
    CallForm(has_text_arguments=True),
    CallForm(has_text_arguments=True, content=None),
)


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a template understands. `takes_tools` means descriptions and results; without calls they are of use only
    where the family's way of writing those is known.
    """

    takes_system: bool
    takes_tools: bool
    takes_calls: bool
    takes_many_calls: bool
    takes_same_role_twice: bool
    call_form: CallForm
    reasoning_key: str


def find_dialect(render: Render, source: str) -> Dialect:
    """Try a template out. A trial that fails means that the template does not understand it.

    Raises: TemplateFailed when a trial had to be stopped.
    """
    form = next((form for form in CALL_FORMS if _shows_calls(render, form)), None)
    shows_results = form is not None or _shows(render, _calls_and_results(CallForm(), 1), "Result0")
    return Dialect(
        takes_system=_shows(render, [{"role": "system", "content": _NEEDLE}, USER], _NEEDLE),
        takes_tools=shows_results and _shows(render, [USER], _NEEDLE, tools=[_TOOL]),
        takes_calls=form is not None,
        takes_many_calls=_shows(render, _calls_and_results(form or CallForm(), 2), "Place0", "Place1"),
        takes_same_role_twice=_shows(render, [USER, {"role": "user", "content": _NEEDLE}], _NEEDLE),
        call_form=form or CallForm(),
        reasoning_key=_reasoning_key(source),
    )


def find_no_tools(render: Callable[[Sequence[TemplateDict] | None], str]) -> Sequence[TemplateDict] | None:
    """What a template wants in place of tools: nothing at all, or for a few an empty list."""
    try:
        render(None)
    except TemplateFailed as exc:
        if isinstance(exc.__cause__, BudgetExceeded):
            raise
        return ()
    return None


def _shows_calls(render: Render, form: CallForm) -> bool:
    return _shows(render, _calls_and_results(form, 1), "Place0", "Result0", tools=[_TOOL])


def _calls_and_results(form: CallForm, num_calls: int) -> list[TemplateDict]:
    calls = [form.call(f"call0000{n}", "look", {"place": f"Place{n}"}) for n in range(num_calls)]
    results = [
        {"role": "tool", "name": "look", "tool_call_id": call["id"], "content": f"Result{n}"}
        for n, call in enumerate(calls)
    ]
    return [USER, {"role": "assistant", "content": form.content, "tool_calls": calls}, *results]


def _shows(
    render: Render, messages: Sequence[TemplateDict], *words: str, tools: Sequence[TemplateDict] = ()
) -> bool:
    try:
        prompt = render(messages, tools)
    except TemplateFailed as exc:
        if isinstance(exc.__cause__, BudgetExceeded):
            raise
        return False
    # A Python dict in the prompt is an object that the template took for text.
    return all(word in prompt for word in words) and "{'place'" not in prompt


def _reasoning_key(source: str) -> str:
    return "thinking" if ".thinking" in source and "reasoning_content" not in source else "reasoning_content"
