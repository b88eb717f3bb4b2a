"""What the engine needs from an inference library: tokens in, logits out, and states that can be moved."""

from __future__ import annotations

from collections.abc import Sequence as Rows
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from chat.domain.params import SamplingParams
from chat.engine.prefix import TokenArray
from chat.engine.prefix_store import State

Logits = NDArray[np.float32]


class BatchTooLarge(Exception):
    """No room for the batch; the backend's state is as before, a smaller batch may fit."""


class BatchAborted(Exception):
    """`interrupt` ended the call; the slots of the batch hold an unknown number of new tokens."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive tokens of one slot: `token_ids[i]` stands at `start + i`."""

    slot: int
    start: int
    token_ids: Rows[int]
    wants_logits: bool


class Sampler(Protocol):
    """Chooses tokens for one sequence; keeps its random state and the recent tokens."""

    @property
    def is_finished(self) -> bool:
        """True when no token may follow."""

    def sample(self, logits: Logits) -> int:
        """Choose from one row of (vocab_size,) logits and remember the choice.

        Raises: InvalidInput when what the request asks for leaves no choice.
        """

    def draw(self, logits: Logits) -> int:
        """Choose without remembering the choice."""

    def draw_among(self, logits: Logits, ids: TokenArray) -> int:
        """The same among the tokens of these ids only."""

    def accept(self, token: int) -> None:
        """Remember a token that was chosen elsewhere."""

    def close(self) -> None:
        """Free it."""


class Backend(Protocol):
    """A loaded model with `num_slots` independent contexts of `context_tokens` each.

    `can_drop_tail` is false for models that keep no record of earlier tokens; `control_words` spell control tokens.
    All calls come from one thread, except `interrupt`, and `tokenize` and `token_bytes`, which change nothing.
    """

    num_slots: int
    context_tokens: int
    max_batch_tokens: int
    vocab_size: int
    can_drop_tail: bool
    control_words: tuple[str, ...]

    def tokenize(self, text: str) -> list[int]:
        """Tokens of a rendered prompt: special tokens are parsed, a missing begin token is added."""

    def tokenize_plain(self, text: str) -> list[int]:
        """Tokens of bare words: what spells a special token is text. A begin token the model wants is added."""

    def token_bytes(self, token: int) -> bytes:
        """The bytes of one token; possibly a part of a character."""

    def is_end_token(self, token: int) -> bool:
        """True when the token ends a turn."""

    def is_control_token(self, token: int) -> bool:
        """True when the token writes no text."""

    def decode(self, chunks: Rows[Chunk]) -> Logits:
        """Compute the chunks, sorted by slot, and append them to their slots.

        Returns (num_rows, vocab_size): one row for each chunk with `wants_logits`, in order, for its last token. The
        array is a view that the next call overwrites.
        Raises: BatchTooLarge, BatchAborted, EngineFailed.
        """

    def drop_tail(self, slot: int, length: int) -> bool:
        """Keep the first `length` tokens of a slot. False when the model cannot: the slot is then empty."""

    def copy_state(self, slot: int) -> State:
        """A copy of all that the slot holds."""

    def restore_state(self, slot: int, state: State) -> bool:
        """Replace what the slot holds. False when the state does not fit: the slot is then empty."""

    def new_sampler(self, params: SamplingParams, seed: int) -> Sampler:
        """A sampler for one sequence."""

    def interrupt(self) -> None:
        """End the `decode` call in flight; called from another thread. Without one it does nothing."""

    def close(self) -> None:
        """Free the model and its memory."""
