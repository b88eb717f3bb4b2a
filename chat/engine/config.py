"""How an engine is set up: how many replies at once, how long a context, how much memory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """Everything that an engine may be told. The defaults suit one machine with a few users.

    `context_tokens` is for each slot: None takes the model's own length, at most 8192 and what `kv_cache_bytes`
    allows. `num_threads` 0 means all cores; `gpu_layers` -1 means all layers. `use_extra_bufts` None lets the engine
    decide: on, until a processor turns out to crash with repacked weights. `cache_dir` None measures nothing.
    With a `projector`, a file of its own, the model sees.
    """

    num_slots: int = 4
    context_tokens: int | None = None
    num_threads: int = 0
    max_queue: int = 64
    prefix_cache_bytes: int = 512 * MIB
    kv_cache_bytes: int = 4096 * MIB
    gpu_layers: int = 0
    cache_dir: Path | None = None
    use_extra_bufts: bool | None = None
    watchdog_s: float = 60.0
    projector: Path | None = None

    @property
    def max_generations(self) -> int:
        """Replies that may be open at once, running and waiting together."""
        return self.num_slots + self.max_queue
