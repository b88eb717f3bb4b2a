"""Guesses the next tokens of a reply from the text before it, so that one step can check several at once.

Answers repeat what was said: names, quoted passages, code that is changed in a few places. Where the last tokens stood
in the text before, what followed there is tried as a draft. Prompt lookup decoding (A. Saxena, 2023); llama-server has
the same as `--spec-type ngram-simple`. A draft only saves time: each token is chosen from the model's own logits by the
reply's own sampler, and the draft is kept as far as it agrees.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence as Sequences

from chat.engine.sequence import Sequence

# A step with more replies in it has enough to compute: more rows cost as much as they save.
MAX_SEQUENCES = 2
NGRAM_TOKENS = 3
FIRST_DRAFT_TOKENS = 3
MAX_DRAFT_TOKENS = 7
MAX_ROWS = MAX_SEQUENCES * (1 + MAX_DRAFT_TOKENS)
# Where drafts cost more time than they save, none is made for so many tokens, then twice as many.
MIN_PAUSE_TOKENS = 32
MAX_PAUSE_TOKENS = 512
_SMOOTHING = 0.3


class Speculator:
    """Makes the drafts of one engine. Learns from the time of each step whether they pay on this machine."""

    def __init__(self, context_tokens: int) -> None:
        self._context_tokens = context_tokens
        self._guessers: dict[int, _Guesser] = {}
        self._plain_s: dict[int, float] = {}  # seconds of a step without drafts, by the number of replies

    def draft(self, writing: Sequences[Sequence]) -> None:
        """Modifies `draft` of the sequences, which are all that the next step computes."""
        if len(writing) > MAX_SEQUENCES or len(writing) not in self._plain_s:
            return
        for sequence in writing:
            guesser = self._guessers.setdefault(sequence.id, _Guesser())
            room = self._context_tokens - len(sequence.token_ids)
            sequence.draft = guesser.guess(sequence.token_ids, room)

    def record(self, writing: Sequences[Sequence], elapsed_s: float) -> None:
        """Learn from a step of nothing but writing, before its tokens are chosen."""
        num_sequences = len(writing)
        if num_sequences > MAX_SEQUENCES:
            return
        if not any(sequence.draft for sequence in writing):
            old_s = self._plain_s.get(num_sequences, elapsed_s)
            self._plain_s[num_sequences] = old_s + _SMOOTHING * (elapsed_s - old_s)
            return
        cost = elapsed_s / self._plain_s[num_sequences]
        for sequence in writing:
            if sequence.draft:
                self._guessers[sequence.id].cost = cost

    def judge(self, sequence: Sequence, num_drafted: int, num_accepted: int) -> None:
        """Learn how much of a sequence's draft was right."""
        self._guessers[sequence.id].judge(len(sequence.token_ids), num_drafted, num_accepted)

    def forget(self, sequence: Sequence) -> None:
        """The sequence has ended."""
        self._guessers.pop(sequence.id, None)


class _Guesser:
    """The drafts of one reply. `cost` is the time of its last step with a draft, in steps without one."""

    def __init__(self) -> None:
        self.cost = 1.0
        self._gain = 1.0
        self._num_wanted = FIRST_DRAFT_TOKENS
        self._pause_tokens = MIN_PAUSE_TOKENS
        self._resumes_at = 0
        self._follows: dict[tuple[int, ...], int] = {}  # where the text goes on after these tokens
        self._num_indexed = 0

    def guess(self, token_ids: list[int], room: int) -> list[int]:
        """At most `room` tokens that may follow; none where the last ones are new."""
        self._index(token_ids)
        num_wanted = min(self._num_wanted, room)
        at = self._follows.get(tuple(token_ids[-NGRAM_TOKENS:]))
        if at is None or len(token_ids) < self._resumes_at or num_wanted < 1:
            return []
        period = len(token_ids) - at
        draft = (token_ids[at + i % period] for i in range(num_wanted))
        return list(itertools.takewhile(_is_text, draft))

    def judge(self, num_tokens: int, num_drafted: int, num_accepted: int) -> None:
        """`num_tokens` are those that the sequence has now."""
        self._gain += _SMOOTHING * ((1 + num_accepted) / self.cost - self._gain)
        is_right = num_accepted == num_drafted
        self._num_wanted = min(2 * num_drafted + 1, MAX_DRAFT_TOKENS) if is_right else num_accepted + 1
        if self._gain >= 1:
            self._pause_tokens = MIN_PAUSE_TOKENS
            return
        self._gain, self._num_wanted = 1.0, FIRST_DRAFT_TOKENS
        self._resumes_at = num_tokens + self._pause_tokens
        self._pause_tokens = min(2 * self._pause_tokens, MAX_PAUSE_TOKENS)

    def _index(self, token_ids: list[int]) -> None:
        """All but the last tokens themselves: they are what is looked up."""
        for end in range(max(self._num_indexed, NGRAM_TOKENS), len(token_ids)):
            self._follows[tuple(token_ids[end - NGRAM_TOKENS : end])] = end
        self._num_indexed = len(token_ids)


def _is_text(token: int) -> bool:
    """Numbers below zero stand for pictures."""
    return token >= 0
