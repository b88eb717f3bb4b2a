"""Small models compute exactly: what stands beside a token, and how the text was cut into chunks, changes no bit."""

from __future__ import annotations

import pytest

from chat.engine.backend import Chunk
from chat.engine.config import EngineConfig
from chat.engine.loading import load_model
from tests.conftest import STARTER

# Of these positions llama.cpp alone rounds some otherwise when they are computed one by one.
TEXT = "Tell me about rivers and the mountains near them, please. " * 10


@pytest.mark.parametrize("chunk_tokens", [1, 7, 129])
def test_the_chunks_of_a_text_change_no_bit(chunk_tokens: int) -> None:
    backend = load_model(STARTER, EngineConfig(num_slots=2)).backend
    try:
        tokens = backend.tokenize(TEXT)
        whole = backend.decode([Chunk(0, 0, tokens, wants_logits=True)])[0].copy()

        for start in range(0, len(tokens), chunk_tokens):
            chunk = tokens[start : start + chunk_tokens]
            beside = Chunk(0, len(tokens) + start, chunk, wants_logits=True)
            rows = backend.decode([beside, Chunk(1, start, chunk, wants_logits=True)])

        assert (rows[1] == whole).all()
    finally:
        backend.close()
