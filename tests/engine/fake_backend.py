"""A backend that knows exactly what each slot holds: its next token is a function of all tokens before it.

If the engine ever mixes up, loses or repeats a token of a slot, the text differs from `expected_text`.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np

from chat.domain.params import AdapterFile, SamplingParams
from chat.engine.backend import BatchAborted, BatchTooLarge, Chunk, Logits
from chat.engine.prefix_store import State
from chat.engine.sampling import GreedySampler

END = 256
VOCAB_SIZE = 257
LETTERS = b"abcdefghijklmnopqrstuvwxyz"


def next_token(tokens: Sequence[int]) -> int:
    """Ends one reply in twenty at each token."""
    digest = zlib.crc32(np.array(tokens, dtype=np.int32).tobytes())
    return END if digest % 20 == 0 else LETTERS[digest // 20 % len(LETTERS)]


def expected_text(prompt: Sequence[int], max_tokens: int, adapter: AdapterFile | None = None) -> str:
    """What a reply to `prompt` has to be."""
    mark = mark_of(adapter)
    tokens, reply = [token + mark for token in prompt], []
    for _ in range(max_tokens):
        if (token := next_token(tokens)) == END:
            break
        reply.append(token)
        tokens.append(token + mark)
    return bytes(reply).decode()


def mark_of(adapter: AdapterFile | None) -> int:
    """What is added to each token that a slot holds, to tell under which adapter it was computed."""
    return 0 if adapter is None else 1000 * (1 + zlib.crc32(repr(adapter).encode()) % 1000)


class FakeBackend:
    """One byte is one token. `trouble` names the calls of `decode`, counted from 0, that go wrong, and how."""

    begin_text = ""
    control_words = ("<|im_start|>", "<|im_end|>")
    vision = None
    end_text = ""
    vocab_size = VOCAB_SIZE

    def __init__(
        self,
        *,
        num_slots: int = 3,
        context_tokens: int = 4096,
        max_batch_tokens: int = 64,
        max_chunks: int = 99,
        can_drop_tail: bool = True,
        trouble: dict[int, type[BatchAborted | BatchTooLarge]] | None = None,
    ) -> None:
        self.num_slots = num_slots
        self.context_tokens = context_tokens
        self.max_batch_tokens = max_batch_tokens
        self.max_chunks = max_chunks
        self.can_drop_tail = can_drop_tail
        self.slots: list[list[int]] = [[] for _ in range(num_slots)]
        self.batches: list[list[Chunk]] = []
        self._trouble = trouble or {}
        self._num_calls = 0
        self._mark = 0

    def tokenize(self, text: str) -> list[int]:
        return list(text.encode())

    def tokenize_rest(self, text: str) -> list[int]:
        return self.tokenize(text)

    def tokenize_plain(self, text: str) -> list[int]:
        return self.tokenize(text)

    def is_control_token(self, token: int) -> bool:
        return token == END

    def token_bytes(self, token: int) -> bytes:
        return b"<|im_end|>" if token == END else bytes([token])

    def is_end_token(self, token: int) -> bool:
        return token == END

    def decode(self, chunks: Sequence[Chunk]) -> Logits:
        trouble = self._trouble.get(self._num_calls)
        self._num_calls += 1
        assert sum(len(chunk.token_ids) for chunk in chunks) <= self.max_batch_tokens
        assert [chunk.slot for chunk in chunks] == sorted({chunk.slot for chunk in chunks})
        if trouble is BatchTooLarge or len(chunks) > self.max_chunks:
            raise BatchTooLarge
        self.batches.append(list(chunks))
        rows = []
        for chunk in chunks:
            held = self.slots[chunk.slot]
            assert chunk.start == len(held), f"slot {chunk.slot} holds {len(held)} tokens, not {chunk.start}"
            assert {token // 1000 * 1000 for token in held} <= {self._mark}, (
                "a slot holds another adapter's tokens"
            )
            held.extend(token + self._mark for token in chunk.token_ids)
            ends = range(len(held) - chunk.num_rows + 1, len(held) + 1)
            rows += [self.row_after(held[:end]) for end in ends]
        if trouble is BatchAborted:
            raise BatchAborted
        return np.array(rows, dtype=np.float32).reshape(len(rows), VOCAB_SIZE)

    def row_after(self, tokens: list[int]) -> Logits:
        return np.eye(VOCAB_SIZE, dtype=np.float32)[next_token(tokens)]

    def use_adapter(self, adapter: AdapterFile | None) -> None:
        self._mark = mark_of(adapter)

    def drop_tail(self, slot: int, length: int) -> bool:
        if len(self.slots[slot]) <= length:
            return True
        if not self.can_drop_tail and length:
            self.slots[slot] = []
            return False
        del self.slots[slot][length:]
        return True

    def copy_state(self, slot: int) -> State:
        return np.array(self.slots[slot], dtype=np.int32).view(np.uint8)

    def restore_state(self, slot: int, state: State) -> bool:
        self.slots[slot] = state.view(np.int32).tolist()
        return True

    def new_sampler(self, params: SamplingParams, seed: int) -> GreedySampler:
        return GreedySampler()

    def interrupt(self) -> None:
        """Nothing runs long here."""

    def close(self) -> None:
        """Nothing to free."""
