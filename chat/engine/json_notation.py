"""How values are written, as GBNF: JSON itself, and what some models write in place of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chat.engine.grammar_rules import GrammarRules, first_letters, quoted, text_without

_COMMON = r"""
value ::= object | array | string | number | boolean | null
array ::= "[" (value ("," gap value)*)? "]"
number ::= integer ("." [0-9]{1,15})? ([eE] [-+]? [0-9]{1,2})?
integer ::= "-"? ("0" | [1-9] [0-9]{0,15})
gap ::= " "?
date ::= [12] [0-9]{3} "-" (month-31 "-" day-31 | month-30 "-" day-30 | "02-" day-28)
month-31 ::= "0" [13578] | "1" [02]
month-30 ::= "0" [469] | "11"
day-31 ::= day-30 | "31"
day-30 ::= day-28 | "29" | "30"
day-28 ::= "0" [1-9] | "1" [0-9] | "2" [0-8]
time ::= ([01] [0-9] | "2" [0-3]) (":" [0-5] [0-9]){2} ("." [0-9]{1,6})? ("Z" | [-+] [01] [0-9] ":" [0-5] [0-9])
uuid ::= hex{8} ("-" hex{4}){3} "-" hex{12}
hex ::= [0-9a-f]
object ::= "{" (key ":" gap value ("," gap key ":" gap value)*)? "}"
"""
_JSON = r"""
key ::= string
boolean ::= "true" | "false"
null ::= "null"
"""
# Python reads what JSON writes but for three words.
_PYTHON = r"""
key ::= string
boolean ::= "True" | "False" | "true" | "false"
null ::= "None" | "null"
"""
_GEMMA = r"""
key ::= [A-Za-z0-9_-]{1,64}
boolean ::= "true" | "false"
null ::= "null"
"""
GEMMA_QUOTE = '<|"|>'
_CONTROL = r"\\\x00-\x1f\x7f"
_JSON_ESCAPE = r'"\\" ["\\/bfnrt]'
_PYTHON_ESCAPE = r'"\\" ["\\bfnrt]'
FORMATS = {"date": "date", "time": "time", "date-time": 'date "T" time', "uuid": "uuid"}

WriteStrings = Callable[[Sequence[str]], str]


@dataclass(frozen=True, slots=True)
class Notation:
    """How values are written. `fixed` and what `strings` gives are the rules that all its grammars end with.

    These are value, object, array, string, char, number, integer, boolean, null, key, gap and those in `FORMATS`.
    `strings` writes the rules for strings in which none of some marks occurs. `write` gives the text of a value and
    raises ValueError or TypeError for what has none, `write_key` that of a name.
    """

    fixed: str
    strings: WriteStrings
    quote: str
    write: Callable[[Any], str]
    write_key: Callable[[str], str]

    def primitives(self, marks: Sequence[str] = ()) -> str:
        """The rules of this notation; no string holds one of the marks, which would end what it stands in."""
        return self.fixed + self.strings(marks)


def _json_strings(marks: Sequence[str]) -> str:
    text, rules = _text('"', marks, _JSON_ESCAPE)
    return f'string ::= "\\"" {text} "\\""\n{_char(marks, _JSON_ESCAPE)}{rules}'


def _python_strings(marks: Sequence[str]) -> str:
    text, rules = _text('"', marks, _PYTHON_ESCAPE)
    single, single_rules = _text("'", marks, "")
    string = f'string ::= "\\"" {text} "\\"" | "\'" {single} "\'"\n'
    return string + _char(marks, _PYTHON_ESCAPE) + rules + single_rules


def _gemma_strings(marks: Sequence[str]) -> str:
    rules = GrammarRules("text-")
    text = text_without([GEMMA_QUOTE, *marks], rules, but="\\x00")
    quote = quoted(GEMMA_QUOTE)
    return (
        f"string ::= {quote} {text} {quote}\nchar ::= [^\\x00{first_letters([GEMMA_QUOTE, *marks])}]\n"
        + rules.write()
    )


def _text(quote: str, marks: Sequence[str], escape: str) -> tuple[str, str]:
    """The name of the rule for what stands between two quotes, and the rules for it."""
    rules = GrammarRules(f"text-{ord(quote)}-")
    return text_without(marks, rules, but=quote + _CONTROL, escape=escape), rules.write()


def _char(marks: Sequence[str], escape: str) -> str:
    """One character where they are counted. To look for marks, too, would need rules for each length."""
    return f'char ::= [^"{_CONTROL}{first_letters(marks)}] | {escape}\n'


def _as_json(value: Any) -> str:
    written = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_mapped)
    written.encode()
    return written


def _as_gemma(value: Any) -> str:
    match value:
        case str():
            if GEMMA_QUOTE in value:
                raise ValueError(value)
            return f"{GEMMA_QUOTE}{value}{GEMMA_QUOTE}"
        case Mapping():
            return "{" + ",".join(f"{key}:{_as_gemma(inner)}" for key, inner in value.items()) + "}"
        case list() | tuple():
            return "[" + ",".join(map(_as_gemma, value)) + "]"
    return _as_json(value)


def _mapped(value: object) -> dict[str, Any]:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is no JSON.")


JSON = Notation(_COMMON + _JSON, _json_strings, '"', _as_json, _as_json)
PYTHON = Notation(_COMMON + _PYTHON, _python_strings, '"', _as_json, _as_json)
GEMMA = Notation(_COMMON + _GEMMA, _gemma_strings, GEMMA_QUOTE, _as_gemma, str)
