"""Follows a reply through its grammar, byte by byte: what may come next, and may it end here?

Keeps all readings of the text so far at once, each as a stack of positions. What a character does to a set of stacks is
computed once and remembered, so that most tokens cost a few look-ups. Knows no tokens.
"""

from __future__ import annotations

import codecs

import numpy as np
from numpy.typing import NDArray

from chat.domain.errors import InvalidInput
from chat.engine.grammar import NO_POSITION, Characters, Grammar

# Work is counted in stacks looked at: 1 to 2 us each. An ambiguous grammar could otherwise stop all replies.
MAX_WORK = 400_000
WORK_PER_TOKEN = 20_000
MAX_STACKS = 4000
MAX_REMEMBERED = 50_000

_DONE = 0  # the stack with nothing left to read
_CONTINUATION = range(0x80, 0xC0)
# For each first byte of a longer character: the highest one, how many bytes, and the lowest character.
_LEADS = ((0xDF, 2, 0x80), (0xEF, 3, 0x800), (0xF4, 4, 0x10000))

State = frozenset[int]
_decode_partly = codecs.getincrementaldecoder("utf-8")


class GrammarMatcher:
    """One reply's way through `grammar`.

    All methods raise InvalidInput when the grammar has too many readings of the text to go on.
    """

    def __init__(self, grammar: Grammar) -> None:
        self._grammar = grammar
        self._work_left = MAX_WORK
        self._partial = b""  # the beginning of a character whose other bytes have yet to come
        self._forget()
        self._state = self._expand_all([self._push(start, _DONE) for start in grammar.starts[grammar.root]])

    @property
    def may_end(self) -> bool:
        """True when the text so far is complete."""
        return _DONE in self._state and not self._partial

    @property
    def is_finished(self) -> bool:
        """True when nothing may follow."""
        return self.may_end and len(self._state) == 1

    def allows(self, data: bytes) -> bool:
        """True when `data` may follow; it may end inside a character."""
        return self._after(data) is not None

    def accept(self, data: bytes) -> bool:
        """Go past `data`; False, and nothing changes, when it may not follow."""
        after = self._after(data)
        if after is None:
            return False
        self._state, self._partial = after
        self._work_left = min(MAX_WORK, self._work_left + WORK_PER_TOKEN)
        if len(self._stacks) > MAX_REMEMBERED:
            self._forget_all_but_now()
        return True

    def first_bytes(self) -> NDArray[np.bool_]:
        """For each byte, shape (256,), whether what follows may begin with it; for a few that is only a maybe."""
        found = np.zeros(256, dtype=np.bool_)
        if self._partial:
            found[_CONTINUATION.start : _CONTINUATION.stop] = True
            return found
        for characters in self._expected():
            for low, high in characters.ranges:
                found[_first_byte(low) : _first_byte(high) + 1] = True
        return found

    def _expected(self) -> set[Characters]:
        symbols = self._grammar.symbols
        expected = (symbols[self._stacks[stack][0]] for stack in self._state if stack != _DONE)
        return {symbol for symbol in expected if isinstance(symbol, Characters)}

    def _after(self, data: bytes) -> tuple[State, bytes] | None:
        try:
            text, partial = _split_last(self._partial + data)
        except UnicodeDecodeError:
            return None
        state = self._state
        for character in text:
            known = self._next.get(state)
            if known is None:
                known = self._next[state] = {}
            after = known.get(character)
            if after is None:
                after = known[character] = self._step(state, ord(character))
            state = after
            if not state:
                return None
        if partial and not self._can_begin(state, partial):
            return None
        return state, partial

    def _can_begin(self, state: State, partial: bytes) -> bool:
        low, high = _range_of(partial)
        symbols = self._grammar.symbols
        for stack in state:
            symbol = symbols[self._stacks[stack][0]] if stack != _DONE else 0
            if isinstance(symbol, Characters) and symbol.overlaps(low, high):
                return True
        return False

    def _step(self, state: State, code: int) -> State:
        symbols, is_last = self._grammar.symbols, self._grammar.is_last
        self._spend(len(state))
        after = []
        for stack in state:
            if stack == _DONE:
                continue
            position, below = self._stacks[stack]
            symbol = symbols[position]
            if isinstance(symbol, Characters) and symbol.has(code):
                after.append(below if is_last[position] else self._push(position + 1, below))
        return self._expand_all(after)

    def _expand_all(self, stacks: list[int]) -> State:
        """The stacks with characters on top, or nothing left, that these lead to through rules."""
        symbols, is_last, starts = self._grammar.symbols, self._grammar.is_last, self._grammar.starts
        found, seen = set(), set(stacks)
        todo = list(seen)
        while todo:
            stack = todo.pop()
            position, below = self._stacks[stack]
            symbol = symbols[position] if stack != _DONE else None
            if not isinstance(symbol, int):
                found.add(stack)
                continue
            behind = below if is_last[position] else self._push(position + 1, below)
            for start in starts[symbol]:
                reached = self._push(start, behind)
                if reached not in seen:
                    seen.add(reached)
                    todo.append(reached)
            if len(seen) > MAX_STACKS:
                raise _too_ambiguous()
        self._spend(len(seen))
        return frozenset(found)

    def _push(self, position: int, below: int) -> int:
        """The number of the stack `below` with `position` on top."""
        if position == NO_POSITION:
            return below
        key = (position, below)
        if (number := self._numbers.get(key)) is None:
            number = self._numbers[key] = len(self._stacks)
            self._stacks.append(key)
        return number

    def _spend(self, work: int) -> None:
        self._work_left -= work
        if self._work_left < 0:
            raise _too_ambiguous()

    def _forget(self) -> None:
        self._stacks: list[tuple[int, int]] = [(NO_POSITION, _DONE)]
        self._numbers: dict[tuple[int, int], int] = {}
        self._next: dict[State, dict[str, State]] = {}

    def _forget_all_but_now(self) -> None:
        """A long reply must not fill the memory with all that was ever tried."""
        positions = [self._positions(stack) for stack in self._state]
        self._forget()
        state = []
        for each in positions:
            stack = _DONE
            for position in reversed(each):
                stack = self._push(position, stack)
            state.append(stack)
        self._state = frozenset(state)

    def _positions(self, stack: int) -> list[int]:
        positions = []
        while stack != _DONE:
            position, stack = self._stacks[stack]
            positions.append(position)
        return positions


def _too_ambiguous() -> InvalidInput:
    return InvalidInput(
        "The grammar can be read in too many ways.", hint="Write it so that each text has one reading."
    )


def _split_last(data: bytes) -> tuple[str, bytes]:
    """Whole characters, and the bytes of one that is not complete. Raises: UnicodeDecodeError."""
    try:
        return data.decode(), b""
    except UnicodeDecodeError:
        decoder = _decode_partly()
        text = decoder.decode(data)
        return text, bytes(decoder.getstate()[0])


def _first_byte(code: int) -> int:
    if code < 0x80:
        return code
    if code < 0x800:
        return 0xC0 | code >> 6
    return 0xE0 | code >> 12 if code < 0x10000 else 0xF0 | code >> 18


def _range_of(partial: bytes) -> tuple[int, int]:
    """The lowest and highest character that begin with these bytes."""
    num_bytes, lowest = next((num, lowest) for last, num, lowest in _LEADS if partial[0] <= last)
    value = partial[0] & (0x7F >> num_bytes)
    for byte in partial[1:]:
        value = value << 6 | byte & 0x3F
    num_bits = 6 * (num_bytes - len(partial))
    return max(lowest, value << num_bits), (value + 1 << num_bits) - 1
