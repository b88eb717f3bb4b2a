"""A registry on a folder of our own, with real engines on tiny models that are remembered as they start."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event

from chat.domain.messages import ChatMessage
from chat.domain.params import GenerationRequest, SamplingParams
from chat.engine.config import MIB, EngineConfig
from chat.engine.engine import LlamaEngine
from chat.engine.pieces import EndPiece, Engine, Generation
from chat.engine.registry import ModelFile, ModelRegistry

CONFIG = EngineConfig(num_slots=1, context_tokens=2048, num_threads=1)
MODEL_BYTES = 130 * MIB  # enough for one tiny model, too little for two
LONG = 1800  # tokens that nobody waits for: these answers are stopped

OpenRegistry = Callable[..., ModelRegistry]


class Starter:
    """Starts real engines and remembers which."""

    def __init__(self) -> None:
        self.started: list[str] = []

    def __call__(self, file: ModelFile, room: Event) -> Engine:
        self.started.append(file.name)
        return LlamaEngine(file.path, CONFIG, room)


def request(max_tokens: int = 3) -> GenerationRequest:
    """The same nonsense each time."""
    return GenerationRequest((ChatMessage.of("user", "Hi"),), SamplingParams(seed=1, max_tokens=max_tokens))


def reason_of(generation: Generation) -> str:
    """Why it ended; waits for that."""
    while True:
        piece = generation.next(timeout_s=30)
        assert piece is not None
        if isinstance(piece, EndPiece):
            return piece.reason
