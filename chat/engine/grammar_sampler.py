"""Keeps a sampler to a grammar: draws as usual, and draws again only when the grammar refuses the token.

Source: llama.cpp, common/sampling.cpp: testing one token costs next to nothing, testing all of them 14 ms and more.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from chat.domain.errors import InvalidInput
from chat.engine.backend import Backend, Logits, Sampler
from chat.engine.grammar_matcher import GrammarMatcher
from chat.engine.prefix import TokenArray

# So often it is tried without the refused tokens before the allowed ones are looked for.
NUM_REDRAWS = 1
# Of the allowed tokens the likeliest are enough: what lies behind has next to no weight.
NUM_LIKELIEST = 128
MAX_TRIED = 4096

_NO_BYTE = 256


class Vocabulary:
    """The bytes that tokens begin with, and which tokens end a reply; read when first needed, for all replies.

    Control tokens write nothing, but for those that spell a part of one of the `marks`.
    """

    def __init__(self, backend: Backend, marks: Sequence[str] = ()) -> None:
        self._backend = backend
        self._spoken = frozenset(
            word.encode() for word in backend.control_words if word and any(word in mark for mark in marks)
        )

    def bytes_of(self, token: int) -> bytes:
        """What the token writes."""
        data = self._backend.token_bytes(token)
        is_silent = self._backend.is_control_token(token) and data not in self._spoken
        return b"" if is_silent else data

    def is_end(self, token: int) -> bool:
        """True when the token ends a reply."""
        return self._backend.is_end_token(token)

    @cached_property
    def first_bytes(self) -> NDArray[np.int16]:
        """Shape (vocab_size,): the first byte of each token, 256 for those that write nothing."""
        written = (self.bytes_of(token) for token in range(self._backend.vocab_size))
        return np.array([data[0] if data else _NO_BYTE for data in written], dtype=np.int16)

    @cached_property
    def end_tokens(self) -> TokenArray:
        """All tokens that end a reply."""
        return np.array(
            [token for token in range(self._backend.vocab_size) if self.is_end(token)], dtype=np.int32
        )


class GrammarSampler:
    """A `Sampler` around another: what it draws, `matcher` allows."""

    def __init__(self, sampler: Sampler, matcher: GrammarMatcher, vocabulary: Vocabulary) -> None:
        self._sampler = sampler
        self._matcher = matcher
        self._vocabulary = vocabulary

    @property
    def is_finished(self) -> bool:
        """True when the grammar lets nothing follow."""
        return self._matcher.is_finished

    def sample(self, logits: Logits) -> int:
        """Raises: InvalidInput when no token of the model can follow, or the grammar is too ambiguous."""
        token = self.draw(logits)
        self.accept(token)
        return token

    def draw(self, logits: Logits) -> int:
        """See `sample`."""
        token = self._sampler.draw(logits)
        return token if self._allows(token) else self._draw_allowed(logits, token)

    def accept(self, token: int) -> None:
        """Raises: InvalidInput when the grammar refuses a token that was chosen elsewhere."""
        self._sampler.accept(token)
        if not self._vocabulary.is_end(token) and not self._matcher.accept(self._vocabulary.bytes_of(token)):
            raise InvalidInput("The reply so far does not keep to the grammar.")

    def close(self) -> None:
        """Free the inner sampler."""
        self._sampler.close()

    def _allows(self, token: int) -> bool:
        if self._vocabulary.is_end(token):
            return self._matcher.may_end
        data = self._vocabulary.bytes_of(token)
        return bool(data) and self._matcher.allows(data)

    def _draw_allowed(self, logits: Logits, refused: int) -> int:
        """Without what was refused, then among the allowed only: nearly the odds of testing all tokens first."""
        row = logits.copy()
        for _ in range(NUM_REDRAWS):
            row[refused] = -np.inf
            token = self._sampler.draw(row)
            if self._allows(token):
                return token
            refused = token
        return self.draw_among(logits, self._likeliest_allowed(logits))

    def draw_among(self, logits: Logits, ids: TokenArray) -> int:
        """See `Sampler.draw_among`; the caller knows that the grammar allows them."""
        return self._sampler.draw_among(logits, ids)

    def _likeliest_allowed(self, logits: Logits) -> TokenArray:
        """The likeliest tokens that may follow, likeliest first."""
        may_begin = np.append(self._matcher.first_bytes(), False)
        candidates = np.flatnonzero(may_begin[self._vocabulary.first_bytes])
        if self._matcher.may_end:
            candidates = np.union1d(candidates, self._vocabulary.end_tokens)
        found: list[int] = []
        for num_tried, token in enumerate(candidates[np.argsort(-logits[candidates])].tolist()):
            if len(found) == NUM_LIKELIEST or (found and num_tried >= MAX_TRIED):
                break
            if self._allows(token):
                found.append(token)
        if not found:
            raise InvalidInput("The grammar leads to where no token of this model can follow.")
        return np.array(found, dtype=np.int32)
