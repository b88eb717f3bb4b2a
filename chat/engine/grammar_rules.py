"""Rules of a grammar in the making, as GBNF text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


class GrammarRules:
    """Numbered rules, named r1, r2 and so on; a body that is there already gets no second one."""

    def __init__(self, prefix: str = "r") -> None:
        self._prefix = prefix
        self._rules: list[str] = []
        self._known: dict[str, str] = {}

    def add(self, body: str) -> str:
        """The name of a rule of this body; the same for the same body."""
        if body not in self._known:
            self._known[body] = self.reserve()
            self.define(self._known[body], body)
        return self._known[body]

    def either(self, expressions: Iterable[str]) -> str:
        """The name of a rule that is one of these."""
        return self.add(" | ".join(dict.fromkeys(expressions)))

    def reserve(self) -> str:
        """A name whose body follows by `define`."""
        self._rules.append("")
        return f"{self._prefix}{len(self._rules)}"

    def define(self, name: str, body: str) -> None:
        """Give a reserved name its body."""
        self._rules[int(name.removeprefix(self._prefix)) - 1] = f"{name} ::= {body}"

    def write(self) -> str:
        """All rules, a line each."""
        return "\n".join(self._rules) + "\n"


def quoted(text: str) -> str:
    """GBNF for exactly this text."""
    return '"' + "".join(map(_escaped, text)) + '"'


def repeated(low: int, high: int | None) -> str:
    """How often, from `low` to `high` times; None is without end."""
    return f"{{{low},{'' if high is None else high}}}"


def text_without(markers: Sequence[str], rules: GrammarRules, *, but: str = "", escape: str = "") -> str:
    """The name of a rule for any text in which none of the markers occurs, nor a character of the set `but`.

    `escape` is GBNF for what stands for a character, and begins with one of `but`.
    Source: A. Aho and M. Corasick, "Efficient string matching": one rule for each beginning of a marker.
    """
    starts = dict.fromkeys(["", *(marker[:length] for marker in markers for length in range(len(marker)))])
    names = {start: rules.reserve() for start in starts}
    letters = sorted(set("".join(markers)))
    for start, name in names.items():
        after = {letter: _longest_start(start + letter, markers) for letter in letters}
        notable = [letter for letter in letters if after[letter] != ""]
        ways = [f"{quoted(letter)} {names[end]}" for letter in notable if (end := after[letter]) is not None]
        others = but + "".join(map(_in_set, notable))
        ways.append(f"[^{others}] {names['']}" if others else f". {names['']}")
        ways += [f"{escape} {names['']}"] if escape else []
        rules.define(name, " | ".join(['""', *ways]))
    return names[""]


def first_letters(markers: Sequence[str]) -> str:
    """The letters that the markers begin with, as they are written in a set."""
    return "".join(_in_set(letter) for letter in sorted({marker[0] for marker in markers}))


def _longest_start(text: str, markers: Sequence[str]) -> str | None:
    """The longest end of `text` that a marker begins with; None when a marker is complete."""
    if any(text.endswith(marker) for marker in markers):
        return None
    ends = (text[place:] for place in range(len(text) + 1))
    return next(end for end in ends if any(marker.startswith(end) for marker in markers))


def _escaped(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    return character if character.isprintable() else _in_set(character)


def _in_set(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
