"""Calls between tags, a pair for each argument: `<function=look><parameter=place>Rome</parameter></function>`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chat.domain.messages import ToolSpec
from chat.engine.call_format import CallRules
from chat.engine.calls import MAX_NAME_CHARS, Call, Calls, Untyped, json_start, make_call
from chat.engine.grammar_rules import quoted
from chat.engine.json_containers import properties_of
from chat.engine.json_notation import JSON, Notation
from chat.engine.tag_values import TagValues

_OTHER_KEY = "[A-Za-z0-9_.-]{1,64}"


@dataclass(frozen=True, slots=True)
class TagCalls:
    """One call, or several one after another.

    `head` stands before and behind the name; with a third text, a number stands between the second and it. `key`
    stands before and behind the name of an argument, `text` and `other` before its value, whichever type that has,
    `end` behind it, and `tail` behind the call. `pad` is a line end on both sides of a value, `wrap` what may stand
    around a text.
    """

    head: tuple[str, ...]
    key: tuple[str, str]
    end: str
    tail: str = ""
    text: str = ""
    other: tuple[str, ...] = ("",)
    pad: str = ""
    wrap: tuple[str, str] = ("", "")
    has_many: bool = False

    notation: Notation = JSON

    @property
    def marks(self) -> tuple[str, ...]:
        """See `CallSyntax.marks`."""
        return (*self.head, *self.key, self.end, self.tail, self.text, *self.other)

    def read(self, body: str) -> Calls | None:
        """See `CallSyntax.read`."""
        calls: list[Call] = []
        rest = body.lstrip()
        while rest and rest.startswith(self.head[0]):
            found = self._read_call(rest)
            if found is None:
                break
            calls.append(found[0])
            rest = found[1].lstrip()
            if not self.has_many:
                break
        return Calls(tuple(calls), rest) if calls else None

    def is_inside(self, body: str) -> bool:
        """See `CallSyntax.is_inside`. The grammar keeps marks out of values, and without it the first one counts."""
        return False

    def expression(self, rules: CallRules) -> str:
        """See `CallSyntax.expression`."""
        call = rules.each_tool(lambda tool: self._call(tool, rules))
        more = f"({rules.space} {call})*" if self.has_many else ""
        return f"{rules.space} {call} {more} {rules.space}"

    def _read_call(self, text: str) -> tuple[Call, str] | None:
        name, found, rest = self._split_name(text.removeprefix(self.head[0]))
        if found and len(self.head) > 2:
            number, found, rest = rest.partition(self.head[2])
            found = found if number.isdecimal() else ""
        arguments: dict[str, Any] = {}
        while found and (inner := rest.lstrip()).startswith(self.key[0]):
            key, found, rest = inner.removeprefix(self.key[0]).partition(self.key[1])
            value = self._read_value(rest) if found else None
            if value is None:
                return None
            arguments[key.strip()], rest = value
        if not found or not rest.lstrip().startswith(self.tail):
            return None
        call = make_call(name.strip(), arguments)
        return (call, rest.lstrip().removeprefix(self.tail)) if call else None

    def _split_name(self, text: str) -> tuple[str, str, str]:
        """Name, what ended it, and the rest. Where nothing stands behind a name, the first key or line ends it."""
        if self.head[1]:
            return text.partition(self.head[1])
        head = text[: 2 * MAX_NAME_CHARS]
        if head.startswith(("{", "[", "<")):
            return "", "", ""
        place = min(place for sign in ("\n", self.key[0]) if (place := (head + sign).find(sign)) >= 0)
        return text[:place], "name", text[place:]

    def _read_value(self, text: str) -> tuple[Any, str] | None:
        for is_text, opening in ((True, self.text), *((False, other) for other in self.other)):
            if text.lstrip().startswith(opening):
                text = text.lstrip().removeprefix(opening) if opening else text
                return self._read_inside(text, is_text=is_text and self.text not in self.other)
        return None

    def _read_inside(self, text: str, *, is_text: bool) -> tuple[Any, str] | None:
        """A value and what follows its end. In a list or object that is JSON the end may occur, too."""
        if self.wrap[0] and text.startswith(self.wrap[0]):
            written, found, rest = text.removeprefix(self.wrap[0]).partition(self.wrap[1] + self.end)
            return (written, rest) if found else None
        written, found, rest = text.partition(self.end)
        decoded = json_start(text.lstrip()) if not is_text and text.lstrip().startswith(("{", "[")) else None
        if decoded and (behind := decoded[1].lstrip()).startswith(self.end):
            written, rest = text[: len(text) - len(behind)], behind.removeprefix(self.end)
        if not found:
            return None
        written = self._unpadded(written)
        return (written if is_text else Untyped(written)), rest

    def _unpadded(self, text: str) -> str:
        return text.removeprefix(self.pad).removesuffix(self.pad) if self.pad else text

    def _call(self, tool: ToolSpec, rules: CallRules) -> str:
        number = f"[0-9]{{1,3}} {quoted(self.head[2])}" if len(self.head) > 2 else ""
        head = f"{quoted(self.head[0])} {quoted(tool.name)} {quoted(self.head[1])} {number}"
        return f"{head} {rules.space} {self._arguments(tool, rules)} {quoted(self.tail)}"

    def _arguments(self, tool: ToolSpec, rules: CallRules) -> str:
        schema = rules.schema_of(tool)
        values = TagValues(rules, schema, self.end)
        members = properties_of(schema, "#") if schema else []
        if not members:
            any_value = self._argument(_OTHER_KEY, values.text(), "", rules)
            takes_any = schema is None or "properties" not in schema
            return rules.add(f"({any_value})*" if takes_any else '""')
        written = []
        for name, each, is_required in members:
            if each is False:
                continue
            text, other = values.of(each, f"#/properties/{name}")
            member = self._argument(quoted(name), text, other, rules)
            written.append(member if is_required else f"({member})?")
        return rules.add(" ".join(written))

    def _argument(self, key: str, text: str, other: str, rules: CallRules) -> str:
        """One argument; `text` and `other` are for values that are text and that are not, "" for none."""
        pad = quoted(self.pad) if self.pad else ""
        openings = " | ".join(map(quoted, self.other))
        ways = [f"{quoted(self.text)} {pad} {text} {pad}"] if text else []
        ways += [f"({openings}) {pad} {other} {pad}"] if other else []
        space = rules.space if self.text or self.other != ("",) else ""
        start = f"{quoted(self.key[0])} {key} {quoted(self.key[1])} {space}"
        return rules.add(f"{start} ({' | '.join(ways)}) {quoted(self.end)} {rules.space}")
