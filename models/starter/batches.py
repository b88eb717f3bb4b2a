"""Windows of packed conversations as token ids, and which of them are learnt."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from tokenizers import Encoding, Tokenizer
from torch import Tensor

from starter.chat_format import segments
from starter.conversation import Conversation
from starter.corpus import Mix, conversations

# Of the context a tenth of the tokens is learnt: reading teaches language and copying, but the answers matter most.
CONTEXT_SHARE = 0.1
# The number of a passage or line is one token among many, and the hardest.
NUMBER_WEIGHT = 5.0
_NUMBER = re.compile(r"(?<=\[)\d(?=\])")


@dataclass(frozen=True, slots=True)
class Batch:
    """Inputs, the tokens that follow them, what each of those weighs, and the number of each token's conversation.

    All are (rows, window); a weight of 0 stands for a token that is not learnt.
    """

    inputs: Tensor
    targets: Tensor
    weights: Tensor
    conversation: Tensor

    def to(self, device: torch.device) -> Batch:
        """The batch on a device."""
        return Batch(
            *(tensor.to(device) for tensor in (self.inputs, self.targets, self.weights, self.conversation))
        )


def batches(tokenizer: Tokenizer, seed: int | str, num_rows: int, window: int, mix: Mix) -> Iterator[Batch]:
    """An endless stream of batches; longer windows take longer conversations."""
    stream = _encoded(tokenizer, conversations(seed, max_exchanges=max(3, window // 110), mix=mix), window)
    chance = np.random.default_rng(zlib.crc32(str(seed).encode()))
    while True:
        rows = [_row(stream, window + 1) for _ in range(num_rows)]
        tokens, weights, numbers = (np.stack(column) for column in zip(*rows, strict=True))
        weights = np.maximum(weights, chance.random(tokens.shape) < CONTEXT_SHARE).astype(np.float32)
        # A token counts only where the one before it belongs to the same conversation.
        weights = weights[:, 1:] * (numbers[:, 1:] == numbers[:, :-1])
        columns = (tokens[:, :-1], tokens[:, 1:], weights, numbers[:, :-1])
        yield Batch(*(torch.from_numpy(np.ascontiguousarray(column)) for column in columns))


def _encoded(
    tokenizer: Tokenizer, stream: Iterator[Conversation], window: int
) -> Iterator[tuple[list[int], list[float]]]:
    """The conversations that fit the window."""
    for conversation in stream:
        ids, weights = encode(tokenizer, conversation)
        if len(ids) <= window:
            yield ids, weights


def _row(
    stream: Iterator[tuple[list[int], list[float]]], length: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    tokens: list[int] = []
    weights: list[float] = []
    numbers: list[int] = []
    for number, (ids, own_weights) in enumerate(stream):
        tokens += ids
        weights += own_weights
        numbers += [number] * len(ids)
        if len(tokens) >= length:
            break
    return np.array(tokens[:length]), np.array(weights[:length]), np.array(numbers[:length])


def encode(tokenizer: Tokenizer, conversation: Conversation) -> tuple[list[int], list[float]]:
    """Token ids of one conversation, and what each weighs: 0 for those that the assistant does not write."""
    ids: list[int] = []
    weights: list[float] = []
    for segment in segments(conversation):
        encoding = tokenizer.encode(segment.text, add_special_tokens=False)
        ids += encoding.ids
        weights += _answer_weights(encoding, segment.text) if segment.is_answer else [0.0] * len(encoding.ids)
    return ids, weights


def _answer_weights(encoding: Encoding, text: str) -> list[float]:
    numbers = {found.start() for found in _NUMBER.finditer(text)}
    return [
        NUMBER_WEIGHT if any(at in numbers for at in range(start, end)) else 1.0
        for start, end in encoding.offsets
    ]
