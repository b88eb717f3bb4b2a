"""Functions that a client offers, and which of them the model must call."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from chat.domain.errors import InvalidInput
from chat.domain.messages import ToolSpec
from chat.http.body import Fields, parsed_object

MAX_TOOLS = 128
MAX_DESCRIPTION_CHARS = 20_000
NAME_PATTERN = r"^[a-zA-Z0-9_.-]{1,64}$"

_NAME = re.compile(NAME_PATTERN.replace("$", r"\Z"))


@dataclass(frozen=True, slots=True)
class Choice:
    """What `tool_choice` says; `names` are the functions that may be called when one must be."""

    mode: Literal["auto", "none", "required"] = "auto"
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Offer:
    """The client's functions and its choice."""

    specs: tuple[ToolSpec, ...] = ()
    choice: Choice = Choice()

    @property
    def names(self) -> frozenset[str]:
        """What ends a run when it is called."""
        if self.choice.mode == "none":
            return frozenset()
        return frozenset(spec.name for spec in self.specs)

    def beside(self, server: Sequence[ToolSpec], grammar: str) -> tuple[ToolSpec, ...]:
        """What the model is told of: the server's tools and the client's, which win over those of the same name.

        A grammar lets no tool of the server be called, so none is offered then.
        """
        if self.choice.mode == "none":
            return ()
        mine = () if grammar else (spec for spec in server if spec.name not in self.names)
        return (*mine, *self.specs)

    @property
    def demanded(self) -> tuple[ToolSpec, ...]:
        """The functions one of which must be called; none when the model is free."""
        if self.choice.mode != "required":
            return ()
        return tuple(spec for spec in self.specs if spec.name in self.choice.names)


def wrapped_offer(fields: Fields) -> Offer:
    """As chat completions write it: `{"type": "function", "function": {"name": ...}}`."""
    specs = []
    for tool in fields.objects("tools", max_items=MAX_TOOLS):
        tool.choice("type", ["function"], "function")
        function = tool.object("function")
        if function is None:
            tool.refuse("function", "is required")
        specs.append(_spec(function))
    return _offer(fields, specs, _name_in_wrapped)


def flat_offer(fields: Fields) -> Offer:
    """As responses write it: `{"type": "function", "name": ...}`."""
    specs = []
    for tool in fields.objects("tools", max_items=MAX_TOOLS):
        tool.choice("type", ["function"])
        specs.append(_spec(tool))
    return _offer(fields, specs, lambda chosen: chosen.text("name"))


def arguments_of(fields: Fields, name: str) -> dict[str, Any]:
    """The arguments of a call, written as a string that holds a JSON object; "" counts as {}."""
    text = fields.text(name, "")
    try:
        return parsed_object(text, fields.name(name)) if text.strip() else {}
    except InvalidInput as exc:
        raise InvalidInput(exc.message, field=fields.name(name)) from exc


def _spec(fields: Fields) -> ToolSpec:
    name = fields.text("name")
    if not _NAME.match(name):
        fields.refuse("name", "must have 1 to 64 letters, digits, dots, dashes and underscores")
    parameters: Mapping[str, Any] = fields.mapping("parameters") or {"type": "object", "properties": {}}
    return ToolSpec(name, fields.text("description", "", max_chars=MAX_DESCRIPTION_CHARS), parameters)


def _offer(fields: Fields, specs: list[ToolSpec], name_in: Any) -> Offer:
    names = [spec.name for spec in specs]
    if len(set(names)) < len(names):
        fields.refuse("tools", "must have a name each")
    if "tool_choice" not in fields:
        return Offer(tuple(specs))
    if isinstance(fields.raw("tool_choice"), str):
        mode = fields.choice("tool_choice", ["auto", "none", "required"])
        if mode == "required" and not specs:
            fields.refuse("tool_choice", "“required” needs tools")
        return Offer(tuple(specs), Choice(mode, tuple(names)))  # type: ignore[arg-type]
    chosen = fields.object("tool_choice")
    assert chosen is not None
    chosen.choice("type", ["function"])
    name = name_in(chosen)
    if name not in names:
        fields.refuse("tool_choice", "names a function that is not among the tools")
    return Offer(tuple(specs), Choice("required", (name,)))


def _name_in_wrapped(chosen: Fields) -> str:
    function = chosen.object("function")
    if function is None:
        chosen.refuse("function", "is required")
    return function.text("name")
