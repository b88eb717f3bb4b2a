"""A backend whose model wants to write one text; where a sampler does not let it, it goes on with any nonsense."""

from __future__ import annotations

import zlib

import numpy as np

from chat.engine.backend import Logits
from tests.engine.fake_backend import END, VOCAB_SIZE, FakeBackend

ASSISTANT = b"<|im_start|>assistant\n"


class ScriptedBackend(FakeBackend):
    """One byte is one token. It ends when the script is written."""

    def __init__(self, script: str, **settings: int) -> None:
        super().__init__(**settings)
        self.script = script.encode()

    def row_after(self, tokens: list[int]) -> Logits:
        text = bytes(tokens)
        written = text.rpartition(ASSISTANT)[2]
        noise = np.random.default_rng(zlib.crc32(text)).standard_normal(VOCAB_SIZE)
        row = noise.astype(np.float32)
        row[:32] = row[127:] = -20.0  # nonsense is printable
        row[[ord('"'), ord("}"), ord("]")]] += 3.0  # and comes to an end
        wanted = (
            self.script[len(written)] if self.script.startswith(written) and written != self.script else END
        )
        row[wanted] = 30.0
        return row
