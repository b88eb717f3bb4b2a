"""`overrideConfig`: what one request changes of its flow, under the names that such flows use."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from chat.domain.errors import InvalidInput
from chat.domain.params import FLOAT_BOUNDS, INT_BOUNDS, SamplingParams
from chat.http.body import Fields

MAX_PROMPT_CHARS = 100_000
_WHOLE = (*(name for name, _, _ in INT_BOUNDS), "max_tokens", "seed")
_NUMBERS = (*(name for name, _, _ in FLOAT_BOUNDS), *_WHOLE)
# Each under its name, and as JavaScript writes it.
_SAMPLING = {
    **{name: name for name in _NUMBERS},
    **{re.sub(r"_([a-z])", lambda match: match[1].upper(), name): name for name in _NUMBERS},
    "maxOutputTokens": "max_tokens",
}
_STOP = ("stop", "stopSequence", "stopSequences")
_MCP = ("mcpServer", "mcpServers", "mcpServerConfig", "mcpActions")
_PROMPTS = ("systemMessage", "systemMessagePrompt", "systemPrompt")
_VARIABLE = re.compile(r"\{\{\s*\$vars\.([A-Za-z0-9_.-]+)\s*\}\}")


@dataclass(frozen=True, slots=True)
class Override:
    """`sampling` are fields of `SamplingParams`, `system_prompt` "" keeps the flow's."""

    session_id: str = ""
    sampling: Mapping[str, Any] = field(default_factory=dict)
    system_prompt: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)

    def params(self, flow_prompt: str, max_tokens: int | None) -> dict[str, Any]:
        """The `params` of a run: no answer gets longer than the server allows, and `{{$vars.name}}` in the prompt is
        replaced where the request gives that variable.
        """
        sampling = dict(self.sampling)
        if max_tokens is not None and "max_tokens" in sampling:
            sampling["max_tokens"] = min(max_tokens, sampling["max_tokens"])
        prompt = self._filled(self.system_prompt or flow_prompt)
        return {"sampling": sampling} | ({"system_prompt": prompt} if prompt != flow_prompt else {})

    def _filled(self, prompt: str) -> str:
        return _VARIABLE.sub(lambda match: self.variables.get(match[1], match[0]), prompt)


def override_of(fields: Fields | None) -> Override:
    """Unknown names are left alone: flows elsewhere have hundreds. Raises: InvalidInput naming the field."""
    if fields is None:
        return Override()
    for name in _MCP:  # an MCP server is a program that is run: never one that a request names
        if name in fields:
            fields.refuse(
                name, "cannot be set by a request: MCP servers stand in the server's own configuration"
            )
    return Override(
        session_id=fields.text("sessionId", "", max_chars=200),
        sampling=_sampling(fields),
        system_prompt=_prompt(fields),
        variables=_variables(fields),
    )


def _sampling(fields: Fields) -> dict[str, Any]:
    sampling: dict[str, Any] = {}
    for name, target in _SAMPLING.items():
        if (value := _of_any_node(fields.raw(name))) is not None:
            number = _number(fields, name, value)
            sampling[target] = _checked(fields, name, target, int(number) if target in _WHOLE else number)
    for name in _STOP:
        if (value := _of_any_node(fields.raw(name))) is not None:
            stop = _stop_strings(fields, name, value)
            _checked(fields, name, "stop", tuple(stop))
            sampling["stop"] = stop
    return sampling


def _of_any_node(value: Any) -> Any:
    """Per node it is {id: value}; a flow is one node here. Forms send "" for what was left empty."""
    if isinstance(value, dict):
        value = next((item for item in value.values() if item is not None), None)
    return None if value == "" else value


def _number(fields: Fields, name: str, value: Any) -> float:
    """Also from a string, as forms send it."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        fields.refuse(name, "must be a number")
    try:
        number = float(value)
    except (ValueError, OverflowError):
        fields.refuse(name, "must be a number")
    if not math.isfinite(number) or (_SAMPLING[name] in _WHOLE and not number.is_integer()):
        fields.refuse(name, "must be a whole number" if _SAMPLING[name] in _WHOLE else "must be a number")
    return number


def _stop_strings(fields: Fields, name: str, value: Any) -> list[str]:
    """A list, or one string with commas."""
    strings = value.split(",") if isinstance(value, str) else value
    if not isinstance(strings, list) or not all(isinstance(item, str) for item in strings):
        fields.refuse(name, "must be a string or an array of strings")
    return strings


def _checked(fields: Fields, name: str, target: str, value: Any) -> Any:
    try:
        replace(SamplingParams(), **{target: value})
    except InvalidInput as exc:
        raise InvalidInput(f"{fields.name(name)}: {exc.message}", field=fields.name(name)) from exc
    return value


def _prompt(fields: Fields) -> str:
    for name in _PROMPTS:
        value = _of_any_node(fields.raw(name))
        if value is None:
            continue
        if not isinstance(value, str) or len(value) > MAX_PROMPT_CHARS:
            fields.refuse(name, f"must be a string of at most {MAX_PROMPT_CHARS:,} characters")
        return value.replace("\x00", "")
    return ""


def _variables(fields: Fields) -> dict[str, str]:
    variables = {}
    given = fields.mapping("vars")
    for name, value in given.items():
        if isinstance(value, (dict, list)):
            fields.refuse(f"vars.{name}", "must be a string or a number")
        if value is not None:
            variables[name] = str(value)
    return variables
