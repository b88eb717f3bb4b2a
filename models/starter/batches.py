"""Windows of packed conversations as token ids, and which of them are learnt."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from starter.chat_format import segments
from starter.conversation import Conversation
from starter.corpus import Mix, conversations

# Of the context a tenth of the tokens is learnt: reading teaches language and copying, but the answers matter most.
CONTEXT_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Batch:
    """Inputs, the tokens that follow them, which of those are learnt, and the number of each token's conversation."""

    inputs: Tensor
    targets: Tensor
    is_learnt: Tensor
    conversation: Tensor

    def to(self, device: torch.device) -> Batch:
        """The batch on a device."""
        return Batch(
            *(tensor.to(device) for tensor in (self.inputs, self.targets, self.is_learnt, self.conversation))
        )


def batches(tokenizer: Tokenizer, seed: int | str, num_rows: int, window: int, mix: Mix) -> Iterator[Batch]:
    """An endless stream of batches; longer windows take longer conversations."""
    stream = _encoded(tokenizer, conversations(seed, max_exchanges=max(3, window // 110), mix=mix), window)
    chance = np.random.default_rng(zlib.crc32(str(seed).encode()))
    while True:
        rows = [_row(stream, window + 1) for _ in range(num_rows)]
        tokens, is_answer, numbers = (np.stack(column) for column in zip(*rows, strict=True))
        is_learnt = is_answer | (chance.random(tokens.shape) < CONTEXT_SHARE)
        # A token counts only where the one before it belongs to the same conversation.
        is_learnt = is_learnt[:, 1:] & (numbers[:, 1:] == numbers[:, :-1])
        columns = (tokens[:, :-1], tokens[:, 1:], is_learnt, numbers[:, :-1])
        yield Batch(*(torch.from_numpy(np.ascontiguousarray(column)) for column in columns))


def _encoded(
    tokenizer: Tokenizer, stream: Iterator[Conversation], window: int
) -> Iterator[tuple[list[int], list[bool]]]:
    """The conversations that fit the window."""
    for conversation in stream:
        ids, is_answer = encode(tokenizer, conversation)
        if len(ids) <= window:
            yield ids, is_answer


def _row(
    stream: Iterator[tuple[list[int], list[bool]]], length: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    tokens: list[int] = []
    is_answer: list[bool] = []
    numbers: list[int] = []
    for number, (ids, answers) in enumerate(stream):
        tokens += ids
        is_answer += answers
        numbers += [number] * len(ids)
        if len(tokens) >= length:
            break
    return np.array(tokens[:length]), np.array(is_answer[:length]), np.array(numbers[:length])


def encode(tokenizer: Tokenizer, conversation: Conversation) -> tuple[list[int], list[bool]]:
    """Token ids of one conversation, and which of them the assistant writes."""
    ids: list[int] = []
    is_answer: list[bool] = []
    for segment in segments(conversation):
        piece = tokenizer.encode(segment.text, add_special_tokens=False).ids
        ids += piece
        is_answer += [segment.is_answer] * len(piece)
    return ids, is_answer
