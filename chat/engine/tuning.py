"""Finds the attention settings that suit this processor and this model: measured once, then remembered in a file.

Which is faster, flash attention or the plain one, 8-bit or 16-bit keys, differs from processor to processor by a factor
of two (llama.cpp #27086).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import platform
import threading
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from chat.domain.errors import OutOfMemory
from chat.engine.backend import BatchAborted, Chunk
from chat.engine.config import MIB, EngineConfig
from chat.engine.gguf import GgufMetadata
from chat.engine.llama_backend import LlamaBackend
from chat.engine.llama_context import VALUE_TYPES, AttentionSettings, default_settings, open_context
from chat.engine.llama_library import library, thread_count
from chat.engine.threads import ThreadGovernor

logger = logging.getLogger(__name__)

# Smaller models are fast enough with any settings, and their start shall be instant.
MIN_MODEL_BYTES = 50 * MIB
MAX_TUNING_S = 5.0
MAX_DEPTH_TOKENS = 256
MAX_PREFILL_S = 1.2
NUM_WRITING_STEPS = 6
CHUNK_TOKENS = 64
# Most time goes into writing. Another setting has to be clearly better than the default: measurements are noisy.
WRITING_WEIGHT = 0.8
CLEARLY_BETTER = 0.9


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds for a prompt token, and for a written token behind `depth_tokens` of context."""

    prompt_token_s: float
    written_token_s: float
    depth_tokens: int

    def cost_beside(self, default: Pace) -> float:
        """1 for as fast as the default, less for faster."""
        writing = self.written_token_s / default.written_token_s
        return WRITING_WEIGHT * writing + (1 - WRITING_WEIGHT) * self.prompt_token_s / default.prompt_token_s


def tuned_settings(model: Any, metadata: GgufMetadata, config: EngineConfig) -> AttentionSettings:
    """The remembered choice, else a new one, which takes up to five seconds; the default where that is not worth it."""
    default = default_settings(model)
    if (path := _path_of(metadata, config)) is None:
        return default
    if remembered := _read(path):
        return remembered
    deadline = time.monotonic() + MAX_TUNING_S
    try:
        chosen = _choose(model, config, default, deadline)
    except BatchAborted:  # too slow to tell now: the next start tries again
        return default
    _write(path, chosen)
    return chosen


def remembered_settings(metadata: GgufMetadata, config: EngineConfig) -> AttentionSettings | None:
    """The choice of an earlier start; None where there is none."""
    path = _path_of(metadata, config)
    return _read(path) if path else None


def _path_of(metadata: GgufMetadata, config: EngineConfig) -> Path | None:
    """Where the choice is kept; None where choosing is not worth it."""
    if config.cache_dir is None or config.gpu_layers or metadata.size_bytes < MIN_MODEL_BYTES:
        return None
    return config.cache_dir / f"attention-{_fingerprint(metadata, config)}.json"


def _choose(
    model: Any, config: EngineConfig, default: AttentionSettings, deadline: float
) -> AttentionSettings:
    """Raises: BatchAborted when the time is over."""
    usual = _measure(model, config, default, MAX_DEPTH_TOKENS, deadline)
    costs = {default: CLEARLY_BETTER}
    for settings in _others(default):
        with contextlib.suppress(OutOfMemory):  # not every architecture takes every setting
            pace = _measure(model, config, settings, usual.depth_tokens, deadline)
            costs[settings] = pace.cost_beside(usual)
    chosen = min(costs, key=lambda settings: costs[settings])
    logger.info("Attention settings chosen: %s of %s.", chosen, costs)
    return chosen


def _others(default: AttentionSettings) -> Iterable[AttentionSettings]:
    candidates = (
        AttentionSettings(has_flash_attention=True, key_type="f16", value_type="f16"),
        AttentionSettings(has_flash_attention=False, key_type="f16", value_type="f16"),
    )
    return (settings for settings in candidates if settings != default)


def _measure(
    model: Any, config: EngineConfig, settings: AttentionSettings, max_depth_tokens: int, deadline: float
) -> Pace:
    if time.monotonic() > deadline:
        raise BatchAborted
    num_tokens = MAX_DEPTH_TOKENS + NUM_WRITING_STEPS
    context = open_context(model, replace(config, num_slots=1), num_tokens, settings)
    # One core is left to others: with all of them, a busy neighbour would be what is measured.
    threads = ThreadGovernor(max(1, thread_count(config) - 1))
    backend = LlamaBackend(model, context, threads, context_tokens=num_tokens)
    timer = threading.Timer(max(0.0, deadline - time.monotonic()), backend.interrupt)
    timer.start()
    try:
        return _run(backend, max_depth_tokens)
    finally:
        timer.cancel()
        library.llama_free(context)


def _run(backend: LlamaBackend, max_depth_tokens: int) -> Pace:
    depth = 0
    prompt_s: list[float] = []
    while depth < max_depth_tokens and sum(prompt_s) < MAX_PREFILL_S:
        prompt_s.append(_time(backend, Chunk(0, depth, [0] * CHUNK_TOKENS, wants_logits=False)))
        depth += CHUNK_TOKENS
    written_s = [
        _time(backend, Chunk(0, depth + step, [0], wants_logits=True)) for step in range(NUM_WRITING_STEPS)
    ]
    # The fastest of each: whatever else runs on the machine only ever makes it slower.
    return Pace(min(prompt_s) / CHUNK_TOKENS, min(written_s), depth)


def _time(backend: LlamaBackend, chunk: Chunk) -> float:
    started_at = time.perf_counter()
    backend.decode([chunk])
    return time.perf_counter() - started_at


def _fingerprint(metadata: GgufMetadata, config: EngineConfig) -> str:
    """The same for the same file on the same processor with the same library."""
    status = metadata.path.stat()
    system = bytes(library.llama_print_system_info()).decode()
    parts = (
        metadata.path.name,
        status.st_size,
        status.st_mtime_ns,
        _processor(),
        system,
        thread_count(config),
    )
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith("model name")), platform.processor())


def _read(path: Path) -> AttentionSettings | None:
    """What was remembered; None when nothing was, or it cannot be read: measuring again is cheap."""
    try:
        settings = AttentionSettings(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None
    return settings if {settings.key_type, settings.value_type} <= VALUE_TYPES.keys() else None


def _write(path: Path, settings: AttentionSettings) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(settings)))
    except OSError as error:
        logger.warning("The choice of attention settings cannot be kept: %s", error)
