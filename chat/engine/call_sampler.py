"""A sampler that is free, and held to a grammar only while a tool call is written."""

from __future__ import annotations

from chat.domain.errors import InvalidInput
from chat.engine.backend import Logits, Sampler
from chat.engine.grammar_matcher import GrammarMatcher
from chat.engine.grammar_sampler import GrammarSampler, Vocabulary
from chat.engine.prefix import TokenArray


class CallSampler:
    """A `Sampler` around another. `hold` keeps it to a grammar until `release`."""

    def __init__(self, sampler: Sampler, vocabulary: Vocabulary) -> None:
        self._free = sampler
        self._vocabulary = vocabulary
        self._held: GrammarSampler | None = None

    @property
    def is_finished(self) -> bool:
        """True when no token may follow; a call never ends a reply."""
        return self._free.is_finished

    @property
    def is_held(self) -> bool:
        """True between `hold` and `release`."""
        return self._held is not None

    def hold(self, matcher: GrammarMatcher) -> None:
        """From now on draw what `matcher` allows."""
        self._held = GrammarSampler(self._free, matcher, self._vocabulary)

    def release(self) -> None:
        """Draw freely again."""
        self._held = None

    def sample(self, logits: Logits) -> int:
        """See `Sampler.sample`."""
        token = self.draw(logits)
        self.accept(token)
        return token

    def draw(self, logits: Logits) -> int:
        """Freely where the grammar leads nowhere: a tool that its model cannot spell must not end the reply."""
        if self._held is not None:
            try:
                return self._held.draw(logits)
            except InvalidInput:
                self._held = None
        return self._free.draw(logits)

    def draw_among(self, logits: Logits, ids: TokenArray) -> int:
        """See `Sampler.draw_among`."""
        return self._free.draw_among(logits, ids)

    def accept(self, token: int) -> None:
        """Remember a token, also one that was chosen elsewhere: from there on the call is free if it does not fit."""
        if self._held is None:
            self._free.accept(token)
            return
        try:
            self._held.accept(token)
        except InvalidInput:
            self._held = None

    def close(self) -> None:
        """Free the inner sampler."""
        self._free.close()
