"""Puts our messages into the dicts that chat templates take, within what a template understands."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from chat.domain.messages import (
    ChatMessage,
    Part,
    ReasoningPart,
    Role,
    ToolCall,
    ToolResult,
    ToolSpec,
    text_of,
)
from chat.engine.call_writer import WriteCalls, as_json, tagged_calls
from chat.engine.template_dialect import Dialect, TemplateDict

# The words of Qwen2.5's template, for models whose own template does not know tools.
_TOOL_INSTRUCTIONS = """# Tools

You may call one or more functions to assist with the user query.

You are provided with function signatures within <tools></tools> XML tags:
<tools>
{tools}
</tools>

For each function call, return a json object with function name and arguments within <tool_call></tool_call> \
XML tags:
<tool_call>
{{"name": <function-name>, "arguments": <args-json-object>}}
</tool_call>"""


@dataclass(frozen=True, slots=True)
class _Turn:
    """One message as templates see it: a tool result is a message of its own."""

    role: Role
    text: str = ""
    reasoning: str = ""
    calls: tuple[ToolCall, ...] = ()
    result: ToolResult | None = None


def template_messages(
    messages: Sequence[ChatMessage], tools: Sequence[ToolSpec], dialect: Dialect, write_calls: WriteCalls
) -> list[TemplateDict]:
    """The conversation. What the template does not understand is put into words; `write_calls` knows the model's."""
    turns = _numbered([turn for message in messages for turn in _turns(message)])
    system = [turn.text for turn in turns if turn.role == "system" and turn.text]
    turns = [turn for turn in turns if turn.role != "system"]
    if not dialect.takes_tools:
        turns = [_in_words(turn) for turn in turns]
        system += _instructions(tools)
    elif not dialect.takes_calls:
        turns = [_with_written_calls(turn, write_calls) for turn in turns]
    elif not dialect.takes_many_calls:
        turns = list(_one_call_each(turns))
    if dialect.call_form.content is None:
        turns = list(_text_apart(turns))
    turns = _with_system("\n\n".join(system), turns, dialect)
    if not dialect.takes_same_role_twice:
        turns = list(_merged(turns))
    return [_as_dict(turn, dialect) for turn in turns]


def template_tools(tools: Sequence[ToolSpec], dialect: Dialect) -> list[TemplateDict] | None:
    """The tools for the template; None when there are none, or it would not show them."""
    return [_tool_dict(tool) for tool in tools] if tools and dialect.takes_tools else None


def _turns(message: ChatMessage) -> Iterator[_Turn]:
    """A stored reply holds several rounds of words, calls and results."""
    role: Role = "user" if message.role == "tool" else message.role
    if not message.parts:
        yield _Turn(role)
    for is_result, parts in groupby(message.parts, key=lambda part: isinstance(part, ToolResult)):
        if is_result:
            yield from (_result_turn(part) for part in parts if isinstance(part, ToolResult))
        else:
            yield _spoken_turn(role, list(parts))


def _result_turn(result: ToolResult) -> _Turn:
    return _Turn("tool", result.content, result=result)


def _spoken_turn(role: Role, parts: Sequence[Part]) -> _Turn:
    reasoning = "".join(part.text for part in parts if isinstance(part, ReasoningPart))
    calls = tuple(part for part in parts if isinstance(part, ToolCall))
    return _Turn(role, text_of(parts), reasoning, calls)


def _numbered(turns: Sequence[_Turn]) -> list[_Turn]:
    """Give calls ids that are unique in the conversation; nine letters and digits, as Mistral's templates demand."""
    new_ids: dict[str, str] = {}
    num_calls = 0
    numbered = []
    for turn in turns:
        calls = []
        for call in turn.calls:
            new_ids[call.id] = f"call{num_calls:05}"
            calls.append(replace(call, id=new_ids[call.id]))
            num_calls += 1
        result = turn.result and replace(turn.result, call_id=new_ids.get(turn.result.call_id, "call99999"))
        numbered.append(replace(turn, calls=tuple(calls), result=result))
    return numbered


def _in_words(turn: _Turn) -> _Turn:
    if turn.result is not None:
        return _Turn("user", f"<tool_response>\n{turn.text}\n</tool_response>")
    return _with_written_calls(turn, tagged_calls)


def _with_written_calls(turn: _Turn, write_calls: WriteCalls) -> _Turn:
    if not turn.calls:
        return turn
    words = filter(None, [turn.text, write_calls(turn.calls)])
    return replace(turn, text="\n".join(words), calls=())


def _instructions(tools: Sequence[ToolSpec]) -> list[str]:
    described = "\n".join(as_json(_tool_dict(tool)) for tool in tools)
    return [_TOOL_INSTRUCTIONS.format(tools=described)] if tools else []


def _one_call_each(turns: Sequence[_Turn]) -> Iterator[_Turn]:
    """Calls one after another, each followed by its result."""
    results = {turn.result.call_id: turn for turn in turns if turn.result is not None}
    for turn in turns:
        if len(turn.calls) > 1:
            for number, call in enumerate(turn.calls):
                spoken = turn if number == 0 else _Turn(turn.role)
                yield replace(spoken, calls=(call,))
                if call.id in results:
                    yield results.pop(call.id)
        elif turn.result is None or results.pop(turn.result.call_id, None) is not None:
            yield turn


def _text_apart(turns: Sequence[_Turn]) -> Iterator[_Turn]:
    for turn in turns:
        if turn.calls and turn.text:
            yield replace(turn, calls=())
            yield replace(turn, text="", reasoning="")
        else:
            yield turn


def _with_system(system: str, turns: Sequence[_Turn], dialect: Dialect) -> list[_Turn]:
    """Put the system text first, or into the first question where the template knows no such role."""
    if not system:
        return list(turns)
    if dialect.takes_system:
        return [_Turn("system", system), *turns]
    first = next((number for number, turn in enumerate(turns) if turn.role == "user"), None)
    if first is None:
        return [_Turn("user", system), *turns]
    question = replace(turns[first], text=f"{system}\n\n{turns[first].text}")
    return [*turns[:first], question, *turns[first + 1 :]]


def _merged(turns: Sequence[_Turn]) -> Iterator[_Turn]:
    """Neighbours of one role as one turn, for templates that want strict alternation."""
    for role, group in groupby(
        turns, key=lambda turn: turn.role if not (turn.calls or turn.result) else None
    ):
        if role is None:
            yield from group
        else:
            yield _Turn(role, "\n\n".join(turn.text for turn in group if turn.text))


def _as_dict(turn: _Turn, dialect: Dialect) -> TemplateDict:
    fields: dict[str, Any] = {"role": turn.role, "content": turn.text}
    if turn.result is not None:
        return {**fields, "name": turn.result.name, "tool_call_id": turn.result.call_id}
    # The template of gpt-oss takes either words or thoughts beside a call.
    if turn.reasoning and not (turn.calls and turn.text and dialect.reasoning_key == "thinking"):
        fields[dialect.reasoning_key] = turn.reasoning
    if turn.calls:
        form = dialect.call_form
        fields["content"] = turn.text or form.content
        fields["tool_calls"] = [form.call(call.id, call.name, _plain(call.arguments)) for call in turn.calls]
    return fields


def _tool_dict(tool: ToolSpec) -> TemplateDict:
    function = {"name": tool.name, "description": tool.description, "parameters": _plain(tool.parameters)}
    return {"type": "function", "function": function}


def _plain(value: object) -> Any:
    """Mappings of any kind as dicts: templates ask for JSON's own types."""
    return json.loads(as_json(value))
