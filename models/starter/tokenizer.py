"""The byte-level BPE tokenizer: learnt from the corpus once, then read back from the GGUF."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel, Sequence, Split
from tokenizers.trainers import BpeTrainer

from starter.chat_format import MARKS, TEXT_END, TURN_END, TURN_START, segments
from starter.corpus import conversations

VOCABULARY_SIZE = 4096
# llama.cpp knows this split as "qwen2"; it takes digits one by one, which exact copying of numbers needs.
QWEN2_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|"
    r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
CONTROL = (TEXT_END, TURN_START, TURN_END)


def learn_tokenizer(num_conversations: int = 60_000, seed: int = 20_000) -> Tokenizer:
    """A tokenizer for the corpus; deterministic."""
    tokenizer = assembled(BPE())
    trainer = BpeTrainer(
        vocab_size=VOCABULARY_SIZE - len(CONTROL) - len(MARKS),
        initial_alphabet=ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_texts(num_conversations, seed), trainer)
    add_marks(tokenizer)
    return tokenizer


def assembled(model: BPE) -> Tokenizer:
    """The model with its split of the text into words and bytes."""
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = Sequence(
        [Split(Regex(QWEN2_SPLIT), "isolated"), ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = ByteLevelDecoder()
    return tokenizer


def add_marks(tokenizer: Tokenizer) -> None:
    """The turn marks as control tokens, the tool marks as plain ones that are never split."""
    tokenizer.add_special_tokens([AddedToken(mark, special=True, normalized=False) for mark in CONTROL])
    tokenizer.add_tokens([AddedToken(mark, special=False, normalized=False) for mark in MARKS])


def merges_of(tokenizer: Tokenizer) -> list[tuple[str, str]]:
    """The merges, first learnt first."""
    return [(left, right) for left, right in json.loads(tokenizer.to_str())["model"]["merges"]]


def _texts(count: int, seed: int) -> Iterator[str]:
    for conversation in islice(conversations(seed), count):
        yield (
            "".join(segment.text for segment in segments(conversation))
            .replace(TURN_START, "")
            .replace(TURN_END, "")
        )


def main() -> None:
    """Learns the tokenizer and writes it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    options = parser.parse_args()
    learn_tokenizer().save(str(options.path))


if __name__ == "__main__":
    main()
