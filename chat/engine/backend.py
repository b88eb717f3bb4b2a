"""What the engine needs from an inference library: tokens in, logits out, and states that can be moved."""

from __future__ import annotations

from collections.abc import Sequence as Rows
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from chat.domain.messages import ImagePart
from chat.domain.params import AdapterFile, SamplingParams
from chat.engine.prefix import TokenArray
from chat.engine.prefix_store import State

Logits = NDArray[np.float32]


class BatchTooLarge(Exception):
    """No room for the batch; the backend's state is as before, a smaller batch may fit."""


class BatchAborted(Exception):
    """`interrupt` ended the call; the slots of the batch hold an unknown number of new tokens."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive tokens of one slot: `token_ids[i]` stands at `start + i`.

    The last `num_drafted` are guesses: with `wants_logits` they get a row each, as the one before them does.
    """

    slot: int
    start: int
    token_ids: Rows[int]
    wants_logits: bool
    num_drafted: int = 0

    @property
    def num_rows(self) -> int:
        """Rows of logits that it gets."""
        return 1 + self.num_drafted if self.wants_logits else 0


def rows_of_each(chunks: Rows[Chunk], logits: Logits) -> list[Logits]:
    """The rows of `decode`, cut into those of each chunk, in order; empty for one that wants none."""
    ends = np.cumsum([chunk.num_rows for chunk in chunks])
    return np.split(logits, ends[:-1])


@dataclass(frozen=True, slots=True)
class ImageStretch:
    """A part of a picture that is computed in one go: its `number`th, at `start` of the prompt or of its layout."""

    image: ImagePart
    number: int
    start: int
    num_positions: int


@dataclass(frozen=True, slots=True)
class ImageLayout:
    """What stands in a prompt for a picture: the model's own words around it, and numbers below zero for its stretches.

    `num_cells` is what it takes of the context: some models put several rows at one position.
    """

    token_ids: tuple[int, ...]
    stretches: tuple[ImageStretch, ...]
    num_cells: int


class Vision(Protocol):
    """What a model sees with."""

    def layout(self, image: ImagePart) -> ImageLayout:
        """How the picture is cut. Any thread may call. Raises: InvalidInput when it cannot be read."""

    def read(self, slot: int, start: int, stretch: ImageStretch) -> None:
        """Compute a stretch and append it to a slot of `start` positions: seconds on a processor.

        Raises: BatchTooLarge, BatchAborted, InvalidInput, EngineFailed.
        """

    def close(self) -> None:
        """Free it."""


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
    `vision` is None for a model that reads text alone.
    All calls come from one thread, except `interrupt`, and `tokenize...` and `token_bytes`, which change nothing.
    """

    num_slots: int
    context_tokens: int
    max_batch_tokens: int
    vocab_size: int
    can_drop_tail: bool
    control_words: tuple[str, ...]
    vision: Vision | None

    def tokenize(self, text: str) -> list[int]:
        """Tokens of a rendered prompt: special tokens are parsed, a missing begin token is added."""

    def tokenize_rest(self, text: str) -> list[int]:
        """The same for what follows on other tokens: no begin token."""

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

        Returns (num_rows, vocab_size): `num_rows` of each chunk in order, for its last tokens. The array is a view
        that the next call overwrites.
        Raises: BatchTooLarge, BatchAborted, EngineFailed.
        """

    def use_adapter(self, adapter: AdapterFile | None) -> None:
        """Compute with changed weights from now on; None for the model's own. States made with others are of no use.

        Raises: ModelUnreadable, EngineFailed.
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
