"""Drawing from grammars: a seeded source of choices, phrasings and words, split into training and evaluation.

A phrasing is a string in which `[a|b|]` stands for one of its alternatives (they nest) and `{slot}` for a value.
Words and numbers are split by their checksum: one in eight is drawn for evaluation only, so that no evaluated name
or number can occur in training, whatever the seed.
"""

from __future__ import annotations

import random
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

T = TypeVar("T")

HELD_OUT_SHARE = 8
_ALTERNATIVES = re.compile(r"\[([^\[\]]*)\]")
_SLOT = re.compile(r"(\{\w+\})")
_KEYS = "qwertyuiopasdfghjklzxcvbnm"


def is_held_out(word: str) -> bool:
    """Whether a name or number belongs to evaluation."""
    return zlib.crc32(word.lower().encode()) % HELD_OUT_SHARE == 0


class Phrasings(Protocol):
    """Ways to ask one thing: for training, and others for evaluation."""

    @property
    def asks(self) -> Sequence[str]: ...  # noqa: D102

    @property
    def held_out_asks(self) -> Sequence[str]: ...  # noqa: D102


class Draw:
    """A seeded source of choices; with `held_out` it draws the evaluation's words and phrasings instead."""

    def __init__(self, seed: int | str, *, held_out: bool = False) -> None:
        self.rng = random.Random(f"{seed}-{held_out}")
        self.held_out = held_out

    def choice(self, options: Sequence[T]) -> T:
        """One of the options, all alike likely."""
        return options[int(self.rng.random() * len(options))]

    def chance(self, probability: float) -> bool:
        """True with the given probability."""
        return self.rng.random() < probability

    def between(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return self.rng.randint(low, high)

    def sample(self, options: Sequence[T], count: int) -> list[T]:
        """Different options, in random order."""
        return self.rng.sample(options, count)

    def word(self, make: Callable[[], str]) -> str:
        """A made word of this draw's side of the split; `make` is asked until it gives one."""
        while True:
            word = make()
            if is_held_out(word) is self.held_out:
                return word

    def expand(self, pattern: str, **slots: object) -> str:
        """One reading of the pattern, with its slots filled."""
        return self._resolve(pattern).format(**slots)

    def ask(self, phrasings: Phrasings, **slots: object) -> str:
        """A person's phrasing, written as people write: with slips in case and spelling."""
        pattern = self.choice(phrasings.held_out_asks if self.held_out else phrasings.asks)
        return self._casual(self._resolve(pattern)).format(**slots)

    def tell(self, patterns: Sequence[str], **slots: object) -> str:
        """A person's statement, with the same slips."""
        return self._casual(self._resolve(self.choice(patterns))).format(**slots)

    def _resolve(self, pattern: str) -> str:
        while "[" in pattern:
            pattern = _ALTERNATIVES.sub(lambda match: self.choice(match[1].split("|")), pattern)
        return pattern

    def _casual(self, text: str) -> str:
        roll = self.rng.random()
        if roll < 0.25:
            text = text[:1].lower() + text[1:]
        elif roll < 0.3:
            text = "".join(part if part.startswith("{") else part.lower() for part in _SLOT.split(text))
        elif roll < 0.32:
            text = "".join(part if part.startswith("{") else part.upper() for part in _SLOT.split(text))
        if self.chance(0.3):
            text = text.rstrip("?.!")
        if not self.held_out and self.chance(0.08):
            text = self._with_typo(text)
        return text

    def _with_typo(self, text: str) -> str:
        parts = _SLOT.split(text)
        at = self.rng.randrange(0, len(parts), 2)
        if len(parts[at]) < 4:
            return text
        place = self.rng.randrange(1, len(parts[at]) - 1)
        part = parts[at]
        parts[at] = self.choice(
            (
                part[:place] + part[place + 1 :],
                part[:place] + part[place] + part[place:],
                part[:place] + part[place + 1] + part[place] + part[place + 2 :],
                part[:place] + self.choice(_KEYS) + part[place + 1 :],
            )
        )
        return "".join(parts)


def readings(pattern: str) -> Iterator[str]:
    """All texts that a pattern stands for, its slots left open."""
    found = _ALTERNATIVES.search(pattern)
    if found is None:
        yield pattern
        return
    for option in found[1].split("|"):
        yield from readings(pattern[: found.start()] + option + pattern[found.end() :])
