"""A grammar that a reply has to keep to, in the form that is quick to walk, and what makes one unfit for use.

Knows neither the notation (`gbnf`) nor tokens: it is rules over characters. llama.cpp has the same inside, but aborts
the process, runs out of its stack or never returns on grammars that are easily written (tried with 0.3.36: left
recursion behind a rule that may be empty, rules with the same alternative twice, deep brackets).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from chat.domain.errors import InvalidInput

MAX_CODE = 0x10FFFF
NO_POSITION = -1


@dataclass(frozen=True, slots=True)
class Characters:
    """A set of code points as ranges, both ends included."""

    ranges: tuple[tuple[int, int], ...]

    def has(self, code: int) -> bool:
        """True when `code` is in the set."""
        for low, high in self.ranges:  # noqa: SIM110 - the hot loop: a generator takes three times as long
            if low <= code <= high:
                return True
        return False

    def overlaps(self, low: int, high: int) -> bool:
        """True when any code from `low` to `high` is in the set."""
        return any(first <= high and low <= last for first, last in self.ranges)

    def inverted(self) -> Characters:
        """All other code points."""
        gaps, start = [], 0
        for low, high in sorted(self.ranges):
            if start < low:
                gaps.append((start, low - 1))
            start = max(start, high + 1)
        if start <= MAX_CODE:
            gaps.append((start, MAX_CODE))
        return Characters(tuple(gaps))


Symbol = Characters | int  # an int is the number of a rule
Alternative = tuple[Symbol, ...]
Rules = Sequence[Sequence[Alternative]]


@dataclass(frozen=True)
class Grammar:
    """Numbered rules, each a choice of alternatives; `root` is where a reply begins.

    Raises: InvalidInput for rules that no reply could be read by.
    """

    rules: tuple[tuple[Alternative, ...], ...]
    root: int
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        productive = derivable(self.rules, {symbol for symbol in self._characters() if symbol.ranges})
        if not productive[self.root]:
            raise InvalidInput("The grammar has no end: no text can ever complete its root.")
        if (rule := find_left_recursion(self.rules)) is not None:
            raise InvalidInput(f"The grammar's rule “{self.names[rule]}” begins with itself.")

    @cached_property
    def symbols(self) -> tuple[Symbol, ...]:
        """The alternatives of all rules, one after the other: a position is an index into this."""
        return tuple(symbol for rule in self.rules for alternative in rule for symbol in alternative)

    @cached_property
    def is_last(self) -> tuple[bool, ...]:
        """For each position whether it ends its alternative."""
        alternatives = [alternative for rule in self.rules for alternative in rule]
        return tuple(place == len(each) - 1 for each in alternatives for place in range(len(each)))

    @cached_property
    def starts(self) -> tuple[tuple[int, ...], ...]:
        """For each rule the positions where its alternatives begin; NO_POSITION for an empty one."""
        starts, position = [], 0
        for rule in self.rules:
            places = []
            for alternative in rule:
                places.append(position if alternative else NO_POSITION)
                position += len(alternative)
            starts.append(tuple(places))
        return tuple(starts)

    def _characters(self) -> Iterable[Characters]:
        return (symbol for symbol in self.symbols if isinstance(symbol, Characters))


def derivable(rules: Rules, given: Iterable[Characters] = ()) -> list[bool]:
    """For each rule whether it has an alternative of nothing but `given` characters and such rules.

    Without `given` it tells which rules may be empty.
    """
    known = set(given)
    is_derivable = [False] * len(rules)
    num_missing: dict[tuple[int, int], int] = {}
    waiting: dict[int, list[tuple[int, int]]] = defaultdict(list)
    ready: list[int] = []
    for rule, alternatives in enumerate(rules):
        for place, alternative in enumerate(alternatives):
            needed = {symbol for symbol in alternative if isinstance(symbol, int)}
            if any(symbol not in known for symbol in alternative if isinstance(symbol, Characters)):
                continue
            num_missing[rule, place] = len(needed)
            for other in needed:
                waiting[other].append((rule, place))
            if not needed:
                ready.append(rule)
    while ready:
        rule = ready.pop()
        if is_derivable[rule]:
            continue
        is_derivable[rule] = True
        for key in waiting[rule]:
            num_missing[key] -= 1
            if not num_missing[key]:
                ready.append(key[0])
    return is_derivable


def find_left_recursion(rules: Rules) -> int | None:
    """A rule that comes back to itself without a character in between, each time with more to follow.

    Coming back with nothing to follow, as in `("a"?)*`, does no harm.
    """
    may_be_empty = derivable(rules)
    reached: list[list[int]] = [[] for _ in rules]
    growing: list[tuple[int, int]] = []
    for rule, alternatives in enumerate(rules):
        for alternative in alternatives:
            for place, symbol in enumerate(alternative):
                if isinstance(symbol, Characters):
                    break
                reached[rule].append(symbol)
                if place < len(alternative) - 1:
                    growing.append((rule, symbol))
                if not may_be_empty[symbol]:
                    break
    component = _components(reached)
    return next((rule for rule, other in growing if component[rule] == component[other]), None)


def _components(edges: Sequence[Sequence[int]]) -> list[int]:
    """A number for each node, the same for those that reach each other.

    Source: R. Tarjan, "Depth-first search and linear graph algorithms", without recursion.
    """
    order = [0] * len(edges)
    low = [0] * len(edges)
    component = [0] * len(edges)
    num_seen = num_components = 0
    path: list[int] = []
    for root in range(len(edges)):
        visits = [] if order[root] else [(root, 0)]
        while visits:
            node, place = visits.pop()
            if place == 0:
                num_seen += 1
                order[node] = low[node] = num_seen
                path.append(node)
            else:
                low[node] = min(low[node], low[edges[node][place - 1]])
            while place < len(edges[node]) and order[edges[node][place]]:
                other = edges[node][place]
                if not component[other]:
                    low[node] = min(low[node], order[other])
                place += 1
            if place < len(edges[node]):
                visits += [(node, place + 1), (edges[node][place], 0)]
            elif low[node] == order[node]:
                num_components += 1
                while not component[node]:
                    component[path.pop()] = num_components
    return component
