"""Reads GBNF, llama.cpp's notation for grammars: `root ::= "yes" | "no" [.!]{0,3}`.

Source: llama.cpp, grammars/README.md. Not taken: references to tokens by their name or number, `<...>`, because a reply
is text here. All bounds are checked on the way: a grammar comes from a stranger.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import NoReturn

from chat.domain.errors import InvalidInput
from chat.engine.grammar import MAX_CODE, Alternative, Characters, Grammar, Symbol

MAX_CHARS = 65_536
MAX_SYMBOLS = 50_000
MAX_NESTING = 64
MAX_REPEATS = 2000  # as in llama.cpp

_TOKEN = re.compile(
    r"""(?P<space>[ \t]+|\#[^\r\n]*)
    |(?P<line>\r\n|\r|\n)
    |(?P<name>[A-Za-z0-9_-]+)
    |(?P<defines>::=)
    |(?P<text>"(?:[^"\\]|\\.)*")
    |(?P<set>\[(?:[^\]\\]|\\.)*\])
    |(?P<repeat>[*+?]|\{\s*\d{1,9}\s*(?:,\s*(?:\d{1,9}\s*)?)?\})
    |(?P<mark>[().|])""",
    re.VERBOSE,
)
_LINE_END = re.compile(r"\r\n|\r|\n")
_CHARACTER = re.compile(
    r"""\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([trn\\"\[\]-]))|([^\\])""", re.DOTALL
)
_ESCAPES = {"t": "\t", "r": "\r", "n": "\n"}
_ANY = Characters(((0, MAX_CODE),))
_REPEATS = {"*": (0, None), "+": (1, None), "?": (0, 1)}


@lru_cache(maxsize=16)
def parse_grammar(text: str, max_symbols: int = MAX_SYMBOLS) -> Grammar:
    """The grammar that `text` describes, with the rule `root` for a whole reply.

    Raises: InvalidInput naming the line, for what is no GBNF, too large, or fits no text at all.
    """
    if len(text) > MAX_CHARS:
        raise InvalidInput(f"The grammar has {len(text):,} characters; at most {MAX_CHARS:,} are allowed.")
    return _Parser(text, max_symbols).parse()


class _Parser:
    """One pass over the tokens of a grammar; rules are numbered in the order in which they are first named."""

    def __init__(self, text: str, max_symbols: int) -> None:
        self._tokens = self._split(text)
        self._max_symbols = max_symbols
        self._place = 0
        self._numbers: dict[str, int] = {}
        self._names: list[str] = []
        self._rules: list[list[Alternative] | None] = []
        self._num_symbols = 0

    def parse(self) -> Grammar:
        self._skip_lines()
        while self._kind != "end":
            self._read_rule()
            self._skip_lines()
        if "root" not in self._numbers:
            raise InvalidInput("The grammar has no rule “root”.")
        rules = []
        for name, rule in zip(self._names, self._rules, strict=True):
            if rule is None:
                raise InvalidInput(f"The grammar does not define its rule “{name}”.")
            rules.append(tuple(rule))
        return Grammar(tuple(rules), self._numbers["root"], tuple(self._names))

    def _split(self, text: str) -> list[tuple[str, str, int]]:
        """Kind, text and line of each token; spaces and comments are left out."""
        tokens, place, line = [], 0, 1
        while place < len(text):
            match = _TOKEN.match(text, place)
            if match is None:
                raise InvalidInput(
                    f"Line {line} of the grammar: {text[place : place + 20]!r} makes no sense."
                )
            kind = match.lastgroup or ""
            if kind != "space":
                tokens.append((kind, match[0], line))
            line += len(_LINE_END.findall(match[0]))
            place = match.end()
        return [*tokens, ("end", "", line)]

    @property
    def _kind(self) -> str:
        return self._tokens[self._place][0]

    @property
    def _word(self) -> str:
        return self._tokens[self._place][1]

    def _take(self) -> str:
        self._place += 1
        return self._tokens[self._place - 1][1]

    def _skip_lines(self) -> None:
        while self._kind == "line":
            self._place += 1

    def _fail(self, problem: str) -> NoReturn:
        raise InvalidInput(f"Line {self._tokens[self._place][2]} of the grammar: {problem[:200]}")

    def _read_rule(self) -> None:
        if self._kind != "name":
            self._fail(f"a rule's name is expected, not {self._word!r}.")
        name = self._take()
        number = self._number_of(name)
        if self._kind != "defines":
            self._fail(f"“::=” is expected behind “{name}”.")
        if self._rules[number] is not None:
            self._fail(f"“{name}” is defined twice.")
        self._place += 1
        self._skip_lines()
        self._rules[number] = self._read_alternatives(name, 0)
        if self._kind not in ("line", "end"):
            self._fail(f"{self._word!r} is not expected here.")

    def _number_of(self, name: str) -> int:
        if name not in self._numbers:
            self._numbers[name] = self._add_rule(name, None)
        return self._numbers[name]

    def _add_rule(self, name: str, rule: list[Alternative] | None) -> int:
        self._names.append(name)
        self._rules.append(rule)
        return len(self._rules) - 1

    def _read_alternatives(self, name: str, depth: int) -> list[Alternative]:
        alternatives = [self._read_sequence(name, depth)]
        while self._goes_on_with_bar():
            self._place += 1
            self._skip_lines()
            alternatives.append(self._read_sequence(name, depth))
        return alternatives

    def _goes_on_with_bar(self) -> bool:
        """Also at the start of the next line."""
        place = self._place
        while self._tokens[place][0] == "line":
            place += 1
        if self._tokens[place][1] != "|":
            return False
        self._place = place
        return True

    def _read_sequence(self, name: str, depth: int) -> Alternative:
        symbols: list[Symbol] = []
        item: Alternative | None = None
        while True:
            if depth:
                self._skip_lines()
            if self._kind == "repeat":
                if item is None:
                    self._fail(f"{self._word!r} has nothing to repeat.")
                del symbols[len(symbols) - len(item) :]
                symbols += self._repeat(item, name)
                item = None
                continue
            item = self._read_item(name, depth)
            if item is None:
                self._count(len(symbols) + 1)
                return tuple(symbols)
            symbols += item

    def _count(self, num_symbols: int) -> None:
        self._num_symbols += num_symbols
        if self._num_symbols > self._max_symbols:
            self._fail("the grammar becomes too large here. Repeat fewer times.")

    def _read_item(self, name: str, depth: int) -> Alternative | None:
        """A text, a set, a rule or a group; None at the end of the sequence."""
        readers: dict[str, Callable[[], Alternative]] = {"text": self._read_text, "set": self._read_set}
        if self._kind in readers:
            return readers[self._kind]()
        if self._kind == "name" and self._tokens[self._place + 1][0] != "defines":
            return (self._number_of(self._take()),)
        if self._word == "." and self._kind == "mark":
            self._place += 1
            return (_ANY,)
        if self._word == "(" and self._kind == "mark":
            return self._read_group(name, depth + 1)
        return None

    def _read_group(self, name: str, depth: int) -> Alternative:
        if depth > MAX_NESTING:
            self._fail(f"more than {MAX_NESTING} brackets are open.")
        self._place += 1
        alternatives = self._read_alternatives(name, depth)
        self._skip_lines()
        if self._word != ")":
            self._fail("“)” is missing.")
        self._place += 1
        return (self._add_rule(name, alternatives),)

    def _read_text(self) -> Alternative:
        codes = self._codes(self._word[1:-1])
        self._place += 1
        return tuple(Characters(((code, code),)) for code, _ in codes)

    def _read_set(self) -> Alternative:
        inside = self._word[1:-1]
        is_inverted = inside.startswith("^")
        codes = self._codes(inside.removeprefix("^"))
        ranges, place = [], 0
        while place < len(codes):
            low = high = codes[place][0]
            if place + 2 < len(codes) and codes[place + 1] == (ord("-"), False):
                high = codes[place + 2][0]
                place += 2
            if high < low:
                self._fail(f"the range in {self._word} runs backwards.")
            ranges.append((low, high))
            place += 1
        self._place += 1
        if not ranges:
            return (_ANY,) if is_inverted else ()
        found = Characters(tuple(ranges))
        return (found.inverted() if is_inverted else found,)

    def _codes(self, written: str) -> list[tuple[int, bool]]:
        """Code points, each with whether it was escaped."""
        codes, place = [], 0
        while place < len(written):
            match = _CHARACTER.match(written, place)
            if match is None:
                self._fail(f"{written[place : place + 4]!r} is no escape.")
            *digits, letter, plain = match.groups()
            hexadecimal = next(filter(None, digits), None)
            code = int(hexadecimal, 16) if hexadecimal else ord(plain or _ESCAPES.get(letter, letter))
            if code > MAX_CODE:
                self._fail(f"{match[0]} is no character.")
            codes.append((code, plain is None))
            place = match.end()
        return codes

    def _repeat(self, item: Alternative, name: str) -> Alternative:
        """`item` so many times: first those that must be, then rules for those that may be."""
        low, high = self._bounds()
        self._place += 1
        if not item:
            return ()
        self._count(len(item) * (low if high is None else high))
        if high is None:
            loop = self._add_rule(name, None)
            self._rules[loop] = [(*item, loop), ()]
            return (*item * low, loop)
        tail: Alternative = ()
        for _ in range(high - low):
            tail = (self._add_rule(name, [(*item, *tail), ()]),)
        return item * low + tail

    def _bounds(self) -> tuple[int, int | None]:
        """Lowest and highest number of times, None for any. Bounds of a grammar are small, as in llama.cpp."""
        if self._word in _REPEATS:
            return _REPEATS[self._word]
        first, comma, second = self._word[1:-1].replace(" ", "").replace("\t", "").partition(",")
        low = int(first)
        high = int(second) if second.strip() else None if comma else low
        if low > MAX_REPEATS or (high or 0) > MAX_REPEATS:
            self._fail(f"{self._word} repeats more than {MAX_REPEATS} times.")
        if high is not None and high < low:
            self._fail(f"{self._word} runs backwards.")
        return low, high
