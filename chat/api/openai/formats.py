"""What shape the reply must have, as a grammar that the sampler keeps to: JSON, or a call of a function.

Under a grammar the engine reads no calls out of a reply: it is all text. So where the model may or must call one of
the client's functions, the grammar has it write the call between marks, and `fold.Outcome` reads it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from chat.api.openai.tools import Offer
from chat.domain.errors import InvalidInput
from chat.domain.messages import ToolSpec
from chat.engine.json_grammar import json_grammar
from chat.http.body import Fields

# As Hermes and Qwen write calls: what most models have seen.
CALL_START, CALL_END = "<tool_call>\n", "\n</tool_call>"

_KINDS = ("text", "json_object", "json_schema")
# Texts and sets of characters in GBNF, to be passed over, and the names that `json_grammar` gives to rules.
_GBNF_WORD = re.compile(r'"(?:[^"\\]|\\.)*"|\[(?:[^\]\\]|\\.)*\]|(?<![\w-])(?P<rule>root|r\d+)(?![\w-])')


def reply_grammar(answer: str, offer: Offer, fields: Fields) -> str:
    """The grammar for a reply that is an answer of the grammar `answer` ("" for free text), or a call.

    Raises: InvalidInput when the functions' parameters cannot be made into a grammar.
    """
    if offer.demanded:
        return _merged([("call", _calls(offer.demanded, fields))])
    if answer and offer.names:
        return _merged([("answer", answer), ("call", _calls(offer.specs, fields))])
    return answer


def response_format(fields: Fields) -> str:
    """The grammar of `response_format` of a chat completion; "" for free text."""
    if (form := fields.object("response_format")) is None:
        return ""
    if form.choice("type", _KINDS) != "json_schema":
        return _grammar_of(form, form)
    described = form.object("json_schema")
    if described is None:
        form.refuse("json_schema", "is required")
    return _grammar_of(form, described)


def text_format(fields: Fields) -> str:
    """The grammar of `text.format` of a response; "" for free text."""
    text = fields.object("text")
    form = text.object("format") if text else None
    return _grammar_of(form, form) if form else ""


def _grammar_of(form: Fields, holder: Fields) -> str:
    kind = form.choice("type", _KINDS)
    if kind != "json_schema":
        return json_grammar(None) if kind == "json_object" else ""
    if "schema" not in holder:
        holder.refuse("schema", "is required")
    return _checked(holder.mapping("schema"), holder.name("schema"))


def _calls(specs: Sequence[ToolSpec], fields: Fields) -> str:
    """The grammar of an object that names one of the functions and its arguments."""
    branches = [
        {
            "type": "object",
            "properties": {
                "name": {"const": spec.name},
                "arguments": _moved(
                    {**spec.parameters, "type": "object"}, f"#/anyOf/{number}/properties/arguments"
                ),
            },
            "required": ["name", "arguments"],
        }
        for number, spec in enumerate(specs)
    ]
    return _checked({"anyOf": branches}, fields.name("tools"))


def _checked(schema: Mapping[str, Any], field: str) -> str:
    try:
        return json_grammar(schema)
    except InvalidInput as exc:
        raise InvalidInput(exc.message, hint=exc.hint, field=field) from exc


def _moved(schema: Any, place: str) -> Any:
    """The schema as it must be written when it stands at `place` of another: references begin at the root."""
    if isinstance(schema, list):
        return [_moved(item, place) for item in schema]
    if not isinstance(schema, Mapping):
        return schema
    return {
        key: f"{place}{value[1:]}"
        if key == "$ref" and isinstance(value, str) and value.startswith("#")
        else _moved(value, place)
        for key, value in schema.items()
    }


def _merged(grammars: Sequence[tuple[str, str]]) -> str:
    """One grammar whose root is one of these, each under a name; "call" stands between its marks."""
    rules: dict[str, str] = {}
    for prefix, grammar in grammars:
        for line in _renamed(grammar, prefix).split("\n"):
            name, is_rule, body = line.partition(" ::= ")
            if is_rule:
                rules[name] = body  # the rules for JSON itself are the same in all
    roots = [
        f'"{CALL_START}" call-root "{CALL_END}"'.replace("\n", "\\n")
        if prefix == "call"
        else f"{prefix}-root"
        for prefix, _ in grammars
    ]
    lines = [f"root ::= {' | '.join(roots)}", *(f"{name} ::= {body}" for name, body in rules.items())]
    return "\n".join(lines) + "\n"


def _renamed(grammar: str, prefix: str) -> str:
    return _GBNF_WORD.sub(lambda found: f"{prefix}-{found[0]}" if found["rule"] else found[0], grammar)
